//! The front of the WebSocket API, and of `@connections` on the same address.

mod admission;
mod authorizer;
mod dispatch;
mod event;
mod handshake;
mod routing;
mod session;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;

use futures::future::{OptionFuture, join};
use http::{Request, StatusCode, header, request};
use hyper::body::Incoming;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use self::admission::Admitted;
use self::dispatch::Dispatcher;
use self::handshake::Handshake;
use self::session::{Ended, Farewell};
use self::wire::Wire;
use crate::connections::Connection;
use crate::connections::outbox::CloseRequest;
use crate::gateway::Shared;
use crate::integration::Integration;
use crate::listener::{Front, Lifetime};
use crate::management;
use crate::reply::{self, Reply};
use crate::uri::percent_decode;

/// Answers requests to the WebSocket API: handshakes and management calls.
#[derive(Debug)]
pub(crate) struct WebSocketFront<I> {
    shared: Arc<Shared<I>>,
    lifetime: Lifetime,
}

impl<I> Clone for WebSocketFront<I> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            lifetime: self.lifetime.clone(),
        }
    }
}

impl<I: Integration> WebSocketFront<I> {
    pub(crate) fn new(shared: Arc<Shared<I>>, lifetime: Lifetime) -> Self {
        Self { shared, lifetime }
    }

    /// Hands a handshake to a task of its own, which outlives the request and
    /// lets the `$connect` function finish even if the client gives up.
    async fn connect(&self, peer: SocketAddr, request: Request<Incoming>) -> Reply {
        let (mut head, _) = request.into_parts();
        let handshake = match handshake::check(&mut head) {
            Ok(handshake) => handshake,
            Err(refusal) => return *refusal,
        };
        let Some(place) = self.admit() else {
            self.shared.counters.handshakes_refused.count();
            let mut refusal = reply::message(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests");
            // One that stays open would take up a file all the same.
            reply::set(&mut refusal, header::CONNECTION, "close");
            return refusal;
        };
        let (answer, answered) = oneshot::channel();
        let socket = Socket {
            shared: Arc::clone(&self.shared),
            lifetime: self.lifetime.clone(),
            place,
            answer,
        };
        let task = socket.live(peer, Box::new(head), handshake);
        self.lifetime.tasks.spawn(task);
        answered.await.unwrap_or_else(|_| {
            reply::message(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")
        })
    }

    /// Finds a place for one more socket; `None` if there is none, or sockets
    /// come too fast.
    fn admit(&self) -> Option<OwnedSemaphorePermit> {
        let place = Arc::clone(&self.shared.places).try_acquire_owned().ok()?;
        self.shared.connects.admits().then_some(place)
    }
}

impl<I: Integration> Front for WebSocketFront<I> {
    async fn answer(&self, peer: SocketAddr, request: Request<Incoming>) -> Reply {
        match Target::of(request.uri().path()) {
            Some(Target::Call { stage, id }) => {
                management::answer(&self.shared, &stage, &id, request).await
            }
            Some(Target::Stage(stage)) if stage == self.shared.settings.stage => {
                self.connect(peer, request).await
            }
            Some(Target::Stage(_)) | None => reply::message(StatusCode::FORBIDDEN, "Forbidden"),
        }
    }
}

/// What a path names.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    /// `/{stage}`: where sockets open.
    Stage(String),
    /// `/{stage}/@connections/{id}`: a connection to be managed.
    Call { stage: String, id: String },
}

impl Target {
    fn of(path: &str) -> Option<Self> {
        let mut segments = path.strip_prefix('/')?.split('/').map(percent_decode);
        let stage = segments.next()?.into_owned();
        let Some(second) = segments.next() else {
            return Some(Self::Stage(stage));
        };
        match (second.as_ref(), segments.next(), segments.next()) {
            ("", None, None) => Some(Self::Stage(stage)),
            ("@connections", Some(id), None) => Some(Self::Call {
                stage,
                id: id.into_owned(),
            }),
            _ => None,
        }
    }
}

/// One socket's task, from its handshake to its `$disconnect`.
#[derive(Debug)]
struct Socket<I> {
    shared: Arc<Shared<I>>,
    lifetime: Lifetime,
    place: OwnedSemaphorePermit,
    answer: oneshot::Sender<Reply>,
}

impl<I: Integration> Socket<I> {
    /// Lives through the whole connection.
    ///
    /// The handshake and the end are boxed, so that an open socket does not
    /// hold on to memory for them.
    async fn live(self, peer: SocketAddr, head: Box<request::Parts>, handshake: Handshake) {
        let shared = self.shared;
        let admission = Box::pin(admission::admit(&shared, peer, &head));
        let admitted = self.lifetime.abandoned.run_until_cancelled(admission).await;
        drop(head);
        let Admitted {
            connection,
            subprotocol,
        } = match admitted {
            Some(Ok(admitted)) => admitted,
            Some(Err(refusal)) => {
                shared.counters.handshakes_refused.count();
                // Nobody waits for the answer if the client has gone.
                let _ = self.answer.send(*refusal);
                return;
            }
            None => return,
        };

        // Registered before the client can know: a push that follows the
        // handshake at once must not find nothing.
        shared.connections.insert(Arc::clone(&connection));
        shared.counters.sockets_opened.count();
        if self.lifetime.closing.is_cancelled() {
            connection.close(CloseRequest::ShuttingDown);
        }
        let _ = self
            .answer
            .send(handshake::accept(&handshake.key, subprotocol));
        let mut dispatcher = Dispatcher::new(Arc::clone(&shared), Arc::clone(&connection));
        let (ended, farewell) = if let Some(wire) = open(handshake.upgrade, &shared).await {
            session::run(&shared, &connection, wire, &mut dispatcher).await
        } else {
            shared.connections.retire(&connection);
            (Ended::abnormal(), None)
        };
        // Neither waits for the other: not the function for a client that is
        // slow to close, nor the client for the function.
        let place = self.place;
        let to_client = Box::pin(async move {
            OptionFuture::from(farewell.map(Farewell::say)).await;
            drop(place);
        });
        let to_function = Box::pin(report(&shared, &connection, ended, dispatcher));
        let both = join(to_client, to_function);
        self.lifetime.abandoned.run_until_cancelled(both).await;
    }
}

/// Takes over the connection once the handshake's answer has been written;
/// `None` if the client went away before.
async fn open<I>(upgrade: OnUpgrade, shared: &Shared<I>) -> Option<Wire<TcpStream>> {
    let upgraded: Upgraded = upgrade.await.ok()?;
    let parts = upgraded.downcast::<TokioIo<TcpStream>>().ok()?;
    let stream = parts.io.into_inner();
    Some(Wire::new(stream, parts.read_buf.to_vec(), &shared.settings).await)
}

/// Lets the function see the messages that had arrived, then the end.
async fn report<I: Integration>(
    shared: &Shared<I>,
    connection: &Connection,
    ended: Ended,
    dispatcher: Dispatcher<I>,
) {
    tracing::debug!(
        connection_id = %connection.id, code = ended.code, reason = %ended.reason,
        "connection closed"
    );
    dispatcher.drain().await;
    dispatch::report_disconnect(shared, connection, &ended).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_stage_or_a_connection() {
        let stage = |stage: &str| Some(Target::Stage(stage.to_owned()));
        let call = |stage: &str, id: &str| {
            Some(Target::Call {
                stage: stage.to_owned(),
                id: id.to_owned(),
            })
        };
        let cases = [
            ("/prod", stage("prod")),
            ("/prod/", stage("prod")),
            ("/", stage("")),
            ("/prod/@connections/abc=", call("prod", "abc=")),
            ("/prod/%40connections/abc%3D", call("prod", "abc=")),
            ("/prod/@connections/a%2Fb", call("prod", "a/b")),
            ("/prod/@connections", None),
            ("/prod/@connections/a/b", None),
            ("/prod/elsewhere", None),
        ];
        for (path, target) in cases {
            assert_eq!(Target::of(path), target, "{path}");
        }
    }
}
