//! The options of `merge`.

use std::path::PathBuf;

use clap::Args;

use super::OutputFormat;

/// The options of `merge`.
#[derive(Debug, Args)]
pub struct MergeArgs {
    /// The logs that the processes wrote with --output
    #[arg(required = true, value_name = "FILE.hlog")]
    pub logs: Vec<PathBuf>,

    /// Merge logs of different runs, or of a listener that heard of none
    #[arg(long)]
    pub force: bool,

    /// How to write the report to stdout
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub output_format: OutputFormat,
}
