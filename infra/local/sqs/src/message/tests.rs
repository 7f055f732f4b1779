use super::*;

fn text(data_type: &str, value: &str) -> Attribute {
    Attribute {
        data_type: data_type.to_owned(),
        value: AttributeValue::Text(value.to_owned()),
    }
}

fn binary(value: &'static [u8]) -> Attribute {
    Attribute {
        data_type: "Binary".to_owned(),
        value: AttributeValue::Binary(Bytes::from_static(value)),
    }
}

fn with_attribute(name: &str, attribute: Attribute) -> Result<Message, InvalidMessage> {
    Message::with_attributes("body", Attributes::from([(name.to_owned(), attribute)]))
}

#[test]
fn the_digest_of_a_body_is_its_md5() {
    let message = Message::new("hello").unwrap();
    assert_eq!(
        message.body_md5().to_string(),
        "5d41402abc4b2a76b9719d911017c592"
    );
}

#[test]
fn the_digest_of_attributes_covers_names_types_and_values_by_name() {
    let one = with_attribute("timestamp", text("Number", "1493147359900")).unwrap();
    assert_eq!(
        one.attributes_md5().unwrap().to_string(),
        "235c5c510d26fb653d073faed50ae77c"
    );
    let several = Attributes::from([
        ("n".to_owned(), text("Number", "7")),
        ("kind".to_owned(), text("String.event", "book.ordered")),
        ("blob".to_owned(), binary(b"\x00\xff")),
    ]);
    let several = Message::with_attributes("body", several).unwrap();
    assert_eq!(
        several.attributes_md5().unwrap().to_string(),
        "c537a274199a5f18d2990feb9fe7581c"
    );
    assert_eq!(Message::new("body").unwrap().attributes_md5(), None);
}

#[test]
fn attributes_count_towards_the_size() {
    let message = with_attribute("kind", text("String", "order")).unwrap();
    assert_eq!(
        message.size(),
        "body".len() + "kind".len() + "String".len() + 5
    );
}

#[test]
fn only_characters_of_xml_are_taken() {
    for taken in ["\t\n\r ", "\u{d7ff}\u{e000}\u{fffd}\u{10ffff}", "ä€😀"] {
        assert!(Message::new(taken).is_ok(), "{taken:?}");
    }
    for refused in ['\0', '\u{b}', '\u{1f}', '\u{fffe}', '\u{ffff}'] {
        let body = format!("before {refused} after");
        assert_eq!(Message::new(body), Err(InvalidMessage::Character(refused)));
    }
    assert_eq!(Message::new(""), Err(InvalidMessage::EmptyBody));
}

#[test]
fn attribute_names_are_words_between_dots() {
    for taken in ["a", "A-1_b", "trace.parent", "awsome"] {
        assert!(
            with_attribute(taken, text("String", "x")).is_ok(),
            "{taken}"
        );
    }
    for refused in [
        "",
        ".a",
        "a.",
        "a..b",
        "a b",
        "ä",
        "AWS.trace",
        "amazon.x",
        &"n".repeat(257),
    ] {
        let result = with_attribute(refused, text("String", "x"));
        assert_eq!(
            result,
            Err(InvalidMessage::AttributeName(refused.to_owned()))
        );
    }
}

#[test]
fn attribute_values_match_their_type() {
    assert!(with_attribute("a", text("Number.float", "-1.5e3")).is_ok());
    assert!(with_attribute("a", binary(b"\0")).is_ok());
    for refused in [
        text("Number", "seven"),
        text("Number", "inf"),
        text("String", ""),
        binary(b""),
    ] {
        let result = with_attribute("a", refused);
        assert_eq!(result, Err(InvalidMessage::AttributeValue("a".to_owned())));
    }
    for data_type in ["", "Text", "Binary", "string"] {
        let result = with_attribute("a", text(data_type, "x"));
        assert!(
            matches!(result, Err(InvalidMessage::AttributeType { .. })),
            "{data_type}"
        );
    }
}

#[test]
fn an_eleventh_attribute_is_refused() {
    let attributes = (0..11).map(|n| (format!("a{n}"), text("String", "x")));
    let result = Message::with_attributes("body", attributes.collect());
    assert_eq!(result, Err(InvalidMessage::TooManyAttributes(11)));
}
