//! The queues of the two lanes and their dead letters.

use std::time::Duration;

use fanout_local_sqs::Sqs;
use fanout_local_sqs::service::{Error, QueueAttributes, RedrivePolicy};
use tokio::net::TcpListener;
use tracing::error;

use super::Part;

pub(super) const NOTIFICATIONS: &str = "notifications";
pub(super) const SLICES: &str = "slices";
pub(super) const DEAD_LETTERS: &str = "dead-letters";

/// AWS's advice for a queue that a function reads is at least five
/// (<https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html>).
const MAX_RECEIVE_COUNT: u32 = 5;
const DEAD_LETTERS_KEPT: Duration = Duration::from_hours(14 * 24);

pub(super) fn create(sqs: &Sqs, visibility_timeout: Duration) -> Result<(), Error> {
    let dead_letters = QueueAttributes {
        retention: DEAD_LETTERS_KEPT,
        ..QueueAttributes::default()
    };
    sqs.create_queue(DEAD_LETTERS, dead_letters)?;
    for lane in [NOTIFICATIONS, SLICES] {
        let attributes = QueueAttributes {
            visibility_timeout,
            redrive: Some(RedrivePolicy {
                dead_letter_queue: DEAD_LETTERS.to_owned(),
                max_receive_count: MAX_RECEIVE_COUNT,
            }),
            ..QueueAttributes::default()
        };
        sqs.create_queue(lane, attributes)?;
    }
    Ok(())
}

/// Serves SQS's API on `listener`.
pub(super) fn serve(listener: TcpListener, sqs: Sqs, part: &mut Part) {
    let shutdown = part.shutdown.clone();
    part.tasks.spawn(async move {
        if let Err(error) = fanout_local_sqs::wire::serve(listener, sqs, shutdown).await {
            error!(%error, "SQS stopped");
        }
    });
}
