//! Which servers are believed over TLS.

use std::path::PathBuf;

use clap::Args;

use crate::tls::Trust;

/// Which servers are believed over TLS.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "TLS (wss:// and https://)")]
pub(super) struct TlsArgs {
    /// Believe certificates that are in this PEM file or signed by one in it, in place of the
    /// system's
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,

    /// Believe any certificate
    #[arg(long, conflicts_with = "ca_file")]
    insecure: bool,
}

impl TlsArgs {
    pub(super) fn trust(self) -> Trust {
        match self.ca_file {
            Some(path) => Trust::CaFile(path),
            None if self.insecure => Trust::Anybody,
            None => Trust::System,
        }
    }
}
