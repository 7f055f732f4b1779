//! The functions: their settings, their queues and their routes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fanout_local_gateway::{HttpRoute, WebSocketRoutes};
use fanout_local_lambda::event_source::{self, EventSourceMapping, SqsQueue};
use fanout_local_lambda::{FunctionConfig, Lambda};
use fanout_local_sqs::Sqs;
use tracing::error;

use super::programs::{Program, Programs};
use super::{ACCOUNT, Addresses, Part, page, queues, tables};
use crate::cli::{Limit, Options};
use crate::token;

/// Asked before `$connect`, where tokens are asked for.
const AUTHORIZER: &str = "authorizer";

/// The worker on slices is the worker, with another queue and another share.
const SLICE_WORKER: &str = "slice-worker";

/// How many environments serve the gateway at once, for each function.
const FRONT_CONCURRENCY: usize = 8;
const FRONT_TIMEOUT: Duration = Duration::from_secs(29);
const MEMORY_MIB: u32 = 256;

/// What a worker gets where the account has no limit: more than a machine can
/// push.
const UNLIMITED: u32 = 1_000_000;
/// The largest audience that a worker finishes itself.
const LARGEST_SMALL_AUDIENCE: u64 = 1_000;
/// How many slices each worker on slices gets of everyone: few enough that a
/// slice is worth an invocation, and a multiple, so that all of them end
/// together.
const SEGMENTS_EACH: u16 = 4;

/// How long a connection's row outlives the greatest age of its socket.
const ROW_OUTLIVES: Duration = Duration::from_mins(10);
/// The most time that a worker gets to end what it has begun.
const LONGEST_DEADLINE_MARGIN: Duration = Duration::from_secs(6);

/// The names of the functions that there is a use for.
pub(super) fn names(options: &Options) -> impl Iterator<Item = &'static str> {
    let names = fanout_functions::NAMES.into_iter().chain([SLICE_WORKER]);
    names.filter(|name| options.auth || *name != AUTHORIZER)
}

/// Configures all functions.
///
/// # Errors
/// A program that `--functions` should hold is not there.
pub(super) fn configure(
    options: &Options,
    addresses: &Addresses,
    programs: &Programs,
) -> anyhow::Result<Vec<FunctionConfig>> {
    let mut functions = Vec::new();
    for name in names(options) {
        let binary = if name == SLICE_WORKER { "worker" } else { name };
        let Program { path, args, zip: _ } = programs.program(binary)?;
        let mut environment = shared_environment(options, addresses);
        environment.extend(token::environment(options));
        let (timeout, max_concurrency) = match name {
            "worker" => (options.worker_timeout, options.worker_concurrency.into()),
            SLICE_WORKER => (
                options.worker_timeout,
                options.slice_worker_concurrency.into(),
            ),
            _ => (FRONT_TIMEOUT, FRONT_CONCURRENCY),
        };
        if let Some(lane) = Lane::of_function(name) {
            environment.extend(lane.environment(options, addresses));
        }
        environment.extend(options.variables.iter().cloned());
        functions.push(FunctionConfig {
            name: name.to_owned(),
            program: path,
            args,
            environment,
            timeout,
            memory_mib: MEMORY_MIB,
            max_concurrency,
        });
    }
    Ok(functions)
}

/// Lets each lane's queue drive its worker.
///
/// # Errors
/// A queue does not exist.
pub(super) fn map_queues(
    options: &Options,
    lambda: &Lambda,
    sqs: &Sqs,
    part: &mut Part,
) -> anyhow::Result<()> {
    for lane in [Lane::Notifications, Lane::Slices] {
        let mapping = EventSourceMapping {
            function: lane.function().to_owned(),
            queue_arn: sqs.queue_arn(lane.queue())?,
            batch_size: lane.batch_size(),
            batching_window: Duration::ZERO,
            max_concurrency: lane.concurrency(options).into(),
            report_batch_item_failures: true,
        };
        let queue = SqsQueue::new(sqs.clone(), lane.queue());
        let (lambda, shutdown) = (lambda.clone(), part.shutdown.clone());
        part.tasks.spawn(async move {
            if let Err(error) = event_source::run(mapping, lambda, queue, shutdown).await {
                error!(%error, "event-source mapping stopped");
            }
        });
    }
    Ok(())
}

/// The routes of the HTTP API: all of them are the publisher's, which answers
/// unknown ones with a problem document.
pub(super) fn http_routes() -> Vec<HttpRoute> {
    vec![HttpRoute {
        method: None,
        path: "$default".to_owned(),
        function: "publish".to_owned(),
    }]
}

/// The routes of the WebSocket API.
pub(super) fn websocket_routes(options: &Options) -> WebSocketRoutes {
    WebSocketRoutes {
        authorizer: options.auth.then(|| AUTHORIZER.to_owned()),
        connect: Some("connect".to_owned()),
        disconnect: Some("disconnect".to_owned()),
        default: Some("message".to_owned()),
        custom: BTreeMap::new(),
        route_responses: BTreeSet::from(["$default".to_owned()]),
    }
}

/// What the page must know of how the functions are set.
pub(super) fn page_settings(options: &Options) -> page::Settings<'_> {
    let set = |variable: &str, default| {
        let mut variables = options.variables.iter().rev();
        let set = variables.find(|(name, _)| name == variable);
        let set = set.filter(|(_, value)| !value.is_empty());
        set.map_or(default, |(_, value)| value.as_str())
    };
    page::Settings {
        topics_parameter: set("TOPICS_PARAMETER", "topics"),
        event_source: set("EVENT_SOURCE", "/notifications"),
    }
}

/// Work of one kind, with its own queue, workers and share of the quota.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lane {
    Notifications,
    Slices,
}

impl Lane {
    fn of_function(name: &str) -> Option<Self> {
        [Self::Notifications, Self::Slices]
            .into_iter()
            .find(|lane| lane.function() == name)
    }

    fn function(self) -> &'static str {
        match self {
            Self::Notifications => "worker",
            Self::Slices => SLICE_WORKER,
        }
    }

    fn queue(self) -> &'static str {
        match self {
            Self::Notifications => queues::NOTIFICATIONS,
            Self::Slices => queues::SLICES,
        }
    }

    /// Notifications are many and small; a slice is work for a whole
    /// invocation, and two in one would leave another worker idle.
    fn batch_size(self) -> usize {
        match self {
            Self::Notifications => 10,
            Self::Slices => 1,
        }
    }

    fn concurrency(self, options: &Options) -> u16 {
        match self {
            Self::Notifications => options.worker_concurrency,
            Self::Slices => options.slice_worker_concurrency,
        }
    }

    fn percent(self, options: &Options) -> u32 {
        let notifications = u32::from(options.notifications_share);
        match self {
            Self::Notifications => notifications,
            Self::Slices => 100 - notifications,
        }
    }

    /// What a worker of this lane needs beside the tables: its share of the
    /// quota is the lane's, divided by its maximum concurrency.
    fn environment(self, options: &Options, addresses: &Addresses) -> Vec<(String, String)> {
        let of_each = |quota: u32| {
            let lane = u64::from(quota) * u64::from(self.percent(options)) / 100;
            (lane / u64::from(self.concurrency(options))).max(1)
        };
        let (rate, burst) = match options.account_rate {
            Limit::PerSecond(rate) => (of_each(rate.get()), of_each(options.account_burst.get())),
            Limit::Unlimited => (UNLIMITED.into(), UNLIMITED.into()),
        };
        let small_audience = match options.small_audience {
            Some(connections) => connections.into(),
            None => burst.min(LARGEST_SMALL_AUDIENCE),
        };
        let segments = options.slice_worker_concurrency * SEGMENTS_EACH;
        // A push that is in flight when no more are started ends, is written
        // down and what is left enqueued, all within the margin.
        let margin = LONGEST_DEADLINE_MARGIN.min(options.worker_timeout / 2);
        let push_timeout = margin / 3;
        let queue = |name: &str| queue_url(addresses, name);
        [
            ("SLICES_QUEUE_URL", queue(queues::SLICES)),
            ("DEAD_LETTER_QUEUE_URL", queue(queues::DEAD_LETTERS)),
            ("PUSH_RATE_PER_SECOND", rate.to_string()),
            ("PUSH_BURST", burst.to_string()),
            ("DEADLINE_MARGIN_MS", margin.as_millis().to_string()),
            ("PUSH_TIMEOUT_MS", push_timeout.as_millis().to_string()),
            ("SMALL_AUDIENCE", small_audience.to_string()),
            ("SEGMENTS", segments.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }
}

fn shared_environment(options: &Options, addresses: &Addresses) -> BTreeMap<String, String> {
    let Addresses {
        ws,
        dynamodb,
        sqs,
        stage,
        ..
    } = addresses;
    let lifetime = options.max_connection_duration + ROW_OUTLIVES;
    [
        ("AWS_ENDPOINT_URL_DYNAMODB", format!("http://{dynamodb}")),
        ("AWS_ENDPOINT_URL_SQS", format!("http://{sqs}")),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ("RUST_BACKTRACE", "1".to_owned()),
        ("CONNECTIONS_TABLE", tables::CONNECTIONS.to_owned()),
        ("SUBSCRIPTIONS_TABLE", tables::SUBSCRIPTIONS.to_owned()),
        ("NOTIFICATIONS_TABLE", tables::NOTIFICATIONS.to_owned()),
        (
            "NOTIFICATIONS_QUEUE_URL",
            queue_url(addresses, queues::NOTIFICATIONS),
        ),
        ("MANAGEMENT_ENDPOINT", format!("http://{ws}/{stage}")),
        (
            "CONNECTION_LIFETIME_SECONDS",
            lifetime.as_secs().to_string(),
        ),
        ("LOG_LEVEL", function_log(options)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// What the functions log: not once more that authentication is off, where the
/// stack itself has said so.
fn function_log(options: &Options) -> String {
    let Options { auth, log, .. } = options;
    if *auth {
        log.clone()
    } else {
        format!("fanout_functions::settings=error,{log}")
    }
}

/// Where a queue is.
pub(super) fn queue_url(addresses: &Addresses, name: &str) -> String {
    let Addresses { sqs, .. } = addresses;
    format!("http://{sqs}/{ACCOUNT}/{name}")
}
