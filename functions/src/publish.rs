//! The HTTP API: accepts notifications and shows their ledger.

pub mod caller;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fanout_core::aws::{self, dynamodb::Store, sqs::Queues};
use fanout_core::clock::Clock;
use fanout_core::ledger::Ledger;
use fanout_core::notification::{Draft, Notification, NotificationId};
use fanout_core::problem::{self, Problem};
use fanout_core::publish::{PublishError, Publisher, parse_notification, parse_order};
use fanout_core::queue::TaskQueue;
use http::Method;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION};
use lambda_runtime::Error;
use serde::Serialize;
use serde_json::json;
use tracing::{error, info};

use crate::{runtime, settings};

type Request = ApiGatewayV2httpRequest;
type Response = ApiGatewayV2httpResponse;

/// What the API serves, as it is told to who asks for something else.
const ROUTES: &str = "POST /orders, POST /notifications, GET /notifications/{id}";

/// Handles the HTTP API's requests.
#[derive(Clone, Debug)]
pub struct Publish<L, Q> {
    /// Accepts notifications.
    pub publisher: Publisher<L, Q>,
}

/// A route of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route<'a> {
    Order,
    Notify,
    Show(&'a str),
}

impl<L: Ledger, Q: TaskQueue> Publish<L, Q> {
    /// Handles a request; whatever is wrong with it becomes a problem document.
    pub async fn handle(&self, request: &Request) -> Response {
        let answer = match route(request) {
            Ok(Route::Order) => self.publish(request, parse_order).await,
            Ok(Route::Notify) => self.publish(request, parse_notification).await,
            Ok(Route::Show(id)) => self.show(id).await,
            Err(problem) => Err(problem),
        };
        answer.unwrap_or_else(|problem| {
            info!(
                code = problem.code,
                status = problem.status,
                "request refused"
            );
            respond_with_problem(&problem)
        })
    }

    async fn publish(
        &self,
        request: &Request,
        parse: impl FnOnce(&[u8]) -> Result<Draft, Problem>,
    ) -> Result<Response, Problem> {
        expect_json(&request.headers)?;
        let draft = parse(&body_of(request)?)?;
        let accepted = self.publisher.publish(draft).await;
        let Notification { id, time, .. } = accepted.map_err(|error| problem_of(&error))?;
        info!(notification_id = %id, "notification accepted");
        let location = format!("/notifications/{id}");
        let mut response = respond(
            202,
            "application/json",
            &json!({"id": id, "acceptedAt": time}),
        );
        if let Ok(location) = HeaderValue::from_str(&location) {
            response.headers.insert(LOCATION, location);
        }
        Ok(response)
    }

    async fn show(&self, id: &str) -> Result<Response, Problem> {
        // What is no id at all was never recorded either.
        let unknown = || Problem::no_such_notification(id);
        let id: NotificationId = id.parse().map_err(|_| unknown())?;
        let standing = self.publisher.ledger.standing(id).await.map_err(|error| {
            error!(notification_id = %id, %error, "ledger was not read");
            Problem::unavailable("the ledger could not be read")
        })?;
        let standing = standing.ok_or_else(unknown)?;
        Ok(respond(200, "application/json", &standing))
    }
}

fn route(request: &Request) -> Result<Route<'_>, Problem> {
    let context = &request.request_context.http;
    let path = request.raw_path.as_deref().unwrap_or("/");
    let method = &context.method;
    let (route, allowed) = match path.split('/').collect::<Vec<_>>().as_slice() {
        ["", "orders"] => (Route::Order, Method::POST),
        ["", "notifications"] => (Route::Notify, Method::POST),
        ["", "notifications", id] if !id.is_empty() => (Route::Show(id), Method::GET),
        _ => return Err(Problem::no_such_route(method.as_str(), path, ROUTES)),
    };
    if *method == allowed {
        Ok(route)
    } else {
        let (method, allowed) = (method.as_str(), allowed.as_str());
        Err(Problem::method_not_allowed(method, path, allowed))
    }
}

/// Takes JSON of any kind, and bodies that do not say what they are.
fn expect_json(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(declared) = headers.get(CONTENT_TYPE) else {
        return Ok(());
    };
    let declared = declared.to_str().unwrap_or("not text");
    let essence = declared.split(';').next().unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    if essence == "application/json" || essence.ends_with("+json") {
        Ok(())
    } else {
        Err(Problem::unsupported_media_type(declared))
    }
}

fn body_of(request: &Request) -> Result<Vec<u8>, Problem> {
    let body = request.body.as_deref().unwrap_or_default();
    if request.is_base64_encoded {
        let decoded = STANDARD.decode(body);
        decoded.map_err(|error| Problem::not_json(format!("the body is not base64: {error}")))
    } else {
        Ok(body.as_bytes().to_vec())
    }
}

fn problem_of(error: &PublishError) -> Problem {
    match error {
        PublishError::TooLarge { bytes, limit } => Problem::too_large(*bytes, *limit),
        PublishError::Record(error) => {
            error!(%error, "notification was not recorded");
            Problem::unavailable("the notification could not be recorded; nothing was sent")
        }
        PublishError::Enqueue(error) => {
            error!(%error, "notification was not enqueued");
            Problem::unavailable("the notification could not be enqueued; it may not be sent")
        }
    }
}

fn respond(status: i64, content_type: &'static str, body: &impl Serialize) -> Response {
    let mut response = Response::default();
    response.status_code = status;
    let headers = &mut response.headers;
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.body = serde_json::to_string(body).ok().map(Into::into);
    response
}

fn respond_with_problem(problem: &Problem) -> Response {
    let mut response = respond(problem.status.into(), problem::CONTENT_TYPE, problem);
    for (name, value) in &problem.headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            response
                .headers
                .insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// Runs the function.
///
/// # Errors
/// See [`crate::run`].
pub async fn run() -> Result<(), Error> {
    let settings = runtime::start(settings::Publish::read)?;
    let config = aws::load_config().await;
    let publish = Publish {
        publisher: Publisher {
            ledger: Store::new(&config, settings.store, Clock::System),
            queue: Queues::new(&config, settings.queues),
            clock: Clock::System,
            source: settings.event_source,
            max_frame_bytes: settings.max_frame_bytes,
        },
    };
    let publish = &publish;
    runtime::serve(|event| async move { Ok(publish.handle(&event.payload).await) }).await
}

#[cfg(test)]
mod tests;
