//! What a month costs, term by term: each a formula over the workload, the
//! [`prices`](super::prices) and the [assumptions](Assumptions).

use std::time::Duration;

use serde::Serialize;

use super::prices::{
    CONNECTION_LIFETIME_SECONDS, CONNECTION_MINUTE, GB_SECOND, HTTP_REQUEST, INVOCATION, MESSAGE,
    MESSAGE_UNIT_BYTES, QUEUE_REQUEST, QUEUE_UNIT_BYTES, READ_UNIT, READ_UNIT_BYTES, TRANSFER_GB,
    WRITE_UNIT, WRITE_UNIT_BYTES,
};

/// What is asked of the system, day after day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Workload {
    /// Subscribers.
    pub connections: u64,
    /// How many hours a day each of them is connected, up to 24.
    pub hours_connected: f64,
    /// Topics that each of them names.
    pub topics: u64,
    /// How often a connection sends a ping to stay open; zero for never.
    pub keepalive: Duration,
    /// Notifications to everyone in a day.
    pub publishes_per_day: f64,
    /// The bytes of a frame.
    pub payload_bytes: u64,
    /// How long one broadcast takes.
    pub broadcast: Duration,
}

/// What the formulas take for granted about this product and its set-up.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Assumptions {
    /// Days in a month.
    pub days: f64,
    /// A row of the connections table, in bytes.
    pub connection_row_bytes: u64,
    /// What a notification's row holds beside the frame, in bytes.
    pub notification_row_bytes: u64,
    /// The largest audience that is not cut into slices.
    pub small_audience: u64,
    /// Slices of a large audience.
    pub slices: u64,
    /// Workers at the slices at once.
    pub slice_workers: u64,
    /// A worker's memory, in GB.
    pub worker_gb: f64,
    /// What a worker takes beside pushing, for each task, in seconds.
    pub task_seconds: f64,
    /// The memory of every other function, in GB.
    pub handler_gb: f64,
    /// How long every other function takes, in seconds.
    pub handler_seconds: f64,
    /// How often each running slice writes its progress, in a second.
    pub checkpoints_per_second: f64,
    /// Requests with which Lambda polls the two idle queues in a day: five
    /// pollers each, a long poll of 20 s each.
    pub polls_per_day: f64,
}

impl Default for Assumptions {
    /// The defaults of this product's settings.
    fn default() -> Self {
        Self {
            days: 30.0,
            connection_row_bytes: 100,
            notification_row_bytes: 256,
            small_audience: 1_000,
            slices: 8,
            slice_workers: 2,
            worker_gb: 1.0,
            task_seconds: 0.1,
            handler_gb: 0.25,
            handler_seconds: 0.02,
            checkpoints_per_second: 1.0,
            polls_per_day: 2.0 * 5.0 * 86_400.0 / 20.0,
        }
    }
}

/// One term of a month's cost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Term {
    /// What is paid for.
    pub name: &'static str,
    /// Whether each notification adds to it.
    pub is_per_notification: bool,
    /// US dollars a month.
    pub usd: f64,
}

/// A month, term by term.
#[must_use]
pub fn terms(workload: &Workload, assumed: &Assumptions) -> [Term; 10] {
    let month = Month { workload, assumed };
    let each = |name, usd| Term {
        name,
        is_per_notification: true,
        usd,
    };
    let standing = |name, usd| Term {
        name,
        is_per_notification: false,
        usd,
    };
    [
        each("pushes", month.pushes()),
        standing("connection minutes", month.connection_minutes()),
        standing("keep-alives", month.keepalives()),
        standing("connects and disconnects", month.connects()),
        each("reading the audience", month.scans()),
        each("queues", month.queues()),
        standing("polling idle queues", month.polls()),
        each("ledger", month.ledger()),
        each("publishing and workers", month.functions()),
        each("data transfer out", month.transfer()),
    ]
}

/// The share of the connection's life that a day of `hours` takes, as a number
/// of connects: API Gateway closes each connection after two hours.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a constant far below 2^52")]
pub fn connects_per_day(hours: f64) -> f64 {
    (hours * 3_600.0 / CONNECTION_LIFETIME_SECONDS as f64).ceil()
}

struct Month<'a> {
    workload: &'a Workload,
    assumed: &'a Assumptions,
}

impl Month<'_> {
    fn publishes(&self) -> f64 {
        self.workload.publishes_per_day * self.assumed.days
    }

    fn connections(&self) -> f64 {
        number(self.workload.connections)
    }

    fn is_cut(&self) -> bool {
        self.workload.connections > self.assumed.small_audience
    }

    /// The notification's own task, and those of its slices.
    fn tasks(&self) -> f64 {
        number(if self.is_cut() {
            1 + self.assumed.slices
        } else {
            1
        })
    }

    /// One message to each connection for each 32 KB of the frame.
    fn pushes(&self) -> f64 {
        let units = units(self.workload.payload_bytes, MESSAGE_UNIT_BYTES);
        self.publishes() * self.connections() * units * MESSAGE.usd
    }

    fn connection_minutes(&self) -> f64 {
        let minutes = self.workload.hours_connected * 60.0 * self.assumed.days;
        self.connections() * minutes * CONNECTION_MINUTE.usd
    }

    /// The ping, the pong, and the function between them.
    fn keepalives(&self) -> f64 {
        let pings = self.pings_per_day() * self.connections() * self.assumed.days;
        pings * (2.0 * MESSAGE.usd + self.handler())
    }

    fn pings_per_day(&self) -> f64 {
        let keepalive = self.workload.keepalive.as_secs_f64();
        if keepalive > 0.0 {
            (self.workload.hours_connected * 3_600.0 / keepalive).floor()
        } else {
            0.0
        }
    }

    /// Each time two functions, two writes for the connection and for each of
    /// its topics, and a read of what is to be deleted.
    fn connects(&self) -> f64 {
        let connects = connects_per_day(self.workload.hours_connected);
        let writes = 2.0 * (1.0 + number(self.workload.topics));
        let each = 2.0 * self.handler() + writes * WRITE_UNIT.usd + READ_UNIT.usd;
        connects * self.connections() * self.assumed.days * each
    }

    /// The whole table, strongly consistent.
    fn scans(&self) -> f64 {
        let bytes = self.workload.connections * self.assumed.connection_row_bytes;
        self.publishes() * units(bytes, READ_UNIT_BYTES) * READ_UNIT.usd
    }

    /// Each task is sent, received and deleted.
    fn queues(&self) -> f64 {
        let units = units(self.workload.payload_bytes, QUEUE_UNIT_BYTES);
        let requests = self.tasks() * (2.0 * units + 1.0);
        self.publishes() * requests * QUEUE_REQUEST.usd
    }

    fn polls(&self) -> f64 {
        self.assumed.polls_per_day * self.assumed.days * QUEUE_REQUEST.usd
    }

    /// The notification itself; for each task a lease and a last word, for the
    /// first of a cut audience one more; and checkpoints while pushing.
    fn ledger(&self) -> f64 {
        let row = self.workload.payload_bytes + self.assumed.notification_row_bytes;
        let of_tasks = 2.0 * self.tasks() + if self.is_cut() { 1.0 } else { 0.0 };
        let checkpoints =
            (self.workload.broadcast.as_secs_f64() * self.assumed.checkpoints_per_second).floor()
                * self.workers();
        let writes = units(row, WRITE_UNIT_BYTES) + of_tasks + checkpoints;
        self.publishes() * writes * WRITE_UNIT.usd
    }

    fn workers(&self) -> f64 {
        number(if self.is_cut() {
            self.assumed.slice_workers
        } else {
            1
        })
    }

    /// The request, its function, and the workers for as long as they push.
    fn functions(&self) -> f64 {
        let seconds = self.workers() * self.workload.broadcast.as_secs_f64()
            + self.tasks() * self.assumed.task_seconds;
        let pushing =
            self.tasks() * INVOCATION.usd + seconds * self.assumed.worker_gb * GB_SECOND.usd;
        self.publishes() * (HTTP_REQUEST.usd + self.handler() + pushing)
    }

    fn transfer(&self) -> f64 {
        const GB: f64 = 1e9;
        let bytes = self.connections() * number(self.workload.payload_bytes);
        self.publishes() * bytes / GB * TRANSFER_GB.usd
    }

    /// One run of a function other than the worker.
    fn handler(&self) -> f64 {
        INVOCATION.usd + self.assumed.handler_gb * self.assumed.handler_seconds * GB_SECOND.usd
    }
}

/// How many units so many bytes are charged as: at least one.
fn units(bytes: u64, unit: u64) -> f64 {
    number(bytes.div_ceil(unit).max(1))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "an estimate; the figures stay far below 2^52"
)]
fn number(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests;
