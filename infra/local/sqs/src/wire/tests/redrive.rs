use aws_sdk_sqs::types::MessageSystemAttributeName as Name;

use super::*;

const DEAD: &str = "arn:aws:sqs:eu-central-1:123456789012:dead";
const JOBS: &str = "arn:aws:sqs:eu-central-1:123456789012:jobs";

impl Fixture {
    /// Sends a message to `jobs` and fails it until it is dead.
    async fn send_poison(&self) -> String {
        let id = self.send("jobs", "poison").await;
        for _ in 0..2 {
            let received = self.receive("jobs", 0).await.remove(0);
            let request = self.client.change_message_visibility();
            let request = request.queue_url(self.url("jobs")).visibility_timeout(0);
            let request = request.set_receipt_handle(received.receipt_handle);
            request.send().await.unwrap();
        }
        assert!(self.receive("jobs", 0).await.is_empty());
        id
    }
}

#[tokio::test]
async fn a_message_received_too_often_is_found_in_the_dead_letter_queue() {
    let fixture = Fixture::start().await;
    let id = fixture.send_poison().await;
    let dead = fixture.receive("dead", 0).await.remove(0);
    assert_eq!(dead.message_id(), Some(id.as_str()));
    let attributes = dead.attributes.unwrap();
    assert_eq!(attributes[&Name::DeadLetterQueueSourceArn], JOBS);
    assert_eq!(attributes[&Name::ApproximateReceiveCount], "3");
}

#[tokio::test]
async fn a_move_task_brings_dead_letters_back() {
    let fixture = Fixture::start().await;
    let id = fixture.send_poison().await;
    let request = fixture.client.start_message_move_task();
    let started = request.source_arn(DEAD).send().await.unwrap();
    let message = fixture.receive("jobs", 20).await.remove(0);
    assert_eq!(message.body(), Some("poison"));
    assert_ne!(message.message_id(), Some(id.as_str()));
    assert_eq!(
        message.attributes.unwrap()[&Name::ApproximateReceiveCount],
        "1"
    );

    let request = fixture.client.list_message_move_tasks();
    let tasks = request.source_arn(DEAD).send().await.unwrap();
    let task = &tasks.results()[0];
    assert_eq!(task.status(), Some("COMPLETED"));
    assert_eq!(task.source_arn(), Some(DEAD));
    assert_eq!(task.task_handle(), None);
    assert_eq!(task.approximate_number_of_messages_moved(), 1);
    assert_eq!(task.approximate_number_of_messages_to_move(), Some(1));

    let request = fixture.client.cancel_message_move_task();
    let request = request.set_task_handle(started.task_handle);
    let error = request.send().await.unwrap_err().into_service_error();
    assert!(error.is_unsupported_operation());
}

#[tokio::test]
async fn a_paced_move_task_can_be_cancelled() {
    let fixture = Fixture::start().await;
    fixture.send_poison().await;
    fixture.send_poison().await;
    let request = fixture.client.start_message_move_task();
    let request = request.source_arn(DEAD).destination_arn(JOBS);
    let request = request.max_number_of_messages_per_second(1);
    let handle = request.send().await.unwrap().task_handle;
    let request = fixture.client.cancel_message_move_task();
    let cancelled = request.set_task_handle(handle).send().await.unwrap();
    assert!(cancelled.approximate_number_of_messages_moved() <= 1);
    let request = fixture.client.list_message_move_tasks();
    let tasks = request.source_arn(DEAD).send().await.unwrap();
    assert_eq!(tasks.results()[0].status(), Some("CANCELLED"));
    assert_eq!(tasks.results()[0].destination_arn(), Some(JOBS));
}

#[tokio::test]
async fn a_move_task_needs_queues_that_exist() {
    let fixture = Fixture::start().await;
    let start = || fixture.client.start_message_move_task();
    let error = start().source_arn(format!("{DEAD}-missing")).send().await;
    let error = error.unwrap_err().into_service_error();
    assert!(error.is_resource_not_found_exception());
    let error = start().source_arn(JOBS).send().await.unwrap_err();
    let code = error.into_service_error().meta().code().map(str::to_owned);
    assert_eq!(code.as_deref(), Some("InvalidParameterValue"));
}
