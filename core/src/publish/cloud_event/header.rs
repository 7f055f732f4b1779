//! Values of headers that are attributes of an event (section 3.1.3.2 of the
//! HTTP binding).

use std::str::Utf8Error;

use percent_encoding::percent_decode_str;

/// Decodes a value: what is not printable ASCII travels as `%XX`; before that
/// rule there were quoted strings, which are still to be understood.
///
/// # Errors
/// What `%XX` stands for is not UTF-8.
pub(super) fn decoded(value: &str) -> Result<String, Utf8Error> {
    let value = unquoted(value);
    let decoded = percent_decode_str(&value).decode_utf8()?;
    Ok(decoded.into_owned())
}

/// Takes the quotes off a quoted string (RFC 9110, section 5.6.4).
fn unquoted(value: &str) -> String {
    let inside = value.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    let Some(inside) = inside else {
        return value.to_owned();
    };
    let mut text = String::with_capacity(inside.len());
    let mut rest = inside.chars();
    while let Some(c) = rest.next() {
        let escaped = if c == '\\' { rest.next() } else { None };
        text.push(escaped.unwrap_or(c));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, expected: &str) {
        assert_eq!(decoded(value).as_deref(), Ok(expected), "{value}");
    }

    #[test]
    fn a_value_is_unquoted_and_then_decoded_once() {
        check("Caf%C3%A9", "Café");
        check("100%", "100%");
        check("%2541", "%41");
        check(r#""Euro %E2%82%AC""#, "Euro €");
        check(r#""a \"b\" \\c""#, r#"a "b" \c"#);
        check(r#""%22""#, r#"""#);
        check(r#"a "b""#, r#"a "b""#);
        check(r#"""#, r#"""#);
    }

    #[test]
    fn what_is_not_utf_8_is_refused() {
        assert!(decoded("%FF").is_err());
        assert!(decoded("%C3x").is_err());
    }
}
