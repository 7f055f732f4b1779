//! What one run showed.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use fanout_loadtest::machine::monotonic_time;
use serde::Serialize;
use serde_json::Value;

use super::scenario::Scenario;
use crate::micros::as_optional_micros;
use crate::process::{Reading, Usage};
use crate::stack::Stack;

/// One notification pushed by one contestant.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Measurement {
    /// Connections that were open at the gateway.
    pub(crate) living: u64,
    /// Those of them that it was pushed to.
    pub(crate) reached: u64,
    /// Pushes to connections that had it.
    pub(crate) duplicates: u64,
    /// From the event, or the POST, to the last push that the gateway took;
    /// `None` if it took none.
    #[serde(rename = "last_delivery_us", serialize_with = "as_optional_micros")]
    pub(crate) last_delivery: Option<Duration>,
    /// What the contestant's processes used from the event to their answer.
    #[serde(flatten)]
    pub(crate) usage: Usage,
    /// How many processes these were.
    pub(crate) processes: usize,
    /// Rows of connections that were gone and are deleted.
    pub(crate) rows_deleted: u64,
    /// How it ended.
    pub(crate) ending: Ending,
}

impl Measurement {
    /// Whether everybody was reached who could be.
    pub(crate) fn is_complete(&self) -> bool {
        self.reached == self.living
    }
}

/// A run that has begun.
pub(crate) struct Begun {
    living: u64,
    before: Reading,
    at: Duration,
}

impl Begun {
    /// Begins now: with whoever is connected, and with what the contestant's
    /// processes have used before.
    ///
    /// # Errors
    /// The stack does not answer.
    pub(crate) async fn now(
        stack: &Stack,
        processes: impl IntoIterator<Item = u32>,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            living: stack.open().await?,
            before: Reading::of(processes),
            at: monotonic_time(),
        })
    }

    /// What came of it: what the contestant's processes have used until `after`,
    /// and what the gateway and the table tell of the `notification`.
    ///
    /// # Errors
    /// The stack does not answer.
    pub(crate) async fn ended(
        self,
        stack: &Stack,
        scenario: &Scenario,
        notification: &str,
        after: &Reading,
        ending: Ending,
    ) -> anyhow::Result<Measurement> {
        let taken = stack.taken(notification).await?;
        let rows = stack.rows().await?;
        Ok(Measurement {
            living: self.living,
            reached: taken.reached,
            duplicates: taken.duplicates,
            last_delivery: taken.last_at.map(|at| at.saturating_sub(self.at)),
            usage: after.since(&self.before),
            processes: after.processes(),
            rows_deleted: u64::from(scenario.connections).saturating_sub(rows),
            ending,
        })
    }
}

/// How a contestant ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ending {
    /// Its handler returned.
    Answered {
        /// The `statusCode` that it returned.
        status: u64,
        /// The `body`.
        body: String,
    },
    /// Its handler threw.
    Threw(String),
    /// Its process ended before the handler did.
    Died(String),
    /// It was stopped when its time was up.
    Stopped,
    /// The pipeline's ledger said so.
    Settled {
        /// The ledger's `state`.
        state: String,
        /// Pushes that the gateway took.
        accepted: u64,
        /// Connections that were gone.
        gone: u64,
        /// Those that were given up.
        failed: u64,
    },
}

impl Ending {
    /// Reads what the runner of a handler said.
    pub(crate) fn of_answer(line: &str) -> Self {
        let said: Value = serde_json::from_str(line).unwrap_or_default();
        let text = |value: Option<&Value>| {
            let text = value.and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        if let Some(answer) = said.get("answered") {
            Self::Answered {
                status: answer
                    .get("statusCode")
                    .and_then(Value::as_u64)
                    .unwrap_or_default(),
                body: text(answer.get("body")),
            }
        } else if said.get("threw").is_some() {
            Self::Threw(text(said.get("threw")))
        } else {
            Self::Died(format!("said {line:?}"))
        }
    }
}

impl Display for Ending {
    /// Shortly, and the same for runs that ended alike.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered { status: 200, .. } => f.write_str("answered 200"),
            Self::Answered { status, body } => write!(f, "answered {status}: {}", name_of(body)),
            Self::Threw(error) => write!(f, "threw {}", name_of(error)),
            Self::Died(_) => f.write_str("its process ended"),
            Self::Stopped => f.write_str("was stopped, its time was up"),
            Self::Settled { state, .. } => write!(f, "ledger: {state}"),
        }
    }
}

/// The error's name in `Name: message`.
fn name_of(error: &str) -> &str {
    error.split_once(':').map_or(error, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, summary: &str) {
        assert_eq!(Ending::of_answer(line).to_string(), summary);
    }

    #[test]
    fn an_answer_is_told_by_its_status_and_an_error_by_its_name() {
        check(
            r#"{"answered":{"statusCode":200,"body":"{\"delivered\":7}"}}"#,
            "answered 200",
        );
        check(
            r#"{"answered":{"statusCode":500,"body":"LimitExceededException: slow down"}}"#,
            "answered 500: LimitExceededException",
        );
        check(
            r#"{"threw":"GoneException: UnknownError"}"#,
            "threw GoneException",
        );
        check(r#"{"threw":"Error"}"#, "threw Error");
        check("not JSON", "its process ended");
    }
}
