//! Names what is wrong with a deployment, and how to mend it.
//!
//! What can be judged without asking anybody are pure functions; what asks is
//! [`examine`].

pub mod check;
pub mod clock;
pub mod handshake;
pub mod management;
pub mod publish;
pub mod queues;
pub mod tables;
pub mod transport;
pub mod urls;

use std::time::Duration;

use fanout_core::aws::SdkConfig;
use http::Uri;

use self::check::{Check, Finding};
use crate::aws::config_of;
use crate::canary;
use crate::causes::with_causes;
use crate::deployment::{Deployment, Listening, Token};
use crate::outputs::Outputs;
use crate::socket::Socket;

const NOT_GIVEN: &str = "not given";
const MEND_FIRST: &str = "mend what failed before";

/// A deployment, and what to examine it with.
#[derive(Clone, Debug)]
pub struct Patient {
    /// Where its parts are.
    pub outputs: Outputs,
    /// The token of a subscriber and publisher, where one is asked for.
    pub token: Option<Token>,
    /// How long to wait for anything that should happen.
    pub patience: Duration,
    /// What the doctor's socket listens to.
    pub listening: Listening,
}

/// Examines everything, and tells each check as soon as it was made. Returns
/// whether all is well: whether no check failed.
pub async fn examine(patient: &Patient, mut told: impl FnMut(&Check)) -> bool {
    let mut is_well = true;
    let mut tell = |check: Check| {
        is_well &= !matches!(check.finding, Finding::Fail { .. });
        told(&check);
    };
    let outputs = &patient.outputs;
    let shapes = urls::judge(outputs);
    let is_fit = |subject: &str| {
        let of_it = shapes.iter().filter(|check| check.subject == subject);
        of_it
            .into_iter()
            .all(|check| !matches!(check.finding, Finding::Fail { .. }))
    };
    let (ws_fits, publish_fits, management_fits) = (
        is_fit(urls::WEB_SOCKET),
        is_fit(urls::PUBLISH),
        is_fit(urls::MANAGEMENT),
    );
    for check in shapes {
        tell(check);
    }
    let config = config_of(outputs).await;
    let ws = fit_url(outputs.web_socket_url.as_deref(), ws_fits);
    let publish = fit_url(outputs.publish_url.as_deref(), publish_fits);
    let mut examined = examine_users(patient, ws, publish, &mut tell).await;
    let management = match (&outputs.management_endpoint, &mut examined.socket) {
        (None, _) => Finding::skipped(NOT_GIVEN),
        (Some(endpoint), Some((_, connection))) if management_fits => {
            management::ask(&config, endpoint, connection).await
        }
        (Some(_), _) => Finding::skipped(MEND_FIRST),
    };
    tell(Check::new("connection management", management));
    examine_parts(&config, outputs, &mut tell).await;
    tell(Check::new("canary", examined.fly().await));
    is_well
}

/// What was found on the users' side, and is needed further on.
struct Examined {
    deployment: Option<Deployment>,
    /// A socket, and its connection's id.
    socket: Option<(Socket, String)>,
    is_publishing: bool,
}

impl Examined {
    async fn fly(self) -> Finding {
        let (Some(deployment), Some((mut socket, connection)), true) =
            (self.deployment, self.socket, self.is_publishing)
        else {
            return Finding::skipped("needs a socket and the publish endpoint");
        };
        match canary::fly_to(&deployment, &mut socket, &connection).await {
            Ok(flight) => Finding::Ok(flight.to_string()),
            Err(lost) => Finding::fail(
                with_causes(&lost),
                "look at the worker's log, at the queues above, and at MANAGEMENT_ENDPOINT of the \
                 worker",
            ),
        }
    }
}

/// Examines what subscribers and publishers see.
async fn examine_users(
    patient: &Patient,
    ws: Result<Uri, &'static str>,
    publish: Result<Uri, &'static str>,
    tell: &mut impl FnMut(Check),
) -> Examined {
    // Where one of them is missing, the other stands in: it is not asked.
    let known = ws.clone().or_else(|_| publish.clone());
    let made = known.ok().map(|known| {
        let publish = publish.clone().unwrap_or_else(|_| known.clone());
        let (token, patience) = (patient.token.clone(), patient.patience);
        Deployment::new(ws.clone().unwrap_or(known), &publish, token, patience)
    });
    let deployment = match made {
        Some(Ok(deployment)) => Some(deployment.listening(patient.listening.clone())),
        Some(Err(error)) => {
            let advice = "install the system's certificates, or name a file by SSL_CERT_FILE";
            tell(Check::new(
                "certificates",
                Finding::fail(error.to_string(), advice),
            ));
            None
        }
        None => None,
    };
    let (answering, clock) = match (&publish, &deployment) {
        (&Err(why), _) => (Finding::skipped(why), Finding::skipped(why)),
        (Ok(_), None) => (Finding::skipped(MEND_FIRST), Finding::skipped(MEND_FIRST)),
        (Ok(_), Some(deployment)) => publish::ask(&deployment.api).await,
    };
    let is_publishing = matches!(answering, Finding::Ok(_));
    tell(Check::new("publish endpoint", answering));
    tell(Check::new("clock", clock));
    let (opening, socket) = match (&ws, &deployment) {
        (&Err(why), _) => (Finding::skipped(why), None),
        (Ok(_), None) => (Finding::skipped(MEND_FIRST), None),
        (Ok(_), Some(deployment)) => handshake::ask(deployment).await,
    };
    tell(Check::new("websocket handshake", opening));
    Examined {
        deployment,
        socket,
        is_publishing,
    }
}

/// Examines tables and queues.
async fn examine_parts(config: &SdkConfig, outputs: &Outputs, tell: &mut impl FnMut(Check)) {
    let dynamodb = crate::aws::dynamodb(config, outputs);
    for table in tables::TABLES {
        let finding = match table.name_in(outputs) {
            None => Finding::skipped(NOT_GIVEN),
            Some(name) => tables::ask(&dynamodb, table, name).await,
        };
        tell(Check::new(table.subject, finding));
    }
    let sqs = crate::aws::sqs(config, outputs);
    for check in queues::ask(&sqs, outputs).await {
        tell(check);
    }
}

/// A URL that can be asked, or why it cannot.
fn fit_url(url: Option<&str>, is_fit: bool) -> Result<Uri, &'static str> {
    let url = url.ok_or(NOT_GIVEN)?;
    if !is_fit {
        return Err(MEND_FIRST);
    }
    url.parse().map_err(|_| MEND_FIRST)
}
