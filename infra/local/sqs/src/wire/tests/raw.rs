//! What the SDK never sends, or hides of an answer.

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

const SIGNATURE: &str = "authorization: AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-central-1/sqs/aws4_request, SignedHeaders=host, Signature=0\r\n";

struct Answer {
    status: u16,
    head: String,
    body: Value,
}

impl Fixture {
    async fn post(&self, headers: &str, body: &str) -> Answer {
        let length = body.len();
        let request = format!(
            "POST / HTTP/1.1\r\nhost: queues.local:1234\r\nconnection: close\r\n\
             content-length: {length}\r\n{headers}\r\n{body}"
        );
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_ascii_lowercase(),
            body: serde_json::from_str(body).unwrap(),
        }
    }

    async fn call(&self, operation: &str, body: &str) -> Answer {
        let target = format!("x-amz-target: AmazonSQS.{operation}\r\n");
        self.post(&format!("{target}{SIGNATURE}"), body).await
    }
}

#[track_caller]
fn check(answer: &Answer, status: u16, shape: &str, query_error: &str) {
    assert_eq!(answer.status, status);
    assert_eq!(answer.body["__type"], shape);
    let header = format!("x-amzn-query-error: {}", query_error.to_ascii_lowercase());
    assert!(answer.head.contains(&header), "{}", answer.head);
    assert!(answer.head.contains("x-amzn-requestid: "));
    assert!(
        answer
            .head
            .contains("content-type: application/x-amz-json-1.0")
    );
}

#[tokio::test]
async fn an_error_names_its_shape_and_the_code_of_the_query_protocol() {
    let fixture = Fixture::start().await;
    let missing = r#"{"QueueUrl":"http://localhost/123456789012/missing"}"#;
    check(
        &fixture.call("GetQueueAttributes", missing).await,
        400,
        "com.amazonaws.sqs#QueueDoesNotExist",
        "AWS.SimpleQueueService.NonExistentQueue;Sender",
    );
    let handle = r#"{"QueueUrl":"http://localhost/123456789012/jobs","ReceiptHandle":"x"}"#;
    check(
        &fixture.call("DeleteMessage", handle).await,
        404,
        "com.amazonaws.sqs#ReceiptHandleIsInvalid",
        "ReceiptHandleIsInvalid;Sender",
    );
    let without = r#"{"QueueUrl":"http://localhost/123456789012/jobs"}"#;
    check(
        &fixture.call("SendMessage", without).await,
        400,
        "com.amazon.coral.service#MissingRequiredParameterException",
        "MissingParameter;Sender",
    );
}

#[tokio::test]
async fn a_request_without_a_signature_is_refused() {
    let fixture = Fixture::start().await;
    for headers in ["", "authorization: Bearer token\r\n"] {
        let headers = format!("x-amz-target: AmazonSQS.ListQueues\r\n{headers}");
        check(
            &fixture.post(&headers, "{}").await,
            403,
            "com.amazon.coral.service#MissingAuthenticationTokenException",
            "MissingAuthenticationToken;Sender",
        );
    }
}

#[tokio::test]
async fn operations_that_sqs_does_not_have_are_refused() {
    let fixture = Fixture::start().await;
    let shape = "com.amazon.coral.service#UnknownOperationException";
    let answer = fixture.call("EatMessage", "{}").await;
    check(&answer, 400, shape, "InvalidAction;Sender");
    let answer = fixture.post(SIGNATURE, "{}").await;
    check(&answer, 400, shape, "InvalidAction;Sender");
}

#[tokio::test]
async fn a_body_that_is_not_json_is_refused() {
    let fixture = Fixture::start().await;
    check(
        &fixture.call("ListQueues", "{").await,
        400,
        "com.amazon.coral.service#SerializationException",
        "MalformedInput;Sender",
    );
}

#[tokio::test]
async fn urls_are_under_the_host_that_the_caller_used() {
    let fixture = Fixture::start().await;
    let found = fixture.call("GetQueueUrl", r#"{"QueueName":"jobs"}"#).await;
    let url = "http://queues.local:1234/123456789012/jobs";
    assert_eq!(found.body["QueueUrl"], url);
}

#[tokio::test]
async fn a_receive_without_messages_answers_an_empty_object() {
    let fixture = Fixture::start().await;
    let body = r#"{"QueueUrl":"http://localhost/123456789012/jobs"}"#;
    let answer = fixture.call("ReceiveMessage", body).await;
    assert_eq!((answer.status, answer.body), (200, serde_json::json!({})));
}
