//! The rows of simulated subscribers.

use std::collections::HashMap;
use std::io::{IsTerminal as _, Write as _, stderr};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use dynoxide::{AttributeValue, ImportOptions, Item};
use fanout_local_gateway::simulated_connection_id;
use jiff::Timestamp;

use super::tables::{CONNECTIONS, Tables};

/// How many rows are written at once.
const BATCH: u32 = 10_000;

/// How long the rows live: longer than any test.
const LIFETIME: Duration = Duration::from_hours(7 * 24);

/// Writes the rows of so many simulated subscribers, as the `$connect` function
/// would, and says on stderr how far it is.
///
/// # Errors
/// The tables cannot be written.
pub(super) fn write_rows(tables: &Tables, subscribers: u32) -> anyhow::Result<()> {
    if subscribers == 0 {
        return Ok(());
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "the rows are read by functions, which go by the time of day"
    )]
    let connected_at = Timestamp::now();
    let started = Instant::now();
    let mut written = 0;
    while written < subscribers {
        let next = subscribers.min(written + BATCH);
        let rows = (written..next).map(|index| row(index, connected_at));
        tables
            .database
            .import_items(CONNECTIONS, rows.collect(), ImportOptions::default())
            .context("cannot write the rows of simulated subscribers")?;
        written = next;
        let elapsed = started.elapsed();
        let progress = format!(
            "simulated subscribers: {written} of {subscribers} rows, {:.1} s",
            elapsed.as_secs_f64()
        );
        // Nobody is left to tell if stderr is closed.
        let _closed = if stderr().is_terminal() && written < subscribers {
            write!(stderr(), "\r{progress}")
        } else if written == subscribers {
            let start = if stderr().is_terminal() { "\r" } else { "" };
            writeln!(stderr(), "{start}{progress}")
        } else {
            Ok(())
        };
    }
    Ok(())
}

fn row(index: u32, connected_at: Timestamp) -> Item {
    let expires_at = connected_at.as_second() + LIFETIME.as_secs().cast_signed();
    HashMap::from([
        (
            "connectionId".to_owned(),
            AttributeValue::S(simulated_connection_id(index)),
        ),
        (
            "connectedAt".to_owned(),
            AttributeValue::N(connected_at.as_millisecond().to_string()),
        ),
        (
            "expiresAt".to_owned(),
            AttributeValue::N(expires_at.to_string()),
        ),
    ])
}
