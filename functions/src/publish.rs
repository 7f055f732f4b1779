//! The HTTP API: accepts notifications and shows their ledger; looks at
//! connections and topics.

mod answer;
mod call;
mod caller;
mod connections;
mod cors;
mod received;
mod routes;

use std::time::Duration;

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use fanout_core::audience::Listeners;
use fanout_core::aws::{self, dynamodb::Store, management_api::ManagementApi};
use fanout_core::clock::Clock;
use fanout_core::idempotency::IdempotencyKey;
use fanout_core::ledger::Standing;
use fanout_core::notification::{Draft, NotificationId};
use fanout_core::notifications::Notifications;
use fanout_core::problem::Problem;
use fanout_core::publish::{
    Accepted, PublishError, Publisher, parse_batch, parse_binary_event, parse_event,
    parse_notification, parse_order,
};
use fanout_core::queue::TaskQueue;
use fanout_core::socket::Sockets;
use fanout_core::store::{Forget, Registry};
use fanout_core::topic::{Topic, TopicError};
use fanout_core::trace::TraceHeader;
use futures::stream::{self, StreamExt as _};
use http::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use lambda_runtime::Error;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{error, info};

use self::answer::Response;
use self::call::Call;
pub use self::caller::{Caller, Callers};
pub use self::cors::Origins;
use self::received::Kind;
use self::routes::Route;
use crate::metrics::Metrics;
use crate::{runtime, settings};

type Request = ApiGatewayV2httpRequest;

/// How long a call about one connection may take.
const SOCKET_TIMEOUT: Duration = Duration::from_secs(3);
/// How many notifications of a batch are published at once.
const PUBLISHED_AT_ONCE: usize = 16;
/// How long an answer may take. An HTTP API waits for 30 seconds, and tells its
/// caller nothing then
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>).
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// For how long notifications of a batch are begun: those that are have the time
/// to end, and the answer says of all what became of them.
const BEGIN_ITEMS_WITHIN: Duration = Duration::from_secs(12);
/// When those that are begun are given up.
const END_ITEMS_WITHIN: Duration = Duration::from_secs(18);

const NOT_BEGUN: &str = "not begun: the others of the batch took all the time";
const GIVEN_UP: &str = "given up: it took too long, and may have been published; made again \
     under its Idempotency-Key, where it has one, the batch is published once";

/// Handles the HTTP API's requests.
#[derive(Clone, Debug)]
pub struct Publish<S, Q, K> {
    /// Where notifications and connections are stored.
    pub store: S,
    /// Accepts notifications.
    pub publisher: Publisher<S, Q>,
    /// The gateway's view of connections.
    pub sockets: K,
    /// Who may call.
    pub callers: Callers,
    /// Which pages may call from other origins.
    pub origins: Option<Origins>,
    /// Where it is told.
    pub metrics: Metrics,
}

impl<S, Q, K> Publish<S, Q, K>
where
    S: Notifications + Registry + Forget + Listeners,
    Q: TaskQueue,
    K: Sockets,
{
    /// Handles a request, which belongs to a trace; whatever is wrong with it
    /// becomes a problem document.
    pub async fn handle(&self, request: &Request, trace: Option<TraceHeader>) -> Response {
        let call = Call::new(trace);
        let method = &request.request_context.http.method;
        let origins = self.origins.as_ref();
        let preflight = origins.and_then(|_| cors::preflight(method, &request.headers));
        let mut response = match preflight {
            Some(preflight) => preflight,
            None => self
                .answer_in_time(request, &call)
                .await
                .unwrap_or_else(|problem| {
                    let Problem { code, status, .. } = problem;
                    info!(code, status, "request refused");
                    answer::problem(&problem)
                }),
        };
        if let Some(origins) = origins {
            origins.allow(&request.headers, &mut response);
        }
        self.metrics.write(call.end(response.status_code));
        response
    }

    async fn answer_in_time(&self, request: &Request, call: &Call) -> Result<Response, Problem> {
        let answer = timeout(ANSWER_WITHIN, self.answer(request, call)).await;
        answer.unwrap_or_else(|_| {
            error!(?ANSWER_WITHIN, "request was not answered in time");
            Err(Problem::unavailable(
                "the request took too long and was given up; what it asked for may have been done",
            ))
        })
    }

    async fn answer(&self, request: &Request, call: &Call) -> Result<Response, Problem> {
        let received_at = Instant::now();
        let method = &request.request_context.http.method;
        let path = request.raw_path.as_deref().unwrap_or("/");
        let route = routes::find(method, path)?;
        if matches!(route, Route::Order | Route::Notify | Route::NotifyMany) {
            call.note_publishing();
        }
        let caller = self.callers.identify(request).await?;
        match route {
            Route::Order => self.publish(request, &caller, call, order).await,
            Route::Notify => self.publish(request, &caller, call, notification).await,
            Route::NotifyMany => self.publish_many(request, &caller, call, received_at).await,
            Route::Show { id } => Ok(answer::json(200, &self.standing(&id).await?)),
            Route::Cancel { id } => self.cancel(&id).await,
            Route::Inspect { id } => self.inspect(&id).await,
            Route::Close { id } => self.close(&id).await,
            Route::CountListeners { topic } => self.count_listeners(&topic).await,
        }
    }

    async fn publish(
        &self,
        request: &Request,
        caller: &Caller,
        call: &Call,
        parse: impl FnOnce(&Request, &[u8]) -> Result<Draft, Problem>,
    ) -> Result<Response, Problem> {
        let body = received::body_of(request)?;
        let key = received::key_of(request, caller.scope_key(), &body)?;
        let draft = parse(request, &body)?;
        let accepted = self.publish_one(draft, key.as_ref(), call).await?;
        let mut response = answer::json(202, &document_of(accepted));
        if let Ok(location) = HeaderValue::from_str(&location_of(accepted.id)) {
            response.headers.insert(LOCATION, location);
        }
        Ok(response)
    }

    async fn publish_many(
        &self,
        request: &Request,
        caller: &Caller,
        call: &Call,
        received_at: Instant,
    ) -> Result<Response, Problem> {
        received::expect_json(&request.headers)?;
        let body = received::body_of(request)?;
        let key = received::key_of(request, caller.scope_key(), &body)?;
        let drafts = parse_batch(&body)?;
        // What is refused as a whole leaves its key free.
        let is_any_valid = drafts.iter().any(Result::is_ok);
        if let Some(key) = key.as_ref().filter(|_| is_any_valid) {
            let claimed = self.publisher.claim(key).await;
            claimed.map_err(|error| problem_of(&error))?;
        }
        let publishing = drafts.into_iter().enumerate().map(async |(n, draft)| {
            let (draft, key) = (draft?, key.as_ref().map(|key| key.of_item(n)));
            if received_at + BEGIN_ITEMS_WITHIN <= Instant::now() {
                return Err(Problem::unavailable(NOT_BEGUN));
            }
            let publishing = self.publish_one(draft, key.as_ref(), call);
            let published = timeout_at(received_at + END_ITEMS_WITHIN, publishing).await;
            published.unwrap_or_else(|_| Err(Problem::unavailable(GIVEN_UP)))
        });
        let results: Vec<_> = stream::iter(publishing)
            .buffered(PUBLISHED_AT_ONCE)
            .inspect(|result| {
                if let Err(problem) = result {
                    call.note_status(problem.status.into());
                }
            })
            .map(result_of)
            .collect()
            .await;
        Ok(answer::json(207, &json!({"results": results})))
    }

    async fn publish_one(
        &self,
        draft: Draft,
        key: Option<&IdempotencyKey>,
        call: &Call,
    ) -> Result<Accepted, Problem> {
        let notification = self.publisher.accept(draft);
        let mut notification = notification.map_err(|error| problem_of(&error.into()))?;
        notification.trace = call.trace();
        let accepted = self.publisher.send(notification, key).await;
        let accepted = accepted.map_err(|error| problem_of(&error))?;
        call.note_accepted(&accepted);
        info!(notification_id = %accepted.id, "notification accepted");
        Ok(accepted)
    }

    async fn standing(&self, id: &str) -> Result<Standing, Problem> {
        // What is no id at all was never recorded either.
        let unknown = || Problem::no_such_notification(id);
        let id: NotificationId = id.parse().map_err(|_| unknown())?;
        let standing = self.store.standing(id).await;
        let standing = standing.map_err(|error| {
            error!(notification_id = %id, %error, "ledger was not read");
            Problem::unavailable("the ledger could not be read")
        })?;
        standing.ok_or_else(unknown)
    }

    async fn cancel(&self, id: &str) -> Result<Response, Problem> {
        let mut standing = self.standing(id).await?;
        if !standing.state.is_cancellable() {
            return Err(Problem::already_ended(id));
        }
        let (id, now) = (standing.id, self.publisher.clock.now());
        self.store.cancel(id, now).await.map_err(|error| {
            error!(notification_id = %id, %error, "notification was not cancelled");
            Problem::unavailable("the notification could not be cancelled; it may go on")
        })?;
        info!(notification_id = %id, "notification cancelled");
        standing.cancel_requested_at.get_or_insert(now);
        Ok(answer::json(202, &standing))
    }

    async fn count_listeners(&self, topic: &str) -> Result<Response, Problem> {
        let topic: Topic = topic
            .parse()
            .map_err(|error: TopicError| Problem::invalid_topic(error.to_string()))?;
        let count = self.store.count(&topic).await;
        let connections = count.map_err(|error| {
            error!(%topic, %error, "listeners were not counted");
            Problem::unavailable("the topic's listeners could not be counted")
        })?;
        let document = json!({"topic": topic, "connections": connections});
        Ok(answer::json(200, &document))
    }
}

/// Reads an order.
fn order(request: &Request, body: &[u8]) -> Result<Draft, Problem> {
    received::expect_json(&request.headers)?;
    parse_order(body)
}

/// Reads a notification in one of the forms that it may have.
fn notification(request: &Request, body: &[u8]) -> Result<Draft, Problem> {
    let headers = &request.headers;
    match received::kind_of(headers)? {
        Kind::Json => parse_notification(body),
        Kind::StructuredEvent => parse_event(body),
        Kind::BinaryEvent => {
            let content_type = headers.get(CONTENT_TYPE);
            let content_type = content_type.and_then(|declared| declared.to_str().ok());
            let attributes = received::event_attributes(headers)?;
            parse_binary_event(attributes, content_type, body)
        }
    }
}

fn document_of(accepted: Accepted) -> Value {
    json!({"id": accepted.id, "acceptedAt": accepted.accepted_at})
}

fn location_of(id: NotificationId) -> String {
    format!("/notifications/{id}")
}

/// What became of one notification of a batch.
fn result_of(published: Result<Accepted, Problem>) -> Value {
    match published {
        Ok(accepted) => json!({
            "status": 202,
            "id": accepted.id,
            "acceptedAt": accepted.accepted_at,
            "location": location_of(accepted.id),
        }),
        Err(problem) => json!(problem),
    }
}

fn problem_of(error: &PublishError) -> Problem {
    match error {
        PublishError::TooLarge(frame) => Problem::too_large(frame.bytes, frame.limit),
        PublishError::KeyReused => Problem::idempotency_key_reused(),
        PublishError::Record(error) => {
            error!(%error, "notification was not recorded");
            Problem::unavailable(
                "the notification could not be recorded; this request sent nothing",
            )
        }
        PublishError::Unrecorded { id, error } => {
            error!(notification_id = %id, %error, "notification was enqueued and not recorded");
            Problem::unavailable(
                "the notification will be sent, but could not be recorded: it has no ledger; \
                 made again, this request is sent twice; one that has an Idempotency-Key from \
                 the first time on is sent once",
            )
        }
        PublishError::Enqueue(error) => {
            error!(%error, "notification was not enqueued");
            Problem::unavailable(
                "the notification was perhaps not enqueued: it may be sent, or not; a request \
                 that had an Idempotency-Key, made again with the same one, sends it once",
            )
        }
    }
}

/// Runs the function.
///
/// # Errors
/// See [`crate::run`].
pub async fn run() -> Result<(), Error> {
    let started = runtime::start(settings::Publish::read)?;
    let settings = started.settings;
    settings.publishers.warn_if_off();
    let config = aws::load_config().await;
    let clock = Clock::System;
    let sockets = ManagementApi::new(&config, &settings.management_endpoint, SOCKET_TIMEOUT);
    let store = Store::new(&config, settings.store, clock);
    let publish = Publish {
        store: store.clone(),
        publisher: settings.publishing.publisher(&config, store, clock),
        sockets,
        callers: Callers::new(settings.publishers, clock)?,
        origins: settings.origins,
        metrics: started.metrics,
    };
    let publish = &publish;
    runtime::serve(|event| async move {
        let trace = runtime::trace_of(&event.context);
        Ok(publish.handle(&event.payload, trace).await)
    })
    .await
}

#[cfg(test)]
mod tests;
