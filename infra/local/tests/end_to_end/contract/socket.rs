//! The socket, as its document describes it.

use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::document::Document;
use crate::stack::{Stack, Subscriber, token};

/// Nothing listens there.
const NOWHERE: &str = "http://127.0.0.1:1";
/// What takes the gateway half a minute: a function without an answer.
const NOT_PRODUCED: &str = "504";

/// Holds frames against the document, and remembers them.
struct Contract {
    document: Document,
    /// The messages from the client and to it.
    messages: BTreeSet<String>,
    /// The codes of error frames.
    codes: BTreeSet<String>,
    /// How handshakes were answered.
    answers: BTreeSet<String>,
    /// How sockets were closed.
    closes: BTreeSet<String>,
}

impl Contract {
    fn new() -> Self {
        Self {
            document: Document::asyncapi(),
            messages: BTreeSet::new(),
            codes: BTreeSet::new(),
            answers: BTreeSet::new(),
            closes: BTreeSet::new(),
        }
    }

    /// The names of messages in a list of references.
    fn names(&self, pointer: &str) -> Vec<String> {
        let references = self.document.at(pointer).as_array().unwrap().iter();
        let name = |reference: &Value| {
            let reference = reference["$ref"].as_str().unwrap();
            reference
                .strip_prefix("#/channels/socket/messages/")
                .unwrap()
                .to_owned()
        };
        references.map(name).collect()
    }

    fn mismatch(&self, message: &str, frame: &Value) -> Option<String> {
        let message = self
            .document
            .at(&format!("/channels/socket/messages/{message}"));
        self.document.mismatch(&message["payload"], frame)
    }

    /// Sends a message that an operation takes, and returns what it replies.
    async fn ask(&mut self, subscriber: &mut Subscriber, operation: &str, message: Value) -> Value {
        let names = self.names(&format!("/operations/{operation}/messages"));
        let [name] = names.as_slice() else {
            panic!("{operation} takes {names:?}")
        };
        assert_eq!(self.mismatch(name, &message), None);
        self.messages.insert(name.clone());
        subscriber.send(message).await;
        let replies = self.names(&format!("/operations/{operation}/reply/messages"));
        self.receive(subscriber, &replies).await
    }

    /// Sends something that is answered with an error of this code.
    async fn mistake(&mut self, subscriber: &mut Subscriber, text: &str, code: &str) {
        subscriber.send_message(Message::text(text)).await;
        let frame = self.receive(subscriber, &["error".to_owned()]).await;
        assert_eq!(frame["code"], code, "{frame}");
    }

    /// Returns the next frame that is one of these; what is pushed comes in
    /// between.
    async fn receive(&mut self, subscriber: &mut Subscriber, wanted: &[String]) -> Value {
        loop {
            let frame = subscriber.frame().await;
            let mut fitting = wanted
                .iter()
                .filter(|name| self.mismatch(name, &frame).is_none());
            if let Some(name) = fitting.next().cloned() {
                if name == "error" {
                    let code = frame["code"].as_str().unwrap().to_owned();
                    self.codes.insert(code);
                }
                self.messages.insert(name);
                return frame;
            }
            let pushed = self.names("/operations/notify/messages");
            let is_pushed = pushed
                .iter()
                .any(|name| self.mismatch(name, &frame).is_none());
            assert!(is_pushed, "neither pushed nor one of {wanted:?}: {frame}");
        }
    }

    /// Opens a socket, or is refused one in a way that is documented.
    async fn open(&mut self, stack: &Stack, query: &str) -> Option<Subscriber> {
        let opened = stack.try_subscribe(query).await;
        self.judge(opened)
    }

    fn judge(&mut self, opened: Result<Subscriber, Error>) -> Option<Subscriber> {
        let refused = match opened {
            Ok(subscriber) => {
                self.answers.insert("101".to_owned());
                return Some(subscriber);
            }
            Err(Error::Http(refused)) => refused,
            Err(other) => panic!("neither opened nor refused: {other}"),
        };
        let status = refused.status().as_str().to_owned();
        let answers = self.document.at("/channels/socket/x-handshake-answers");
        let answer = answers
            .get(&status)
            .unwrap_or_else(|| panic!("{refused:?}"));
        let body = refused.body().clone().unwrap_or_default();
        match serde_json::from_slice::<Value>(&body) {
            Ok(document) => {
                let schema = &answer["content"]["application/json"]["schema"];
                assert_eq!(self.document.mismatch(schema, &document), None);
            }
            // The text of a function of ours.
            Err(_) => assert!(answer["content"]["text/plain"].is_object(), "{refused:?}"),
        }
        self.answers.insert(status);
        None
    }

    /// Waits for a socket's end.
    async fn closed(&mut self, subscriber: &mut Subscriber) {
        loop {
            if let Message::Close(Some(close)) = subscriber.next().await {
                self.closes.insert(u16::from(close.code).to_string());
                return;
            }
        }
    }

    fn keys(&self, pointer: &str) -> BTreeSet<String> {
        self.document
            .at(pointer)
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect()
    }
}

#[tokio::test]
async fn every_documented_frame_is_sent_and_no_other() {
    let mut contract = Contract::new();
    act(&mut contract).await;
    act_where_little_is_allowed(&mut contract).await;
    act_where_something_is_missing(&mut contract).await;
    open_sockets(&mut contract).await;

    assert_eq!(contract.codes, contract.document.error_codes());
    assert_eq!(
        contract.messages,
        contract.keys("/channels/socket/messages")
    );
    let mut answers = contract.keys("/channels/socket/x-handshake-answers");
    assert!(answers.remove(NOT_PRODUCED));
    assert_eq!(contract.answers, answers);
    assert_eq!(
        contract.closes,
        contract.keys("/channels/socket/x-close-codes")
    );
}

/// Every action, and what is wrong with one.
async fn act(contract: &mut Contract) {
    let stack = Stack::start(&["--env", "MAX_TOPICS=3", "--env", "MAX_FRAME_BYTES=1024"]).await;
    let mut subscriber = contract.open(&stack, "?topics=a").await.unwrap();
    let s = &mut subscriber;
    for action in ["whoami", "GET_CONNECTION_ID"] {
        contract
            .ask(s, "tellIdentity", json!({"action": action}))
            .await;
    }
    contract
        .ask(s, "echo", json!({"action": "echo", "z": [1, {"b": null}]}))
        .await;
    contract
        .ask(s, "answerPing", json!({"action": "ping"}))
        .await;
    let topics = json!({"action": "subscribe", "topics": ["c", "b"]});
    contract.ask(s, "subscribe", topics.clone()).await;
    let unsubscribe = json!({"action": "unsubscribe", "topics": ["a", "z"]});
    contract.ask(s, "unsubscribe", unsubscribe).await;
    let hello = json!({"action": "sendmessage", "message": {"text": "hello"}});
    contract.ask(s, "sendMessage", hello).await;
    contract.receive(s, &["messageSent".to_owned()]).await;
    let to_b = r#"{"type":"note","data":[1],"target":{"topic":"b"}}"#;
    stack.publish("/notifications", to_b).await;
    contract.receive(s, &["notification".to_owned()]).await;

    let large = json!({"action": "sendmessage", "message": "x".repeat(1_024)}).to_string();
    for (text, code) in [
        ("hello", "not_json"),
        ("[1]", "no_action"),
        (r#"{"action":"dance"}"#, "unknown_action"),
        (r#"{"action":"subscribe"}"#, "invalid_topics"),
        (
            r#"{"action":"subscribe","topics":["a b"]}"#,
            "invalid_topics",
        ),
        (
            r#"{"action":"subscribe","topics":["d","e"]}"#,
            "too_many_topics",
        ),
        (
            r#"{"action":"subscribe","topics":["user:u2"]}"#,
            "forbidden_topics",
        ),
        (r#"{"action":"sendmessage"}"#, "no_message"),
        (&large, "too_large"),
    ] {
        contract.mistake(s, text, code).await;
    }
    let who = contract
        .ask(s, "tellIdentity", json!({"action": "whoami"}))
        .await;
    let connection = who["connectionId"].as_str().unwrap().replace('=', "%3D");
    let path = format!("/connections/{connection}");
    assert_eq!(stack.request("DELETE", &path, "").await.status, 204);
    contract.closed(s).await;

    let mut binary = contract.open(&stack, "").await.unwrap();
    binary.send_message(Message::binary(vec![1])).await;
    contract.closed(&mut binary).await;
    let mut large = contract.open(&stack, "").await.unwrap();
    large
        .send_message(Message::text("x".repeat(128 * 1024 + 1)))
        .await;
    contract.closed(&mut large).await;
    let mut last = contract.open(&stack, "").await.unwrap();
    let (is_success, ()) = tokio::join!(stack.stop(), contract.closed(&mut last));
    assert!(is_success);
}

/// Limits that are reached soon.
async fn act_where_little_is_allowed(contract: &mut Contract) {
    let send = || json!({"action": "sendmessage", "message": null});
    let stack = Stack::start(&["--env", "SENDMESSAGE_PER_MINUTE=1"]).await;
    let mut subscriber = contract.open(&stack, "").await.unwrap();
    // At most one of them is the first of another minute.
    for _ in 0..3 {
        contract.ask(&mut subscriber, "sendMessage", send()).await;
    }

    let account = ["--account-rate", "1", "--account-burst", "1"];
    let stack = Stack::start(&[&account[..], &["--connect-rate", "1"]].concat()).await;
    let mut subscriber = contract.open(&stack, "").await.unwrap();
    // At once: more than one comes before there is capacity again.
    while !contract.messages.contains("gatewayError") {
        let ping = json!({"action": "ping"});
        for _ in 0..4 {
            subscriber.send(ping.clone()).await;
        }
        let replies = contract.names("/operations/answerPing/reply/messages");
        for _ in 0..4 {
            contract.receive(&mut subscriber, &replies).await;
        }
    }
    while !contract.answers.contains("429") {
        for opened in join_all((0..4).map(|_| stack.try_subscribe(""))).await {
            contract.judge(opened);
        }
    }
}

/// Stores and queues that do not answer, and rows that are gone.
async fn act_where_something_is_missing(contract: &mut Contract) {
    let send = json!({"action": "sendmessage", "message": 1});
    let sqs = format!("AWS_ENDPOINT_URL_SQS={NOWHERE}");
    let stack = Stack::start(&["--env", &sqs]).await;
    let mut subscriber = contract.open(&stack, "").await.unwrap();
    let answer = contract
        .ask(&mut subscriber, "sendMessage", send.clone())
        .await;
    assert_eq!(answer["code"], "unavailable");

    let forgotten = [
        "--faults",
        "false-gone=100%",
        "--env",
        "HANDSHAKE_GRACE_MS=0",
    ];
    let off = ["--env", "SENDMESSAGE_PER_MINUTE=0"];
    let stack = Stack::start(&[&forgotten[..], &off].concat()).await;
    let mut subscriber = contract.open(&stack, "").await.unwrap();
    let answer = contract.ask(&mut subscriber, "sendMessage", send).await;
    assert_eq!(answer["code"], "sendmessage_off");
    stack.settled(&stack.order().await).await;
    let answer = contract
        .ask(&mut subscriber, "tellIdentity", json!({"action": "whoami"}))
        .await;
    assert_eq!(answer["code"], "not_connected");

    let dynamodb = format!("AWS_ENDPOINT_URL_DYNAMODB={NOWHERE}");
    let stack = Stack::start(&["--env", &dynamodb]).await;
    assert!(contract.open(&stack, "").await.is_none());
}

/// Handshakes that need a token.
async fn open_sockets(contract: &mut Contract) {
    let stack = Stack::start(&["--auth"]).await;
    let limited = token(&["--user", "u1", "--topics", "news"]).await;
    for (query, is_open) in [
        (String::new(), false),
        (format!("?token={limited}&topics=news"), true),
        (format!("?token={limited}&topics=a%20b"), false),
        (format!("?token={limited}&topics=bonds"), false),
        // Another stage.
        (format!("x?token={limited}"), false),
    ] {
        let opened = contract.open(&stack, &query).await;
        assert_eq!(opened.is_some(), is_open, "{query}");
    }

    let keys = format!("TOKEN_JWKS_URL={NOWHERE}/jwks.json");
    let public_keys = ["--env", "TOKEN_ALGORITHM=RS256", "--env", &keys];
    let stack = Stack::start(&[&["--auth"], &public_keys[..]].concat()).await;
    // {"alg":"RS256","kid":"k"}: whose key that is cannot be found out.
    let token = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ.e30.c2lnbmF0dXJl";
    assert!(
        contract
            .open(&stack, &format!("?token={token}"))
            .await
            .is_none()
    );
}
