//! Where a deployment is, on the command line.

use std::path::PathBuf;

use clap::Args;

use crate::outputs::{Outputs, OutputsError};

/// The options that say where a deployment is.
#[derive(Clone, Debug, Args)]
pub(super) struct PlaceArgs {
    /// The stack's outputs: a file that `cdk deploy --outputs-file`,
    /// `fanout-local --outputs-file` or `aws cloudformation describe-stacks` wrote
    #[arg(long, value_name = "FILE")]
    outputs: Option<PathBuf>,
    /// Which stack of the file, where it has several
    #[arg(long, value_name = "NAME", requires = "outputs")]
    stack: Option<String>,
    /// The Region, in place of the file's
    #[arg(long)]
    region: Option<String>,
    /// Where the queue of notifications is, in place of the file's
    #[arg(long, value_name = "URL")]
    notifications_queue: Option<String>,
    /// Where the queue of slices is
    #[arg(long, value_name = "URL")]
    slices_queue: Option<String>,
    /// Where the dead-letter queue is
    #[arg(long, value_name = "URL")]
    dead_letter_queue: Option<String>,
    /// Where a local stack's SQS is
    #[arg(long, value_name = "URL")]
    sqs_endpoint: Option<String>,
}

impl PlaceArgs {
    /// Reads the file, and takes what the command line says in place of what
    /// it says.
    ///
    /// # Errors
    /// The file cannot be used.
    pub(super) fn outputs(self) -> Result<Outputs, OutputsError> {
        let read = self
            .outputs
            .map(|path| Outputs::read(&path, self.stack.as_deref()));
        let read = read.transpose()?.unwrap_or_default();
        Ok(read.overridden_by(Outputs {
            region: self.region,
            notifications_queue_url: self.notifications_queue,
            slices_queue_url: self.slices_queue,
            dead_letter_queue_url: self.dead_letter_queue,
            sqs_endpoint: self.sqs_endpoint,
            ..Outputs::default()
        }))
    }
}
