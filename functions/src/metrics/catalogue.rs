//! The metrics that there are. `api/metrics.json` says the same to whoever
//! draws them or raises alarms, and a test holds it to this.

/// A metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Metric {
    /// Notifications that were recorded and enqueued.
    NotificationsAccepted,
    /// Notifications that were answered 4xx.
    NotificationsRefused,
    /// Notifications that could not be taken.
    PublishesUnavailable,
    /// Connections that were stored.
    ConnectionsOpened,
    /// Connections that were refused.
    ConnectionsRefused,
    /// Handshakes that the authorizer could not decide.
    AuthorizerFailed,
    /// Connections that were closed.
    ConnectionsClosed,
    /// Attempts to push.
    Pushes,
    /// Attempts that the gateway accepted.
    PushesAccepted,
    /// Attempts that were throttled.
    PushesThrottled,
    /// Attempts that failed and may have arrived.
    PushesTransient,
    /// Attempts that were refused.
    PushesRefused,
    /// How long attempts took.
    PushLatency,
    /// Attempts that found the connection gone.
    ConnectionsGone,
    /// Deliveries settled as accepted.
    DeliveriesAccepted,
    /// Deliveries settled as failed.
    DeliveriesFailed,
    /// Deliveries settled as expired.
    DeliveriesExpired,
    /// Deliveries settled as cancelled.
    DeliveriesCancelled,
    /// Deliveries that went back to a queue.
    DeliveriesPending,
    /// How old notifications were when pushes of them were accepted.
    AcceptedAge,
    /// How old a notification is that is not finished.
    UnfinishedAge,
    /// Tasks that went to the dead-letter queue.
    TasksDeadLettered,
    /// Tasks that failed.
    TasksFailed,
}

/// A metric's unit, one of CloudWatch's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A number of things.
    Count,
    /// A span of time.
    Milliseconds,
    /// A long span of time.
    Seconds,
}

impl Unit {
    /// Returns the name that CloudWatch knows
    /// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html>).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Milliseconds => "Milliseconds",
            Self::Seconds => "Seconds",
        }
    }
}

impl Metric {
    /// All of them, in the order of a notification's way.
    pub const ALL: [Self; 23] = [
        Self::NotificationsAccepted,
        Self::NotificationsRefused,
        Self::PublishesUnavailable,
        Self::ConnectionsOpened,
        Self::ConnectionsRefused,
        Self::AuthorizerFailed,
        Self::ConnectionsClosed,
        Self::Pushes,
        Self::PushesAccepted,
        Self::PushesThrottled,
        Self::PushesTransient,
        Self::PushesRefused,
        Self::PushLatency,
        Self::ConnectionsGone,
        Self::DeliveriesAccepted,
        Self::DeliveriesFailed,
        Self::DeliveriesExpired,
        Self::DeliveriesCancelled,
        Self::DeliveriesPending,
        Self::AcceptedAge,
        Self::UnfinishedAge,
        Self::TasksDeadLettered,
        Self::TasksFailed,
    ];

    /// Returns its name in CloudWatch.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NotificationsAccepted => "NotificationsAccepted",
            Self::NotificationsRefused => "NotificationsRefused",
            Self::PublishesUnavailable => "PublishesUnavailable",
            Self::ConnectionsOpened => "ConnectionsOpened",
            Self::ConnectionsRefused => "ConnectionsRefused",
            Self::AuthorizerFailed => "AuthorizerFailed",
            Self::ConnectionsClosed => "ConnectionsClosed",
            Self::Pushes => "Pushes",
            Self::PushesAccepted => "PushesAccepted",
            Self::PushesThrottled => "PushesThrottled",
            Self::PushesTransient => "PushesTransient",
            Self::PushesRefused => "PushesRefused",
            Self::PushLatency => "PushLatency",
            Self::ConnectionsGone => "ConnectionsGone",
            Self::DeliveriesAccepted => "DeliveriesAccepted",
            Self::DeliveriesFailed => "DeliveriesFailed",
            Self::DeliveriesExpired => "DeliveriesExpired",
            Self::DeliveriesCancelled => "DeliveriesCancelled",
            Self::DeliveriesPending => "DeliveriesPending",
            Self::AcceptedAge => "AcceptedAge",
            Self::UnfinishedAge => "UnfinishedAge",
            Self::TasksDeadLettered => "TasksDeadLettered",
            Self::TasksFailed => "TasksFailed",
        }
    }

    /// Returns its unit.
    #[must_use]
    pub fn unit(self) -> Unit {
        match self {
            Self::PushLatency | Self::AcceptedAge => Unit::Milliseconds,
            Self::UnfinishedAge => Unit::Seconds,
            Self::NotificationsAccepted
            | Self::NotificationsRefused
            | Self::PublishesUnavailable
            | Self::ConnectionsOpened
            | Self::ConnectionsRefused
            | Self::AuthorizerFailed
            | Self::ConnectionsClosed
            | Self::Pushes
            | Self::PushesAccepted
            | Self::PushesThrottled
            | Self::PushesTransient
            | Self::PushesRefused
            | Self::ConnectionsGone
            | Self::DeliveriesAccepted
            | Self::DeliveriesFailed
            | Self::DeliveriesExpired
            | Self::DeliveriesCancelled
            | Self::DeliveriesPending
            | Self::TasksDeadLettered
            | Self::TasksFailed => Unit::Count,
        }
    }

    /// Returns the functions that write it.
    #[must_use]
    pub fn functions(self) -> &'static [&'static str] {
        match self {
            Self::NotificationsAccepted | Self::PublishesUnavailable => &["publish", "message"],
            Self::NotificationsRefused => &["publish"],
            Self::ConnectionsOpened => &["connect"],
            Self::ConnectionsRefused => &["connect", "authorizer"],
            Self::AuthorizerFailed => &["authorizer"],
            Self::ConnectionsClosed => &["disconnect"],
            Self::Pushes
            | Self::PushesAccepted
            | Self::PushesThrottled
            | Self::PushesTransient
            | Self::PushesRefused
            | Self::PushLatency
            | Self::ConnectionsGone
            | Self::DeliveriesAccepted
            | Self::DeliveriesFailed
            | Self::DeliveriesExpired
            | Self::DeliveriesCancelled
            | Self::DeliveriesPending
            | Self::AcceptedAge
            | Self::UnfinishedAge
            | Self::TasksDeadLettered
            | Self::TasksFailed => &["worker"],
        }
    }

    /// Says what it is, for a dashboard or a table.
    #[must_use]
    pub fn description(self) -> &'static str {
        match self {
            Self::NotificationsAccepted => {
                "notifications recorded and enqueued; the same request made again does not count"
            }
            Self::NotificationsRefused => "notifications answered 4xx, each of a batch by itself",
            Self::PublishesUnavailable => {
                "notifications answered 5xx, and messages that could not be sent"
            }
            Self::ConnectionsOpened => "connections stored, before their sockets open",
            Self::ConnectionsRefused => "connections refused: no valid token, or wrong topics",
            Self::AuthorizerFailed => {
                "handshakes that were refused though the bearer may be right: the keys could not \
                 be had, or the event was not one"
            }
            Self::ConnectionsClosed => "connections deleted when their sockets closed",
            Self::Pushes => "PostToConnection requests",
            Self::PushesAccepted => "requests that the gateway accepted",
            Self::PushesThrottled => "requests answered 429; they are made again",
            Self::PushesTransient => {
                "requests that timed out, were cut off or answered 5xx; they are made again"
            }
            Self::PushesRefused => "requests answered 403, 413 or alike, which would fail again",
            Self::PushLatency => {
                "how long PostToConnection requests took: at most a hundred values a task, the \
                 longest among them"
            }
            Self::ConnectionsGone => {
                "requests answered 410: rows deleted, unless the connection is in its handshake"
            }
            Self::DeliveriesAccepted => {
                "connections settled as accepted; what a worker had settled that was killed, or \
                 lost its part, is in the ledger alone"
            }
            Self::DeliveriesFailed => {
                "connections settled as failed; those of a dead letter each time it becomes one"
            }
            Self::DeliveriesExpired => "connections settled as expired",
            Self::DeliveriesCancelled => "connections settled as cancelled",
            Self::DeliveriesPending => {
                "connections that were read from the audience and went back to a queue"
            }
            Self::AcceptedAge => {
                "how old a notification was when the gateway accepted a push of it: at most a \
                 hundred values a task, the longest among them"
            }
            Self::UnfinishedAge => {
                "how old a notification is of which a part went back to a queue, was held by \
                 another worker, or failed: its ledger does not close yet"
            }
            Self::TasksDeadLettered => "tasks whose attempts are used up, until they are redriven",
            Self::TasksFailed => {
                "tasks that failed or panicked and are delivered again; not those that another \
                 worker holds"
            }
        }
    }
}
