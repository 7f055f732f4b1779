//! The three tables, in an embedded DynamoDB.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use dynoxide::Database;
use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tracing::{error, warn};

use super::Part;

pub(super) const CONNECTIONS: &str = "connections";
pub(super) const SUBSCRIPTIONS: &str = "subscriptions";
pub(super) const NOTIFICATIONS: &str = "notifications";

/// A database in memory that a second connection of this process can open
/// (<https://sqlite.org/inmemorydb.html#sharedmemdb>).
const IN_MEMORY: &str = "file:tables?mode=memory&cache=shared";

/// How often expired rows are deleted. AWS takes up to days; the functions
/// depend on neither.
const SWEEP_EVERY: Duration = Duration::from_mins(1);

/// The tables, this stack's own.
pub(super) struct Tables {
    pub(super) database: Database,
    /// Held for as long as they are open.
    lock: Option<File>,
}

/// Opens the tables, and creates those that are missing.
///
/// # Errors
/// The data directory cannot be used.
pub(super) fn open(data_dir: Option<&Path>) -> anyhow::Result<Tables> {
    let lock = data_dir.map(lock).transpose()?;
    let using = || match data_dir {
        Some(directory) => format!("--data-dir {}: cannot be used", directory.display()),
        None => "cannot open the tables in memory".to_owned(),
    };
    let location = match data_dir {
        Some(directory) => directory.join("tables.sqlite"),
        None => IN_MEMORY.into(),
    };
    let location = location.to_str().context("not UTF-8").with_context(using)?;
    let database = Database::new(location).with_context(using)?;
    create_tables(&database)?;
    index_segments(location).with_context(using)?;
    Ok(Tables { database, lock })
}

/// Serves DynamoDB's API on `listener`.
///
/// # Errors
/// The system starts no thread.
pub(super) fn serve(listener: TcpListener, tables: Tables, part: &mut Part) -> anyhow::Result<()> {
    let Tables { database, lock } = tables;
    let listener = listener.into_std()?;
    let shutdown = part.shutdown.clone();
    // On a thread of its own: the database works where it is called, and a scan
    // of many rows would hold up the gateway's sockets.
    let thread = std::thread::Builder::new()
        .name("dynamodb".to_owned())
        .spawn(move || {
            let _held = lock;
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener)?;
                let sweeping = tokio::spawn(sweep(database.clone()));
                let stopped = shutdown.cancelled_owned();
                let served = dynoxide::server::serve_with_shutdown(listener, database, stopped);
                let served = served.await.map_err(std::io::Error::other);
                sweeping.abort();
                served
            })?;
            // A sweep may take seconds to its end, and loses nothing without it.
            runtime.shutdown_background();
            anyhow::Ok(())
        })
        .context("cannot start DynamoDB")?;
    part.tasks.spawn_blocking(move || match thread.join() {
        Ok(Ok(())) => {}
        Ok(Err(error)) => error!(%error, "DynamoDB stopped"),
        Err(_) => error!("DynamoDB panicked"),
    });
    Ok(())
}

/// Makes a data directory this stack's own for as long as the file is open:
/// two stacks would take each other's subscribers for gone.
fn lock(directory: &Path) -> anyhow::Result<File> {
    let using = || format!("--data-dir {}: cannot be used", directory.display());
    std::fs::create_dir_all(directory).with_context(using)?;
    let file = File::create(directory.join("lock")).with_context(using)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let directory = directory.display();
            bail!("--data-dir {directory}: is in use by another stack")
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(using),
    }
}

/// Lets a page of one segment of a Scan be found without reading the table.
///
/// The database keeps the hash that segments are cut by, but no index of it: it
/// reads and sorts all rows for each page, and a Scan of a million takes
/// minutes.
fn index_segments(location: &str) -> rusqlite::Result<()> {
    Connection::open(location)?.execute_batch(&format!(
        "CREATE INDEX IF NOT EXISTS \"{CONNECTIONS} by segment\" \
         ON \"{CONNECTIONS}\" (hash_prefix, pk, sk)"
    ))
}

fn create_tables(database: &Database) -> anyhow::Result<()> {
    for table in [
        table(CONNECTIONS, "connectionId", None),
        table(SUBSCRIPTIONS, "topicShard", Some("connectionId")),
        table(NOTIFICATIONS, "notificationId", Some("part")),
    ] {
        let name = table
            .get("TableName")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if database.get_table_metadata(name)?.is_some() {
            continue;
        }
        let time_to_live = json!({
            "TableName": name,
            "TimeToLiveSpecification": {"AttributeName": "expiresAt", "Enabled": true},
        });
        let creating = || format!("cannot create table {name}");
        database
            .create_table(serde_json::from_value(table.clone())?)
            .with_context(creating)?;
        database
            .update_time_to_live(serde_json::from_value(time_to_live)?)
            .with_context(creating)?;
    }
    Ok(())
}

fn table(name: &str, partition_key: &str, sort_key: Option<&str>) -> Value {
    let keys = std::iter::once((partition_key, "HASH")).chain(sort_key.map(|key| (key, "RANGE")));
    let schema: Vec<_> = keys
        .clone()
        .map(|(key, kind)| json!({"AttributeName": key, "KeyType": kind}))
        .collect();
    let attributes: Vec<_> = keys
        .map(|(key, _)| json!({"AttributeName": key, "AttributeType": "S"}))
        .collect();
    json!({
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": schema,
        "AttributeDefinitions": attributes,
    })
}

/// Deletes expired rows page by page, on a thread beside the one that serves
/// requests: these take turns with the pages, and would wait for seconds for the
/// whole of a large table.
async fn sweep(database: Database) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        let database = database.clone();
        let swept = tokio::task::spawn_blocking(move || database.sweep_ttl()).await;
        if let Ok(Err(error)) = swept {
            warn!(%error, "expired rows were not deleted");
        }
    }
}
