//! The running mapping: collects batches, has them processed, settles them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::batch::{Batch, Collected, Received};
use super::response::failed_messages;
use super::{EventSourceMapping, Invoker, MessageSource};
use crate::error::InvokeError;

/// The longest that SQS lets a receive wait.
const LONG_POLL: Duration = Duration::from_secs(20);

/// The most messages that SQS hands out at once.
const MAX_RECEIVE: usize = 10;

/// How long a queue that cannot be read is left alone.
const RECEIVE_BACKOFF: Duration = Duration::from_secs(1);

/// How long a throttled batch waits: doubled each time, within these bounds.
const THROTTLE_BACKOFF: Duration = Duration::from_millis(100);
const MAX_THROTTLE_BACKOFF: Duration = Duration::from_secs(5);

pub(super) struct Poller<I, S> {
    pub(super) mapping: EventSourceMapping,
    pub(super) invoker: I,
    pub(super) source: S,
    /// Of this mapping alone: it ends by itself where its host does.
    pub(super) shutdown: CancellationToken,
}

/// Why a batch has no answer.
enum NotProcessed {
    /// No function will see it to its end: the messages are given back.
    Unseen(InvokeError),
    /// The invocation failed: the messages come back after their visibility
    /// timeout.
    Failed(InvokeError),
}

impl<I: Invoker, S: MessageSource> Poller<I, S> {
    /// One loop polls, however many batches are being processed: a message is
    /// received only once there is a place for it, so that its visibility
    /// timeout does not run out while it waits.
    pub(super) async fn run(self: Arc<Self>) {
        let places = Arc::new(Semaphore::new(self.mapping.max_concurrency));
        let mut processing = JoinSet::new();
        // Received, but too large for the batch before.
        let mut carried = VecDeque::new();
        loop {
            let place = tokio::select! {
                biased;
                () = self.shutdown.cancelled() => break,
                Ok(place) = Arc::clone(&places).acquire_owned() => place,
            };
            let Some(batch) = self.collect(&mut carried).await else {
                break;
            };
            while processing.try_join_next().is_some() {}
            processing.spawn(Arc::clone(&self).process(batch, place));
        }
        let carried = carried.into_iter();
        let handles = carried.map(|received: Received| received.message.receipt_handle);
        self.give_back(handles.collect()).await;
        while processing.join_next().await.is_some() {}
    }

    /// Collects a batch: until it is full, or its window has passed since its
    /// first message. `None`: the mapping shuts down.
    async fn collect(&self, carried: &mut VecDeque<Received>) -> Option<Collected> {
        let mut batch = Batch::new(self.mapping.batch_size);
        let mut window_end = None;
        loop {
            while let Some(received) = carried.pop_front() {
                if let Some(received) = batch.push(&self.mapping, received) {
                    carried.push_front(received);
                    return batch.close();
                }
            }
            let wait = if batch.is_empty() {
                LONG_POLL
            } else {
                let window = self.mapping.batching_window;
                let end = *window_end.get_or_insert_with(|| Instant::now() + window);
                end.saturating_duration_since(Instant::now()).min(LONG_POLL)
            };
            if batch.room() == 0 || wait.is_zero() {
                return batch.close();
            }
            let max = batch.room().min(MAX_RECEIVE);
            let received = tokio::select! {
                biased;
                () = self.shutdown.cancelled() => None,
                received = self.source.receive(max, wait) => Some(received),
            };
            match received {
                Some(Ok(messages)) => {
                    let at = Instant::now();
                    carried.extend(messages.into_iter().map(|message| Received { message, at }));
                }
                Some(Err(error)) => {
                    tracing::warn!(queue = self.mapping.queue_arn, %error, "cannot receive messages");
                    self.pause(RECEIVE_BACKOFF).await;
                }
                None => {
                    if let Some(batch) = batch.close() {
                        self.give_back(batch.receipt_handles()).await;
                    }
                    return None;
                }
            }
        }
    }

    async fn process(self: Arc<Self>, batch: Collected, _place: OwnedSemaphorePermit) {
        match self.invoke(&batch).await {
            Ok(answer) => self.settle(batch, &answer).await,
            Err(NotProcessed::Unseen(error)) => {
                self.report_failure(&batch, &error);
                self.give_back(batch.receipt_handles()).await;
            }
            Err(NotProcessed::Failed(error)) => self.report_failure(&batch, &error),
        }
    }

    /// Invokes the function, waiting while it is throttled for as long as the
    /// messages are this mapping's own.
    async fn invoke(&self, batch: &Collected) -> Result<Bytes, NotProcessed> {
        let visible_at = batch.received_at + self.source.visibility_timeout();
        let mut backoff = THROTTLE_BACKOFF;
        loop {
            let answer = self
                .invoker
                .invoke(&self.mapping.function, batch.event.clone());
            match answer.await {
                Ok(answer) => return Ok(answer),
                Err(InvokeError::Throttled) if Instant::now() + backoff >= visible_at => {
                    return Err(NotProcessed::Failed(InvokeError::Throttled));
                }
                Err(InvokeError::Throttled) if self.shutdown.is_cancelled() => {
                    return Err(NotProcessed::Unseen(InvokeError::Throttled));
                }
                Err(InvokeError::Throttled) => {
                    self.pause(backoff).await;
                    backoff = (backoff * 2).min(MAX_THROTTLE_BACKOFF);
                }
                Err(InvokeError::ShuttingDown) => {
                    self.shutdown.cancel();
                    return Err(NotProcessed::Unseen(InvokeError::ShuttingDown));
                }
                Err(error) => return Err(NotProcessed::Failed(error)),
            }
        }
    }

    /// Deletes the messages that succeeded. The others stay invisible until
    /// their visibility timeout has passed.
    async fn settle(&self, batch: Collected, answer: &[u8]) {
        let mut messages = batch.messages;
        if self.mapping.report_batch_item_failures {
            match failed_messages(answer, &messages) {
                Ok(failed) if failed.is_empty() => {}
                Ok(failed) => {
                    tracing::debug!(
                        function = self.mapping.function,
                        messages = messages.len(),
                        failed = failed.len(),
                        "messages of a batch failed"
                    );
                    messages.retain(|message| !failed.contains(&message.message_id));
                }
                Err(error) => {
                    tracing::warn!(
                        function = self.mapping.function,
                        messages = messages.len(),
                        %error,
                        "batch failed"
                    );
                    return;
                }
            }
        }
        let handles: Vec<_> = messages
            .into_iter()
            .map(|message| message.receipt_handle)
            .collect();
        if handles.is_empty() {
            return;
        }
        if let Err(error) = self.source.delete(handles).await {
            tracing::warn!(queue = self.mapping.queue_arn, %error, "cannot delete messages");
        }
    }

    async fn give_back(&self, receipt_handles: Vec<String>) {
        if receipt_handles.is_empty() {
            return;
        }
        // They come back by themselves, if later.
        if let Err(error) = self.source.give_back(receipt_handles).await {
            tracing::warn!(queue = self.mapping.queue_arn, %error, "cannot give messages back");
        }
    }

    async fn pause(&self, duration: Duration) {
        tokio::select! {
            () = self.shutdown.cancelled() => {}
            () = sleep(duration) => {}
        }
    }

    fn report_failure(&self, batch: &Collected, error: &InvokeError) {
        tracing::warn!(
            function = self.mapping.function,
            messages = batch.messages.len(),
            %error,
            "batch failed"
        );
    }
}
