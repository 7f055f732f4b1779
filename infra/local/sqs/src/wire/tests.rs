//! The protocol as the real SDK speaks it, over a loopback socket.

use std::net::SocketAddr;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use fanout_local_faults::Fault;
use tokio::task::JoinHandle;

use super::*;
use crate::service::{QueueAttributes, RedrivePolicy};

mod batches;
mod messages;
mod queues;
mod raw;
mod redrive;

/// A service on a socket of its own, with the queues `jobs` and `dead`: a
/// message of `jobs` dies when it has been received twice.
struct Fixture {
    client: Client,
    address: SocketAddr,
    shutdown: CancellationToken,
    server: JoinHandle<io::Result<()>>,
}

impl Fixture {
    async fn start() -> Self {
        let sqs = Sqs::new("123456789012", "eu-central-1", Fault::default());
        sqs.create_queue("dead", QueueAttributes::default())
            .unwrap();
        let redrive = RedrivePolicy {
            dead_letter_queue: "dead".to_owned(),
            max_receive_count: 2,
        };
        let attributes = QueueAttributes {
            redrive: Some(redrive),
            ..QueueAttributes::default()
        };
        sqs.create_queue("jobs", attributes).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let config = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .credentials_provider(Credentials::for_tests())
            .region(Region::new("eu-central-1"))
            .endpoint_url(format!("http://{address}"))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        Self {
            client: Client::from_conf(config),
            address,
            server: tokio::spawn(serve(listener, sqs, shutdown.clone())),
            shutdown,
        }
    }

    fn url(&self, queue: &str) -> String {
        format!("http://{}/123456789012/{queue}", self.address)
    }

    async fn send(&self, queue: &str, body: &str) -> String {
        let request = self.client.send_message().queue_url(self.url(queue));
        let sent = request.message_body(body).send().await.unwrap();
        sent.message_id.unwrap()
    }

    /// Receives up to ten messages with all of their attributes.
    async fn receive(&self, queue: &str, wait_seconds: i32) -> Vec<aws_sdk_sqs::types::Message> {
        let request = self.client.receive_message().queue_url(self.url(queue));
        let received = request
            .max_number_of_messages(10)
            .wait_time_seconds(wait_seconds)
            .message_system_attribute_names("All".into())
            .message_attribute_names("All")
            .send();
        received.await.unwrap().messages.unwrap_or_default()
    }
}

#[tokio::test]
async fn shutdown_ends_the_server() {
    let fixture = Fixture::start().await;
    fixture.send("jobs", "hello").await;
    fixture.shutdown.cancel();
    fixture.server.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn shutdown_ends_a_long_poll_at_once_and_without_messages() {
    let sqs = Sqs::new("123456789012", "eu-central-1", Fault::default());
    sqs.create_queue("jobs", QueueAttributes::default())
        .unwrap();
    let shutdown = CancellationToken::new();
    let front = Front {
        sqs,
        shutdown: shutdown.clone(),
    };
    let body = br#"{"QueueUrl":"http://localhost/123456789012/jobs","WaitTimeSeconds":20}"#;
    let poll = front.receive_message(decode(body).unwrap());
    let started = tokio::time::Instant::now();
    let stop = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        shutdown.cancel();
    };
    let (answer, ()) = tokio::join!(poll, stop);
    assert_eq!(encode(&answer.unwrap()).unwrap(), b"{}");
    assert_eq!(started.elapsed(), Duration::from_secs(3));
}
