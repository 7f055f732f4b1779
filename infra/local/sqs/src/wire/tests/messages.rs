use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{MessageAttributeValue, MessageSystemAttributeName as Name};

use super::*;

#[tokio::test]
async fn a_message_is_sent_received_and_deleted() {
    let fixture = Fixture::start().await;
    let attribute = |data_type: &str| MessageAttributeValue::builder().data_type(data_type);
    let request = fixture
        .client
        .send_message()
        .queue_url(fixture.url("jobs"))
        .message_body("hello");
    let kind = attribute("String.event").string_value("book.ordered");
    let blob = attribute("Binary").binary_value(Blob::new([0x00, 0xff]));
    let sent = request
        .message_attributes("kind", kind.build().unwrap())
        .message_attributes("n", attribute("Number").string_value("7").build().unwrap())
        .message_attributes("blob", blob.build().unwrap())
        .send()
        .await
        .unwrap();
    let body_md5 = Some("5d41402abc4b2a76b9719d911017c592");
    let attributes_md5 = Some("c537a274199a5f18d2990feb9fe7581c");
    assert_eq!(sent.md5_of_message_body(), body_md5);
    assert_eq!(sent.md5_of_message_attributes(), attributes_md5);

    let message = fixture.receive("jobs", 0).await.remove(0);
    assert_eq!(message.message_id(), sent.message_id());
    assert_eq!(message.body(), Some("hello"));
    assert_eq!(message.md5_of_body(), body_md5);
    assert_eq!(message.md5_of_message_attributes(), attributes_md5);
    let attributes = message.message_attributes().unwrap();
    assert_eq!(attributes["kind"].string_value(), Some("book.ordered"));
    assert_eq!(
        attributes["blob"].binary_value().unwrap().as_ref(),
        [0x00, 0xff]
    );
    let system = message.attributes().unwrap();
    assert_eq!(system[&Name::ApproximateReceiveCount], "1");
    assert_eq!(system[&Name::SenderId], "ANOTREAL");
    let sent_at: u64 = system[&Name::SentTimestamp].parse().unwrap();
    let first: u64 = system[&Name::ApproximateFirstReceiveTimestamp]
        .parse()
        .unwrap();
    assert!(sent_at > 1_700_000_000_000 && first >= sent_at);

    for _ in 0..2 {
        let delete = fixture
            .client
            .delete_message()
            .queue_url(fixture.url("jobs"));
        let handle = message.receipt_handle().unwrap();
        delete.receipt_handle(handle).send().await.unwrap();
    }
    assert!(fixture.receive("jobs", 0).await.is_empty());
}

#[tokio::test]
async fn attributes_come_only_when_asked_for() {
    let fixture = Fixture::start().await;
    let text = MessageAttributeValue::builder()
        .data_type("String")
        .string_value("x")
        .build()
        .unwrap();
    let request = fixture
        .client
        .send_message()
        .queue_url(fixture.url("jobs"))
        .message_body("hello");
    let request = request.message_attributes("trace.id", text.clone());
    let request = request.message_attributes("other", text);
    request.send().await.unwrap();
    let receive = |name: Option<&str>| {
        let request = fixture.client.receive_message();
        let request = request
            .queue_url(fixture.url("jobs"))
            .visibility_timeout(0)
            .set_message_attribute_names(name.map(|name| vec![name.to_owned()]));
        async { request.send().await.unwrap().messages.unwrap().remove(0) }
    };
    let message = receive(None).await;
    assert_eq!(message.attributes(), None);
    assert_eq!(message.message_attributes(), None);
    assert_eq!(message.md5_of_message_attributes(), None);
    let message = receive(Some("trace.*")).await;
    let names: Vec<_> = message.message_attributes().unwrap().keys().collect();
    assert_eq!(names, ["trace.id"]);
}

#[tokio::test]
async fn a_long_poll_is_woken_by_a_send() {
    let fixture = Fixture::start().await;
    let (received, _) = tokio::join!(fixture.receive("jobs", 20), async {
        tokio::task::yield_now().await;
        fixture.send("jobs", "hello").await
    });
    assert_eq!(received[0].body(), Some("hello"));
}

#[tokio::test]
async fn a_message_is_received_again_after_its_visibility_timeout() {
    let fixture = Fixture::start().await;
    fixture.send("jobs", "hello").await;
    let request = fixture.client.receive_message();
    let request = request.queue_url(fixture.url("jobs")).visibility_timeout(1);
    let first = request.send().await.unwrap().messages.unwrap().remove(0);
    assert!(fixture.receive("jobs", 0).await.is_empty());
    let second = fixture.receive("jobs", 20).await.remove(0);
    assert_eq!(second.message_id, first.message_id);
    assert_ne!(second.receipt_handle, first.receipt_handle);
    let count = &second.attributes.unwrap()[&Name::ApproximateReceiveCount];
    assert_eq!(count, "2");
}

#[tokio::test]
async fn a_receipt_handle_that_was_never_given_out_is_refused() {
    let fixture = Fixture::start().await;
    let request = fixture.client.delete_message();
    let request = request.queue_url(fixture.url("jobs"));
    let error = request.receipt_handle("nonsense").send().await.unwrap_err();
    assert!(error.into_service_error().is_receipt_handle_is_invalid());
}

#[tokio::test]
async fn visibility_of_a_message_not_in_flight_cannot_be_changed() {
    let fixture = Fixture::start().await;
    fixture.send("jobs", "hello").await;
    let handle = fixture.receive("jobs", 0).await.remove(0).receipt_handle;
    let change = || {
        let request = fixture.client.change_message_visibility();
        let request = request.queue_url(fixture.url("jobs"));
        let request = request.set_receipt_handle(handle.clone());
        request.visibility_timeout(0).send()
    };
    change().await.unwrap();
    let error = change().await.unwrap_err().into_service_error();
    assert!(error.is_message_not_inflight());
}

#[tokio::test]
async fn a_message_of_one_mebibyte_is_taken_and_one_byte_more_is_not() {
    let fixture = Fixture::start().await;
    let largest = "a".repeat(1_048_576);
    fixture.send("jobs", &largest).await;
    assert_eq!(
        fixture.receive("jobs", 0).await[0].body(),
        Some(largest.as_str())
    );
    let request = fixture.client.send_message().queue_url(fixture.url("jobs"));
    let error = request.message_body(largest + "a").send().await;
    let error = error.unwrap_err().into_service_error();
    assert_eq!(error.meta().code(), Some("InvalidParameterValue"));
    assert!(error.meta().message().unwrap().contains("1048576 bytes"));
}

#[tokio::test]
async fn characters_that_sqs_refuses_are_refused() {
    let fixture = Fixture::start().await;
    let request = fixture.client.send_message().queue_url(fixture.url("jobs"));
    let error = request.message_body("a\u{b}").send().await.unwrap_err();
    assert!(error.into_service_error().is_invalid_message_contents());
}

#[tokio::test]
async fn a_queue_that_does_not_exist_is_a_modelled_error() {
    let fixture = Fixture::start().await;
    let request = fixture.client.send_message().message_body("hello");
    let error = request.queue_url(fixture.url("missing")).send().await;
    let error = error.unwrap_err().into_service_error();
    assert!(error.is_queue_does_not_exist());
    assert_eq!(
        error.meta().code(),
        Some("AWS.SimpleQueueService.NonExistentQueue")
    );
}

#[tokio::test]
async fn numbers_out_of_range_are_refused() {
    let fixture = Fixture::start().await;
    let request = || {
        let request = fixture.client.receive_message();
        request.queue_url(fixture.url("jobs"))
    };
    for request in [
        request().max_number_of_messages(11),
        request().max_number_of_messages(0),
        request().wait_time_seconds(21),
        request().visibility_timeout(43_201),
    ] {
        let error = request.send().await.unwrap_err().into_service_error();
        assert_eq!(error.meta().code(), Some("InvalidParameterValue"));
    }
}
