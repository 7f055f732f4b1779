//! What scripts must know of a running stack, in a file of the shape that `cdk
//! deploy --outputs-file` writes.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Value, json};

use super::{Addresses, REGION, functions, queues, tables};

/// The name that stands where CDK writes a stack's.
const STACK: &str = "local";

/// The file, which is there for as long as this is.
pub(crate) struct OutputsFile(PathBuf);

impl OutputsFile {
    /// Writes the file at once: who waits for it never reads half of it.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn write(path: &Path, addresses: &Addresses) -> anyhow::Result<Self> {
        let writing = || format!("--outputs-file {}: cannot be written", path.display());
        let mut unfinished = path.to_owned();
        unfinished.as_mut_os_string().push(".unfinished");
        let text = format!("{:#}\n", document(addresses));
        std::fs::write(&unfinished, text).with_context(writing)?;
        std::fs::rename(&unfinished, path).with_context(writing)?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for OutputsFile {
    /// Removes the file: nobody listens there any more.
    fn drop(&mut self) {
        // Somebody else may have removed it, and that is as good.
        let _removed = std::fs::remove_file(&self.0);
    }
}

fn document(addresses: &Addresses) -> Value {
    let Addresses {
        http,
        ws,
        dynamodb,
        sqs,
        stage,
    } = addresses;
    let queue = |name: &str| functions::queue_url(addresses, name);
    json!({STACK: {
        "WebSocketUrl": format!("ws://{ws}/{stage}"),
        "PublishUrl": format!("http://{http}"),
        "ManagementEndpoint": format!("http://{ws}/{stage}"),
        "Region": REGION,
        "ConnectionsTable": tables::CONNECTIONS,
        "SubscriptionsTable": tables::SUBSCRIPTIONS,
        "NotificationsTable": tables::NOTIFICATIONS,
        "NotificationsQueueUrl": queue(queues::NOTIFICATIONS),
        "SlicesQueueUrl": queue(queues::SLICES),
        "DeadLetterQueueUrl": queue(queues::DEAD_LETTERS),
        "DynamoDbEndpoint": format!("http://{dynamodb}"),
        "SqsEndpoint": format!("http://{sqs}"),
    }})
}
