//! What is kept of one request beside its answer.

use std::cell::Cell;

use fanout_core::notification::NotificationId;
use fanout_core::publish::Accepted;
use fanout_core::trace::TraceHeader;

use crate::metrics::{Line, Metric};

/// The trace of a request, and what became of the notifications in it.
#[derive(Debug, Default)]
pub(super) struct Call {
    trace: Option<TraceHeader>,
    is_publishing: Cell<bool>,
    accepted: Cell<u64>,
    refused: Cell<u64>,
    unavailable: Cell<u64>,
    last_accepted: Cell<Option<NotificationId>>,
}

impl Call {
    pub(super) fn new(trace: Option<TraceHeader>) -> Self {
        Self {
            trace,
            ..Self::default()
        }
    }

    pub(super) fn trace(&self) -> Option<TraceHeader> {
        self.trace
    }

    /// Notes that there are notifications in the request.
    pub(super) fn note_publishing(&self) {
        self.is_publishing.set(true);
    }

    /// Counts a notification, unless the same request had enqueued it before.
    pub(super) fn note_accepted(&self, accepted: &Accepted) {
        if accepted.is_enqueued_now {
            self.accepted.update(|count| count + 1);
            self.last_accepted.set(Some(accepted.id));
        }
    }

    /// Counts a notification that was not accepted, by the status that it was
    /// answered with.
    pub(super) fn note_status(&self, status: i64) {
        match status {
            400..=499 => self.refused.update(|count| count + 1),
            500..=599 => self.unavailable.update(|count| count + 1),
            _ => {}
        }
    }

    /// Writes what was counted, the request itself by its `status`; nothing of
    /// what did not happen. The results of a batch were counted each by itself.
    pub(super) fn end(&self, status: i64) -> Line {
        if self.is_publishing.get() {
            self.note_status(status);
        }
        let mut line = Line::default();
        for (metric, count) in [
            (Metric::NotificationsAccepted, &self.accepted),
            (Metric::NotificationsRefused, &self.refused),
            (Metric::PublishesUnavailable, &self.unavailable),
        ] {
            if count.get() > 0 {
                line.count(metric, count.get());
            }
        }
        let only = self
            .last_accepted
            .get()
            .filter(|_| self.accepted.get() == 1);
        if let Some(id) = only {
            line.field("notification_id", &id);
        }
        if let Some(trace) = self.trace {
            line.field("trace_id", &trace.root());
        }
        line
    }
}
