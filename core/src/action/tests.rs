use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::connection::Connection;
use crate::topic::TopicError;

#[track_caller]
fn check(message: &str, expected: &Result<Action, &str>) {
    let got = Action::parse(message).map_err(|error| error.code());
    assert_eq!(&got, expected, "{message}");
}

fn topics(names: &[&str]) -> Vec<Topic> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

#[test]
fn actions_are_read() {
    check(r#"{"action":"whoami"}"#, &Ok(Action::WhoAmI));
    check(r#"{"action":"GET_CONNECTION_ID"}"#, &Ok(Action::WhoAmI));
    check(r#"{"action":"ping"}"#, &Ok(Action::Ping));
    let echo = r#"{ "action":"echo", "n":12345678901234567890.10 }"#;
    check(echo, &Ok(Action::Echo(echo.to_owned())));
    check(
        r#"{"action":"subscribe","topics":["b","a","b"]}"#,
        &Ok(Action::Subscribe(topics(&["b", "a"]))),
    );
    check(
        r#"{"action":"unsubscribe","topics":["a"]}"#,
        &Ok(Action::Unsubscribe(topics(&["a"]))),
    );
    check(
        r#"{"action":"sendmessage","message":{"z":1,"a":[null]}}"#,
        &Ok(Action::SendMessage(json!({"z": 1, "a": [null]}))),
    );
    check(
        r#"{"action":"sendmessage","message":null}"#,
        &Ok(Action::SendMessage(Value::Null)),
    );
}

#[test]
fn everything_else_is_an_error() {
    check("hello", &Err("not_json"));
    check("", &Err("not_json"));
    check(&"[".repeat(100_000), &Err("not_json"));
    check(r#"{"action":"ping"} {}"#, &Err("not_json"));
    check(r#"{"action":"ping","n":1e999}"#, &Err("not_json"));
    check("[1]", &Err("no_action"));
    check("{}", &Err("no_action"));
    check(r#"{"action":1}"#, &Err("no_action"));
    check(r#"{"action":"dance"}"#, &Err("unknown_action"));
    check(r#"{"action":"sendmessage"}"#, &Err("no_message"));
}

#[test]
fn topics_are_a_list_of_well_formed_names() {
    for wrong in [
        r#""no":0"#,
        r#""topics":[]"#,
        r#""topics":"a""#,
        r#""topics":["a",1]"#,
        r#""topics":{"a":true}"#,
        r#""topics":["a",""]"#,
        r#""topics":["a b"]"#,
    ] {
        for action in ["subscribe", "unsubscribe"] {
            let message = format!(r#"{{"action":"{action}",{wrong}}}"#);
            check(&message, &Err("invalid_topics"));
        }
    }
    let many = |count| json!({"action": "unsubscribe", "topics": vec!["a"; count]}).to_string();
    check(&many(90), &Ok(Action::Unsubscribe(topics(&["a"]))));
    check(&many(91), &Err("too_many_topics"));
}

#[test]
fn replies_are_objects_with_a_type() {
    let connection = Connection {
        id: "TXzPWdnOjoECGjA=".into(),
        connected_at: Timestamp::UNIX_EPOCH,
        expires_at: Timestamp::UNIX_EPOCH,
        user_id: Some("u1".to_owned()),
        org_id: None,
        topics: topics(&["stocks/AAPL", "news"]),
    };
    let id = "0190163d-8694-739b-aea5-966c26f8ad91".parse().unwrap();
    let replies = [
        Reply::WhoAmI(connection),
        Reply::Pong,
        Reply::Subscribed(topics(&["a", "b"])),
        Reply::Unsubscribed(Vec::new()),
        Reply::Sent(id),
    ];
    let frames: Vec<_> = replies.iter().map(Reply::frame).collect();
    insta::assert_snapshot!(frames.join("\n"));
}

#[test]
fn errors_say_what_is_wrong_and_what_would_be_right() {
    let names = topics(&["user:u2", "weather"]);
    let error = |message: &str| Action::parse(message).unwrap_err();
    let errors = [
        error("hello"),
        error("{}"),
        error(r#"{"action":"dance"}"#),
        error(r#"{"action":"subscribe","topics":[]}"#),
        error(r#"{"action":"subscribe","topics":["a b","c","d\u0000"]}"#),
        ActionError::TooManyTopicsAtOnce { count: 91 },
        ActionError::TooManyTopics {
            count: 51,
            most: 50,
        },
        ActionError::forbidden_topics(&names.iter().collect::<Vec<_>>()),
        ActionError::NoMessage,
        ActionError::TooLarge {
            bytes: 40_000,
            limit: 32_768,
        },
        ActionError::RateLimited {
            per_minute: 30,
            retry_after_seconds: 17,
        },
        ActionError::SendMessageOff,
        ActionError::NotConnected,
        ActionError::Unavailable,
    ];
    let frames = errors.map(|error| Reply::Error(error).frame());
    insta::assert_snapshot!(frames.join("\n"));
}

#[test]
fn what_was_sent_is_cut_where_it_is_quoted() {
    let long = json!({"action": "x".repeat(49)}).to_string();
    let cut = format!("{}…", "x".repeat(48));
    assert_eq!(Action::parse(&long), Err(ActionError::Unknown(cut)));
    let names: Vec<_> = (0..20).map(|n| format!("no {n}")).collect();
    let message = json!({"action": "subscribe", "topics": names}).to_string();
    let Err(ActionError::MalformedTopics { names, first }) = Action::parse(&message) else {
        panic!("accepted");
    };
    assert_eq!(names.len(), 10);
    assert_eq!(first, TopicError::Character(' '));
}

#[test]
fn topics_that_a_client_may_not_choose_are_named_whole() {
    let named = |topics: &[Topic]| {
        let topics: Vec<_> = topics.iter().collect();
        let reply = Reply::Error(ActionError::forbidden_topics(&topics));
        assert!(reply.frame().len() < 4_096, "{}", reply.frame());
        let frame = object_of(&reply);
        frame["topics"].as_array().unwrap().clone()
    };
    let longest: Vec<String> = (10..30)
        .map(|n| format!("{n}{}", "x".repeat(126)))
        .collect();
    let longest: Vec<&str> = longest.iter().map(String::as_str).collect();
    assert_eq!(named(&topics(&longest)), longest[..10]);
    // Of those of users, that may be in any script, as many as fit.
    for (character, fitting) in [('"', 6), ('é', 3), ('\u{10ffff}', 1)] {
        let id = character.to_string().repeat(255);
        let topic = Topic::of_user(&id).unwrap();
        let expected = vec![json!(topic.as_str()); fitting];
        assert_eq!(named(&vec![topic; 12]), expected);
    }
}

/// Text with every character in it, more often than not one that JSON escapes.
fn any_text() -> impl Strategy<Value = String> {
    let awkward =
        prop::sample::select(vec!['\0', '\u{1}', '\n', '"', '\\', '\u{7f}', '\u{10ffff}']);
    let character = prop_oneof![awkward, any::<char>()];
    prop::collection::vec(character, 0..50).prop_map(|text| text.into_iter().collect())
}

/// Any JSON, of the names that matter more often than not.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any_text().prop_map(Value::from),
        "[a-z/:]{1,130}".prop_map(Value::from),
        any_text().prop_map(|id| Value::from(format!("user:{id}"))),
    ];
    leaf.prop_recursive(3, 30, 12, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..12).prop_map(Value::from),
            prop::collection::vec((any_text(), inner), 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn any_message() -> impl Strategy<Value = String> {
    let actions = [
        "ping",
        "whoami",
        "echo",
        "subscribe",
        "unsubscribe",
        "sendmessage",
    ];
    let action = prop_oneof![
        4 => prop::sample::select(actions.to_vec()).prop_map(Value::from),
        1 => any_json(),
    ];
    let object = (action, any_json(), any_json()).prop_map(|(action, topics, message)| {
        json!({"action": action, "topics": topics, "message": message}).to_string()
    });
    let object = object.boxed();
    prop_oneof![
        1 => any_text(),
        1 => any_json().prop_map(|json| json.to_string()),
        4 => object.clone(),
        // Broken off somewhere.
        1 => (object, any::<prop::sample::Index>()).prop_map(|(text, at)| {
            let at = at.index(text.chars().count());
            text.chars().take(at).collect()
        }),
    ]
}

/// Reads a reply as JSON, which must be one object.
#[track_caller]
fn object_of(reply: &Reply) -> Map<String, Value> {
    serde_json::from_str(&reply.frame()).unwrap()
}

proptest! {
    #[test]
    fn any_message_is_an_action_or_a_short_error(message in any_message()) {
        match Action::parse(&message) {
            Ok(Action::Echo(text)) => {
                prop_assert_eq!(&text, &message);
                object_of(&Reply::Echo(text));
            }
            Ok(Action::Subscribe(topics) | Action::Unsubscribe(topics)) => {
                prop_assert!((1..=MAX_TOPICS_AT_ONCE).contains(&topics.len()));
                let forbidden: Vec<_> = topics.iter().collect();
                let refused = Reply::Error(ActionError::forbidden_topics(&forbidden));
                prop_assert!(refused.frame().len() < 4_096);
                object_of(&refused);
                object_of(&Reply::Subscribed(topics));
            }
            Ok(Action::SendMessage(_) | Action::WhoAmI | Action::Ping) => {}
            Err(error) => {
                let reply = Reply::Error(error);
                prop_assert!(reply.frame().len() < 4_096, "{}", reply.frame());
                let frame = object_of(&reply);
                prop_assert_eq!(&frame["type"], "error");
                prop_assert!(frame["code"].is_string() && frame["detail"].is_string());
            }
        }
    }

    #[test]
    fn error_frames_are_short_whatever_the_characters(character: char, length in 1_usize..300) {
        let text = character.to_string().repeat(length);
        let unknown = json!({"action": text}).to_string();
        let name = format!("user:{text}");
        let many = json!({"action": "subscribe", "topics": vec![text; 90]}).to_string();
        for message in [unknown, many] {
            if let Err(error) = Action::parse(&message) {
                prop_assert!(Reply::Error(error).frame().len() < 4_096);
            }
        }
        if let Ok(topic) = name.parse() {
            let refused = ActionError::forbidden_topics(&[&topic; 90]);
            prop_assert!(Reply::Error(refused).frame().len() < 4_096);
        }
    }
}
