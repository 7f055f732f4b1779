//! Media types, as far as a body's kind depends on them (RFC 9110, section
//! 8.3.1).

/// The media type of JSON.
pub const JSON: &str = "application/json";

/// Returns a media type without its parameters, in lower case.
#[must_use]
pub fn essence(content_type: &str) -> String {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

/// Whether what is of this type, an [`essence`], is JSON.
#[must_use]
pub fn is_json(essence: &str) -> bool {
    essence == JSON || essence.ends_with("+json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_told_by_the_essence() {
        let is_json = |content_type| is_json(&essence(content_type));
        assert!(is_json("Application/JSON ; charset=utf-8"));
        assert!(is_json("application/vnd.shop+json"));
        assert!(!is_json("text/plain; format=application/json"));
    }
}
