//! The command `doctor`.

use std::time::Duration;

use clap::Args;

use super::listening::ListeningArgs;
use super::place::PlaceArgs;
use super::{Ending, UsageError, print, span};
use crate::deployment::Token;
use crate::doctor::{Patient, examine};
use crate::outputs::Outputs;

/// What `--help` says besides.
pub(super) const HELP: &str = "\
Credentials are found as the AWS CLI finds them; a local stack needs none. They
need dynamodb:DescribeTable, dynamodb:DescribeTimeToLive, sqs:GetQueueAttributes
and execute-api:ManageConnections. One notification is sent, to a socket of the
doctor's own. Requests to the publish endpoint are not signed: where it asks for
that (PUBLISHER_AUTH=iam), what needs it is skipped.

Exit codes:
  0    all is well, warnings aside
  1    something is wrong
  2    the command line is wrong, or names a file that cannot be used";

/// The options of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// Where subscribers connect, in place of the file's
    #[arg(long, value_name = "URL")]
    ws: Option<String>,
    /// Where publishers POST, in place of the file's
    #[arg(long, value_name = "URL")]
    publish: Option<String>,
    /// Where connections are pushed to, in place of the file's
    #[arg(long, value_name = "URL")]
    management_endpoint: Option<String>,
    /// The table of connections, in place of the file's
    #[arg(long, value_name = "NAME")]
    connections_table: Option<String>,
    /// The table of subscriptions
    #[arg(long, value_name = "NAME")]
    subscriptions_table: Option<String>,
    /// The table of notifications
    #[arg(long, value_name = "NAME")]
    notifications_table: Option<String>,
    /// Where a local stack's DynamoDB is
    #[arg(long, value_name = "URL")]
    dynamodb_endpoint: Option<String>,
    /// The token of a subscriber and publisher, where one is asked for
    #[arg(long, env = "FANOUT_TOKEN", hide_env_values = true)]
    token: Option<Token>,
    #[command(flatten)]
    listening: ListeningArgs,
    /// How long to wait for anything that should happen
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = span)]
    patience: Duration,
}

impl DoctorArgs {
    /// Examines a deployment.
    ///
    /// # Errors
    /// Nothing is said of where it is, or the file cannot be used.
    pub(super) async fn run(self) -> Result<Ending, UsageError> {
        let outputs = self.place.outputs()?.overridden_by(Outputs {
            web_socket_url: self.ws,
            publish_url: self.publish,
            management_endpoint: self.management_endpoint,
            connections_table: self.connections_table,
            subscriptions_table: self.subscriptions_table,
            notifications_table: self.notifications_table,
            dynamo_db_endpoint: self.dynamodb_endpoint,
            ..Outputs::default()
        });
        if outputs == Outputs::default() {
            return Err(UsageError::Nowhere);
        }
        let patient = Patient {
            outputs,
            token: self.token,
            patience: self.patience,
            listening: self.listening.into(),
        };
        let is_well = examine(&patient, |check| print(&check.to_string())).await;
        Ok(Ending::of(is_well))
    }
}
