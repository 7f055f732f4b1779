//! Who is compared.

use std::fmt::{self, Display, Formatter};

use clap::ValueEnum;
use serde::Serialize;

/// One way to push a notification to every connection in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Contestant {
    /// The tutorials' handler
    NodeSequential,
    /// The handler of the better samples
    NodePromiseAll,
    /// A handler that bounds its pushes and handles their errors
    #[value(name = "node-limit-64")]
    #[serde(rename = "node-limit-64")]
    NodeLimit64,
    /// The same with threads
    PythonThreads,
    /// This pipeline
    Pipeline,
}

/// What runs a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runtime {
    /// `node`, with what `npm` installs.
    Node,
    /// `python3`, with what `pip` installs.
    Python,
}

/// A handler of somebody else's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Handler {
    pub(crate) runtime: Runtime,
    /// The module that holds it, beside the runtime's `run`.
    pub(crate) module: &'static str,
}

impl Contestant {
    /// The handler that it is; `None` for the pipeline.
    pub(crate) fn handler(self) -> Option<Handler> {
        let (runtime, module) = match self {
            Self::NodeSequential => (Runtime::Node, "sequential"),
            Self::NodePromiseAll => (Runtime::Node, "promise-all"),
            Self::NodeLimit64 => (Runtime::Node, "limit-64"),
            Self::PythonThreads => (Runtime::Python, "threads"),
            Self::Pipeline => return None,
        };
        Some(Handler { runtime, module })
    }

    /// Whether it runs on Node.
    pub(crate) fn is_node(self) -> bool {
        self.handler()
            .is_some_and(|handler| handler.runtime == Runtime::Node)
    }
}

impl Display for Contestant {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NodeSequential => "Node, one by one (the tutorial)",
            Self::NodePromiseAll => "Node, Promise.all",
            Self::NodeLimit64 => "Node, 64 at once",
            Self::PythonThreads => "Python, 64 threads",
            Self::Pipeline => "this pipeline",
        })
    }
}
