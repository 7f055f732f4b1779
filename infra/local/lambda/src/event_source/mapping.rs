//! What a mapping is configured with.

use std::time::Duration;

/// Which queue drives which function, and how.
#[derive(Clone, Debug)]
pub struct EventSourceMapping {
    /// The function's name.
    pub function: String,
    /// The queue's ARN, from which events also have their Region:
    /// `arn:aws:sqs:{region}:{account}:{name}`.
    pub queue_arn: String,
    /// The most messages in one event: 1 to 10,000, on AWS 10 if not set.
    pub batch_size: usize,
    /// How long a batch that is not full waits for more messages: up to 300 s,
    /// and at least 1 s where it may have more than 10.
    pub batching_window: Duration,
    /// `MaximumConcurrency`: how many batches are processed at once. 2 to 1,000
    /// on AWS; 1 is allowed here.
    pub max_concurrency: usize,
    /// `ReportBatchItemFailures`: the function's answer names the messages
    /// that failed. Otherwise any answer means that all succeeded.
    pub report_batch_item_failures: bool,
}

/// Why a mapping is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// The ARN is not one of a queue.
    #[error("invalid queue ARN: expected arn:aws:sqs:REGION:ACCOUNT:NAME, got {0:?}")]
    QueueArn(String),
    /// The batch size is out of range.
    #[error("invalid batch size: expected 1 to 10000, got {0}")]
    BatchSize(usize),
    /// The window is longer than 300 seconds.
    #[error("invalid batching window: expected at most 300 s, got {0:?}")]
    BatchingWindow(Duration),
    /// A batch of more than 10 messages has no time to be collected.
    #[error("a batch size of {0} needs a batching window of at least 1 s")]
    NoBatchingWindow(usize),
    /// The concurrency is out of range.
    #[error("invalid maximum concurrency: expected 1 to 1000, got {0}")]
    MaxConcurrency(usize),
}

impl EventSourceMapping {
    /// Checks what `CreateEventSourceMapping` would check.
    ///
    /// Source: <https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html>
    pub(super) fn validate(&self) -> Result<(), MappingError> {
        if self.region().is_none() {
            return Err(MappingError::QueueArn(self.queue_arn.clone()));
        }
        if !(1..=10_000).contains(&self.batch_size) {
            return Err(MappingError::BatchSize(self.batch_size));
        }
        if self.batching_window > Duration::from_mins(5) {
            return Err(MappingError::BatchingWindow(self.batching_window));
        }
        if self.batch_size > 10 && self.batching_window < Duration::from_secs(1) {
            return Err(MappingError::NoBatchingWindow(self.batch_size));
        }
        if !(1..=1_000).contains(&self.max_concurrency) {
            return Err(MappingError::MaxConcurrency(self.max_concurrency));
        }
        Ok(())
    }

    /// The queue's Region, if the ARN is one of a queue.
    pub(super) fn region(&self) -> Option<&str> {
        let mut parts = self.queue_arn.strip_prefix("arn:aws:sqs:")?.split(':');
        let (region, _account, _name) = (parts.next()?, parts.next()?, parts.next()?);
        parts.next().is_none().then_some(region)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_that_lambda_would_refuse_are_refused() {
        let sound = EventSourceMapping {
            function: "worker".to_owned(),
            queue_arn: "arn:aws:sqs:us-east-1:000000000000:notifications".to_owned(),
            batch_size: 10,
            batching_window: Duration::ZERO,
            max_concurrency: 2,
            report_batch_item_failures: true,
        };
        assert_eq!(sound.validate(), Ok(()));
        assert_eq!(sound.region(), Some("us-east-1"));

        let check = |change: fn(&mut EventSourceMapping), error| {
            let mut mapping = sound.clone();
            change(&mut mapping);
            assert_eq!(mapping.validate(), Err(error));
        };
        check(
            |m| m.queue_arn = "notifications".to_owned(),
            MappingError::QueueArn("notifications".to_owned()),
        );
        check(|m| m.batch_size = 0, MappingError::BatchSize(0));
        check(|m| m.batch_size = 100, MappingError::NoBatchingWindow(100));
        check(
            |m| m.batching_window = Duration::from_secs(301),
            MappingError::BatchingWindow(Duration::from_secs(301)),
        );
        check(|m| m.max_concurrency = 0, MappingError::MaxConcurrency(0));
    }
}
