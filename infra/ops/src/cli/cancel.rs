//! The command `cancel`.

use std::time::Duration;

use clap::Args;
use http::{Method, StatusCode, Uri};
use serde_json::Value;

use super::{Ending, UsageError, http_url, print, span};
use crate::api::{Api, Call, ledger_in};
use crate::causes::with_causes;
use crate::connector::connector;
use crate::deployment::Token;

/// What `--help` says besides.
pub(super) const HELP: &str = "\
It needs the token of a publisher, or that anybody may publish: requests are not
signed, as PUBLISHER_AUTH=iam asks.

Exit codes:
  0    cancelled: workers stop within about a second
  1    not cancelled, and why: it has ended, is not known, or nobody answered
  2    the command line is wrong";

/// The options of `cancel`.
#[derive(Debug, Args)]
pub struct CancelArgs {
    /// The notification's id
    #[arg(value_parser = id)]
    id: String,
    /// Where publishers POST, http:// or https://, without /orders
    #[arg(long, value_name = "URL", value_parser = http_url)]
    publish: Uri,
    /// The token of a publisher, where one is asked for
    #[arg(long, env = "FANOUT_TOKEN", hide_env_values = true)]
    token: Option<Token>,
    /// How long to wait for the answer
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = span)]
    patience: Duration,
}

impl CancelArgs {
    /// Cancels a notification, and prints its ledger.
    ///
    /// # Errors
    /// TLS cannot be spoken.
    pub(super) async fn run(self) -> Result<Ending, UsageError> {
        let connector = connector(&[&self.publish]).map_err(UsageError::Certificates)?;
        let api = Api::new(connector, &self.publish, self.token, self.patience);
        let call = Call::new(Method::DELETE, format!("/notifications/{}", self.id));
        let answer = match api.send(&call).await {
            Ok(answer) => answer,
            Err(error) => {
                print(&format!("not cancelled: {}", with_causes(&error)));
                return Ok(Ending::Bad);
            }
        };
        if answer.status != StatusCode::ACCEPTED {
            let status = answer.status.as_u16();
            let detail = answer.body.get("detail").and_then(Value::as_str);
            let detail = detail.map_or_else(|| answer.body.to_string(), ToOwned::to_owned);
            print(&format!("not cancelled: {status} {detail}"));
            return Ok(Ending::Bad);
        }
        match ledger_in(answer) {
            Ok(ledger) => print(&ledger.to_string()),
            Err(error) => print(&format!("cancelled; {}", with_causes(&error))),
        }
        Ok(Ending::Good)
    }
}

/// Ids are UUIDs: nothing else belongs into a path.
fn id(text: &str) -> Result<String, String> {
    let is_id = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
    if text.is_empty() || !text.bytes().all(is_id) {
        return Err("expected the id of a notification, a UUID".to_owned());
    }
    Ok(text.to_owned())
}
