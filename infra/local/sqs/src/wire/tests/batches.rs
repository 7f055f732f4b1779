use aws_sdk_sqs::operation::send_message_batch::{SendMessageBatchError, SendMessageBatchOutput};
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry,
    SendMessageBatchRequestEntry,
};

use super::*;

fn entry(id: &str, body: &str) -> SendMessageBatchRequestEntry {
    let entry = SendMessageBatchRequestEntry::builder();
    entry.id(id).message_body(body).build().unwrap()
}

impl Fixture {
    async fn send_batch(
        &self,
        entries: Vec<SendMessageBatchRequestEntry>,
    ) -> Result<SendMessageBatchOutput, SendMessageBatchError> {
        let request = self.client.send_message_batch();
        let request = request.queue_url(self.url("jobs"));
        let sent = request.set_entries(Some(entries)).send().await;
        sent.map_err(aws_sdk_sqs::error::SdkError::into_service_error)
    }
}

#[tokio::test]
async fn a_batch_is_sent_received_and_deleted() {
    let fixture = Fixture::start().await;
    let entries = (0..10).map(|n| entry(&format!("id-{n}"), &format!("body {n}")));
    let sent = fixture.send_batch(entries.collect()).await.unwrap();
    assert_eq!((sent.successful.len(), sent.failed.len()), (10, 0));
    assert_eq!(sent.successful[3].id, "id-3");

    let received = fixture.receive("jobs", 0).await;
    let ids: Vec<_> = received.iter().map(|m| m.message_id().unwrap()).collect();
    let sent_ids: Vec<_> = sent
        .successful
        .iter()
        .map(|m| m.message_id.as_str())
        .collect();
    assert_eq!(ids, sent_ids);

    let entries = received.iter().enumerate().map(|(n, message)| {
        let entry = DeleteMessageBatchRequestEntry::builder().id(n.to_string());
        let handle = message.receipt_handle().filter(|_| n != 4);
        let handle = handle.unwrap_or("nonsense");
        entry.receipt_handle(handle).build().unwrap()
    });
    let request = fixture.client.delete_message_batch();
    let request = request.queue_url(fixture.url("jobs"));
    let deleted = request.set_entries(Some(entries.collect())).send().await;
    let deleted = deleted.unwrap();
    assert_eq!((deleted.successful.len(), deleted.failed.len()), (9, 1));
    assert_eq!(deleted.failed[0].id, "4");
    assert_eq!(deleted.failed[0].code, "ReceiptHandleIsInvalid");
}

#[tokio::test]
async fn an_entry_that_fails_does_not_fail_the_others() {
    let fixture = Fixture::start().await;
    let entries = vec![entry("good", "hello"), entry("bad", "\u{1}")];
    let sent = fixture.send_batch(entries).await.unwrap();
    assert_eq!(sent.successful[0].id, "good");
    let failed = &sent.failed[0];
    assert_eq!((failed.id.as_str(), failed.sender_fault), ("bad", true));
    assert_eq!(failed.code, "InvalidMessageContents");
    assert_eq!(fixture.receive("jobs", 0).await.len(), 1);
}

#[tokio::test]
async fn visibility_can_be_changed_in_a_batch() {
    let fixture = Fixture::start().await;
    fixture.send("jobs", "hello").await;
    let handle = fixture.receive("jobs", 0).await.remove(0).receipt_handle;
    let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
        .id("a")
        .set_receipt_handle(handle)
        .visibility_timeout(0)
        .build()
        .unwrap();
    let request = fixture.client.change_message_visibility_batch();
    let request = request.queue_url(fixture.url("jobs")).entries(entry);
    assert_eq!(request.send().await.unwrap().successful[0].id, "a");
    assert_eq!(fixture.receive("jobs", 0).await.len(), 1);
}

#[tokio::test]
async fn a_batch_that_breaks_the_rules_is_refused_as_a_whole() {
    let fixture = Fixture::start().await;
    let refused = async |entries| fixture.send_batch(entries).await.unwrap_err();
    assert!(refused(vec![]).await.is_empty_batch_request());
    let eleven = (0..11).map(|n| entry(&n.to_string(), "x")).collect();
    assert!(refused(eleven).await.is_too_many_entries_in_batch_request());
    let twice = vec![entry("a", "x"), entry("a", "y")];
    assert!(refused(twice).await.is_batch_entry_ids_not_distinct());
    for id in ["", "a b", &"n".repeat(81)] {
        let invalid = vec![entry(id, "x")];
        assert!(refused(invalid).await.is_invalid_batch_entry_id());
    }
    let half = "a".repeat(524_288);
    let too_long = vec![entry("a", &half), entry("b", &half), entry("c", "x")];
    assert!(refused(too_long).await.is_batch_request_too_long());
    assert!(fixture.receive("jobs", 0).await.is_empty());
    let largest = vec![entry("a", &half), entry("b", &half)];
    let sent = fixture.send_batch(largest).await.unwrap();
    assert_eq!(sent.successful.len(), 2);
}
