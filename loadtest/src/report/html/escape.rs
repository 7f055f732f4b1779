//! Text in HTML.

use std::fmt::{self, Display, Formatter, Write};

/// Writes a text so that HTML reads it as text, in elements and in quoted
/// attributes.
pub(super) struct Escaped<T>(pub(super) T);

impl<T: Display> Display for Escaped<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

struct Escaping<'a, 'b>(&'a mut Formatter<'b>);

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match character {
                '&' => self.0.write_str("&amp;")?,
                '<' => self.0.write_str("&lt;")?,
                '>' => self.0.write_str("&gt;")?,
                '"' => self.0.write_str("&quot;")?,
                '\'' => self.0.write_str("&#39;")?,
                // What HTML does not allow, even escaped.
                control if control.is_control() && !control.is_whitespace() => {
                    self.0.write_char(char::REPLACEMENT_CHARACTER)?;
                }
                other => self.0.write_char(other)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_is_no_markup() {
        let text = "<script>alert(\"it's & me\")</script>\u{0}";
        assert_eq!(
            Escaped(text).to_string(),
            "&lt;script&gt;alert(&quot;it&#39;s &amp; me&quot;)&lt;/script&gt;\u{fffd}"
        );
    }

    proptest! {
        #[test]
        fn no_text_leaves_its_place(text in any::<String>()) {
            let escaped = Escaped(&text).to_string();
            prop_assert!(!escaped.contains(['<', '>', '"', '\'']));
        }
    }
}
