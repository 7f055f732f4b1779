use super::*;
use serde_json::json;

/// The headers of an event in binary mode.
const HEADERS: [(&str, &str); 4] = [
    ("specversion", "1.0"),
    ("id", "7"),
    ("source", "/shop"),
    ("type", "sold"),
];

fn event(more: &Value) -> Vec<u8> {
    let mut event = json!({"specversion": "1.0", "id": "7", "source": "/shop", "type": "sold"});
    let fields = event.as_object_mut().unwrap();
    fields.extend(more.as_object().unwrap().clone());
    event.to_string().into_bytes()
}

#[track_caller]
fn check_refused(more: &Value, expected: &[&str]) {
    let problem = parse_structured(&event(more)).unwrap_err();
    let pointers: Vec<_> = problem.errors.iter().map(|e| e.pointer.as_str()).collect();
    assert_eq!(
        (problem.status, pointers.as_slice()),
        (422, expected),
        "{more}"
    );
}

#[test]
fn a_structured_event_keeps_its_attributes() {
    let more = json!({
        "subject": "stocks/AAPL", "data": {"price": 1.5}, "traceparent": "00-1-2-01",
        "time": "2026-11-21T07:59:59Z", "expirytime": "2026-11-21T08:01:00.25Z",
    });
    let draft = parse_structured(&event(&more)).unwrap();
    let topic = "stocks/AAPL".parse().unwrap();
    assert_eq!(draft.target, Target::Topic { topic });
    assert_eq!(draft.data, Some(json!({"price": 1.5})));
    let expiry = "2026-11-21T08:01:00.25Z".parse().unwrap();
    assert_eq!(draft.expiry, Some(Expiry::At(expiry)));
    assert_eq!(
        Value::Object(draft.attributes),
        json!({
            "id": "7", "source": "/shop", "time": "2026-11-21T07:59:59Z",
            "expirytime": "2026-11-21T08:01:00.25Z", "traceparent": "00-1-2-01",
        })
    );
}

#[test]
fn an_event_without_a_subject_is_for_everyone() {
    let draft = parse_structured(&event(&json!({}))).unwrap();
    assert_eq!(draft.target, Target::Everyone);
    assert_eq!(draft.data, None);
}

#[test]
fn every_wrong_attribute_is_named() {
    check_refused(&json!({"specversion": "0.3"}), &["/specversion"]);
    check_refused(&json!({"id": "", "source": 1}), &["/id", "/source"]);
    check_refused(&json!({"subject": "a b"}), &["/subject"]);
    check_refused(&json!({"time": "noon"}), &["/time"]);
    check_refused(&json!({"Trace": "x", "list": []}), &["/Trace", "/list"]);
    check_refused(&json!({"data_base64": "%"}), &["/data_base64"]);
    let both = json!({"data_base64": "aGk=", "data": 1});
    check_refused(&both, &["/data_base64"]);
}

#[test]
fn a_binary_event_has_its_attributes_in_headers() {
    let headers = HEADERS.into_iter().chain([("shop", "Caf%C3%A9")]);
    let read =
        |content_type, body: &[u8]| parse_binary(headers.clone(), content_type, body).unwrap();
    let json_event = read(Some("application/json"), br#"{"n":1}"#);
    assert_eq!(json_event.data, Some(json!({"n": 1})));
    assert_eq!(json_event.attributes["shop"], "Café");
    let text = read(Some("text/plain"), b"hello");
    assert_eq!(text.data, Some(json!("hello")));
    assert_eq!(text.attributes["datacontenttype"], "text/plain");
    let binary = read(Some("image/png"), &[0xff, 0xfe]);
    assert_eq!(binary.attributes["data_base64"], "//4=");
    let broken = parse_binary(headers.clone(), None, b"{").unwrap_err();
    assert_eq!(broken.code, "not_json");
}

#[test]
fn attributes_have_the_types_of_the_specification() {
    check_refused(&json!({"id": "a\nb"}), &["/id"]);
    check_refused(&json!({"type": "a\u{7f}"}), &["/type"]);
    check_refused(&json!({"mark": "\u{85}"}), &["/mark"]);
    for source in ["a b", "a\tb", "caf\u{e9}", "a\"b", "a%2", "%zz"] {
        check_refused(&json!({ "source": source }), &["/source"]);
    }
    for number in [
        json!(1.5),
        json!(2_147_483_648_u32),
        json!(-2_147_483_649_i64),
    ] {
        check_refused(&json!({ "number": number }), &["/number"]);
    }
    let more = json!({
        "source": "urn:x:%C3%A9?a=[1]#b", "most": 2_147_483_647, "least": -2_147_483_648_i64,
        "yes": true, "none": null,
    });
    let attributes = parse_structured(&event(&more)).unwrap().attributes;
    assert_eq!(attributes["most"], 2_147_483_647);
    assert_eq!(attributes["yes"], true);
    assert_eq!(attributes.get("none"), None);
}

#[test]
fn data_that_is_null_is_data() {
    let draft = parse_structured(&event(&json!({"data": null}))).unwrap();
    assert_eq!(draft.data, Some(Value::Null));
}

#[test]
fn a_binary_event_without_a_body_has_no_data() {
    for content_type in [None, Some("application/json"), Some("text/plain")] {
        let draft = parse_binary(HEADERS, content_type, b"").unwrap();
        let declared = draft.attributes.get("datacontenttype");
        assert_eq!(draft.data, None);
        assert_eq!(declared.and_then(Value::as_str), content_type);
    }
}

#[test]
fn headers_that_are_no_attributes_or_do_not_decode_are_named() {
    let wrong = [
        ("datacontenttype", "text/plain"),
        ("data", "1"),
        ("data_base64", "AA=="),
        ("shop", "%FF"),
    ];
    let problem = parse_binary(HEADERS.into_iter().chain(wrong), None, b"1").unwrap_err();
    let pointers: Vec<_> = problem.errors.iter().map(|e| e.pointer.as_str()).collect();
    let expected = ["/datacontenttype", "/data", "/data_base64", "/shop"];
    assert_eq!((problem.status, pointers.as_slice()), (422, &expected[..]));
}
