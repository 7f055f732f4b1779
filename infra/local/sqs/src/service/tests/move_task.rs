use super::*;

const DEAD: &str = "arn:aws:sqs:eu-central-1:123456789012:dead";

fn request() -> MoveTaskRequest {
    MoveTaskRequest {
        source_arn: DEAD.to_owned(),
        ..MoveTaskRequest::default()
    }
}

/// A service with `n` messages of `jobs` that have died.
async fn with_dead_letters(n: usize) -> Sqs {
    let sqs = service_with_redrive(1);
    for _ in 0..n {
        send(&sqs, "jobs", "poison");
    }
    let everything = ReceiveOptions {
        max_messages: usize::MAX,
        ..ReceiveOptions::default()
    };
    sqs.receive("jobs", everything).await.unwrap();
    tokio::time::advance(SECOND * 30).await;
    assert_eq!(sqs.receive("jobs", everything).await, Ok(Vec::new()));
    assert_eq!(sqs.counts("dead").unwrap().visible, n);
    sqs
}

fn latest(sqs: &Sqs) -> MoveTask {
    sqs.message_move_tasks(DEAD, 1).unwrap().remove(0)
}

#[tokio::test(start_paused = true)]
async fn dead_letters_go_back_to_where_they_died_as_new_messages() {
    let sqs = with_dead_letters(250).await;
    sqs.start_message_move_task(request()).unwrap();
    tokio::time::sleep(SECOND).await;
    let task = latest(&sqs);
    assert_eq!(task.status, MoveTaskStatus::Completed);
    assert_eq!((task.moved, task.to_move), (250, 250));
    assert_eq!(sqs.counts("dead").unwrap(), Counts::default());
    assert_eq!(sqs.counts("jobs").unwrap().visible, 250);
    let message = poll(&sqs, "jobs", SECOND).await.remove(0);
    assert_eq!(message.receive_count, 1);
    assert_eq!(message.dead_letter_source, None);
}

#[tokio::test(start_paused = true)]
async fn a_rate_paces_the_task_and_a_cancelled_task_stops() {
    let sqs = with_dead_letters(100).await;
    let handle = sqs.start_message_move_task(MoveTaskRequest {
        max_messages_per_second: Some(10),
        ..request()
    });
    tokio::time::sleep(Duration::from_millis(2_950)).await;
    assert_eq!(latest(&sqs).status, MoveTaskStatus::Running);
    assert_eq!(sqs.counts("jobs").unwrap().visible, 30);
    let again = sqs.start_message_move_task(request());
    assert_eq!(again, Err(MoveTaskError::AlreadyRunning.into()));

    let handle = handle.unwrap();
    assert_eq!(sqs.cancel_message_move_task(&handle), Ok(30));
    tokio::time::sleep(SECOND * 10).await;
    assert_eq!(sqs.counts("jobs").unwrap().visible, 30);
    assert_eq!(latest(&sqs).status, MoveTaskStatus::Cancelled);
    let again = sqs.cancel_message_move_task(&handle);
    assert_eq!(again, Err(MoveTaskError::NotRunning.into()));
}

#[tokio::test(start_paused = true)]
async fn a_destination_of_choice_receives_the_messages() {
    let sqs = with_dead_letters(1).await;
    sqs.create_queue("other", QueueAttributes::default())
        .unwrap();
    let destination = sqs.queue_arn("other").unwrap();
    sqs.start_message_move_task(MoveTaskRequest {
        destination_arn: Some(destination),
        ..request()
    })
    .unwrap();
    assert_eq!(poll(&sqs, "other", SECOND).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_did_not_die_has_no_queue_to_go_back_to() {
    let sqs = with_dead_letters(0).await;
    send(&sqs, "dead", "sent here");
    sqs.start_message_move_task(request()).unwrap();
    tokio::time::sleep(SECOND).await;
    let reason = "CouldNotDetermineMessageSource";
    assert_eq!(latest(&sqs).status, MoveTaskStatus::Failed { reason });
    assert_eq!(sqs.counts("dead").unwrap().visible, 1);
}

#[tokio::test(start_paused = true)]
async fn only_tasks_that_can_run_are_started() {
    let sqs = with_dead_letters(0).await;
    let refused = |request| sqs.start_message_move_task(request).unwrap_err();
    let arn = |name: &str| format!("arn:aws:sqs:eu-central-1:123456789012:{name}");
    let source = |name: &str| MoveTaskRequest {
        source_arn: arn(name),
        ..request()
    };
    assert_eq!(refused(source("missing")), MoveTaskError::NoSource.into());
    assert_eq!(
        refused(source("jobs")),
        MoveTaskError::NotADeadLetterQueue.into()
    );
    let nowhere = MoveTaskRequest {
        destination_arn: Some(arn("missing")),
        ..request()
    };
    assert_eq!(refused(nowhere), MoveTaskError::NoDestination.into());
    let too_fast = MoveTaskRequest {
        max_messages_per_second: Some(501),
        ..request()
    };
    assert_eq!(refused(too_fast), MoveTaskError::Rate(501).into());
    let cancelled = sqs.cancel_message_move_task("no handle");
    assert_eq!(cancelled, Err(MoveTaskError::NoTask.into()));
}

#[tokio::test(start_paused = true)]
async fn the_last_ten_tasks_are_remembered() {
    let sqs = with_dead_letters(0).await;
    for _ in 0..12 {
        sqs.start_message_move_task(request()).unwrap();
        tokio::time::sleep(SECOND).await;
    }
    let tasks = sqs.message_move_tasks(DEAD, usize::MAX).unwrap();
    assert_eq!(tasks.len(), 10);
    assert!(tasks.is_sorted_by(|a, b| a.started_at > b.started_at));
}
