//! Whether the queues are there, lead to the dead letters, and what waits in
//! them.

use std::time::Duration;

use aws_sdk_sqs::Client;

use super::check::{Check, Finding};
use crate::outputs::Outputs;
use crate::queues::{Queue, QueueError, RedrivePolicy, look};

/// AWS's advice for a queue that a function reads
/// (<https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html>).
const MIN_RECEIVE_COUNT: u32 = 5;
/// Six times the shortest time that a worker sensibly has: AWS's advice is six
/// times the function's timeout, which cannot be seen from here.
const MIN_VISIBILITY: Duration = Duration::from_mins(1);

/// Looks at all three queues.
pub async fn ask(client: &Client, outputs: &Outputs) -> Vec<Check> {
    let dead_letters = seen(client, outputs.dead_letter_queue_url.as_deref()).await;
    let dead_letter_arn = match &dead_letters {
        Some(Ok(queue)) => Some(queue.arn.clone()),
        Some(Err(_)) | None => None,
    };
    let mut checks = Vec::new();
    for (subject, url) in [
        ("queue of notifications", &outputs.notifications_queue_url),
        ("queue of slices", &outputs.slices_queue_url),
    ] {
        let finding = match seen(client, url.as_deref()).await {
            None => Finding::skipped("not given"),
            Some(Err(error)) => unseen(&error),
            Some(Ok(queue)) => judge_lane(&queue, dead_letter_arn.as_deref()),
        };
        checks.push(Check::new(subject, finding));
    }
    let finding = match dead_letters {
        None => Finding::skipped("not given"),
        Some(Err(error)) => unseen(&error),
        Some(Ok(queue)) => judge_dead_letters(&queue),
    };
    checks.push(Check::new("dead letters", finding));
    checks
}

async fn seen(client: &Client, url: Option<&str>) -> Option<Result<Queue, QueueError>> {
    Some(look(client, url?).await)
}

fn unseen(error: &QueueError) -> Finding {
    Finding::fail(
        error.to_string(),
        "is the URL right, and of this Region and account? Without it nothing is pushed",
    )
}

fn judge_lane(queue: &Queue, dead_letter_arn: Option<&str>) -> Finding {
    let Queue {
        depth,
        visibility,
        redrive,
        ..
    } = queue;
    let Some(RedrivePolicy {
        dead_letter_target_arn: target,
        max_receive_count: count,
    }) = redrive
    else {
        return Finding::fail(
            "has no redrive policy: what cannot be read is tried for ever",
            "set one, to the dead-letter queue",
        );
    };
    if dead_letter_arn.is_some_and(|arn| arn != target) {
        return Finding::fail(
            format!("its dead letters go to {target}"),
            "set its redrive policy to the dead-letter queue that the worker has",
        );
    }
    if *count < MIN_RECEIVE_COUNT {
        return Finding::warn(
            format!("a task is given up after {count} receives"),
            format!("set maxReceiveCount to {MIN_RECEIVE_COUNT} or more: throttled polls count"),
        );
    }
    if *visibility < MIN_VISIBILITY {
        return Finding::warn(
            format!("a task is hidden for {} s", visibility.as_secs()),
            "set the visibility timeout to six times the worker's timeout",
        );
    }
    Finding::Ok(depth.to_string())
}

fn judge_dead_letters(queue: &Queue) -> Finding {
    match queue.depth.waiting + queue.depth.in_flight {
        0 => Finding::Ok("none".to_owned()),
        count => Finding::fail(
            format!("{count}: notifications that some did not get"),
            "mend the cause (their ledgers say failed, the worker's log why), then fanout-ops \
             redrive",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::check::tests::check_finding;
    use crate::queues::Depth;

    fn queue(waiting: u64, visibility: u64, redrive: Option<(&str, u32)>) -> Queue {
        Queue {
            arn: "arn:q".to_owned(),
            depth: Depth {
                waiting,
                ..Depth::default()
            },
            visibility: Duration::from_secs(visibility),
            redrive: redrive.map(|(target, count)| RedrivePolicy {
                dead_letter_target_arn: target.to_owned(),
                max_receive_count: count,
            }),
        }
    }

    #[track_caller]
    fn check(visibility: u64, redrive: Option<(&str, u32)>, word: &str, says: &str) {
        let queue = queue(2, visibility, redrive);
        check_finding(judge_lane(&queue, Some("arn:dead")), word, says);
    }

    #[test]
    fn a_lane_leads_to_the_dead_letters() {
        check(180, Some(("arn:dead", 5)), "ok", "2 waiting");
        check(180, None, "FAIL", "no redrive policy");
        check(180, Some(("arn:other", 5)), "FAIL", "go to arn:other");
        check(180, Some(("arn:dead", 1)), "WARN", "after 1 receives");
        check(30, Some(("arn:dead", 5)), "WARN", "hidden for 30 s");
    }

    #[test]
    fn dead_letters_are_to_be_redriven() {
        check_finding(judge_dead_letters(&queue(0, 30, None)), "ok", "none");
        check_finding(
            judge_dead_letters(&queue(3, 30, None)),
            "FAIL",
            "fanout-ops redrive",
        );
    }
}
