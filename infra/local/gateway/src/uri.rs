//! Percent-encoding and query strings.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// Decodes `%XX` escapes. What is no valid escape stays as it is; what does
/// not decode to UTF-8 is replaced.
pub(crate) fn percent_decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        let escape = (byte == b'%').then(|| hex_pair(tail)).flatten();
        match (escape, tail.get(2..)) {
            (Some(value), Some(after)) => {
                decoded.push(value);
                rest = after;
            }
            _ => decoded.push(byte),
        }
    }
    Cow::Owned(String::from_utf8_lossy(&decoded).into_owned())
}

/// Reads a query string into its parameters, each with all of its values in
/// their order.
pub(crate) fn query_parameters(query: &str) -> BTreeMap<String, Vec<String>> {
    let mut parameters: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let values = parameters.entry(decode_form(name)).or_default();
        values.push(decode_form(value));
    }
    parameters
}

fn decode_form(text: &str) -> String {
    percent_decode(&text.replace('+', " ")).into_owned()
}

fn hex_pair(text: &[u8]) -> Option<u8> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    match text {
        [high, low, ..] => u8::try_from(digit(high)? * 16 + digit(low)?).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_and_anything_else_is_left_alone() {
        let cases = [
            ("plain", "plain"),
            ("%40connections", "@connections"),
            ("TXzPWdnOjoECGjA%3D", "TXzPWdnOjoECGjA="),
            ("caf%C3%A9", "café"),
            ("100%", "100%"),
            ("%4", "%4"),
            ("%zz%41", "%zzA"),
        ];
        for (encoded, decoded) in cases {
            assert_eq!(percent_decode(encoded), decoded);
        }
    }

    #[test]
    fn a_query_keeps_every_value_of_a_parameter_in_order() {
        let parameters = query_parameters("topics=a%2Cb&x=1&topics=c+d&&flag");
        assert_eq!(parameters["topics"], ["a,b", "c d"]);
        assert_eq!(parameters["x"], ["1"]);
        assert_eq!(parameters["flag"], [""]);
        assert_eq!(parameters.len(), 3);
    }
}
