//! Where, and beside what else, something was measured.

use std::fmt::{self, Display, Formatter};

use fanout_loadtest::machine::host::Host;
use serde::Serialize;

use crate::process;

/// A machine, and how busy it was.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Machine {
    pub(crate) host: Host,
    /// Its load before anything of this began: what else was going on.
    pub(crate) load_average: Option<f64>,
}

impl Machine {
    /// This one, now.
    pub(crate) fn this() -> Self {
        Self {
            host: Host::this(),
            load_average: process::load_average(),
        }
    }
}

impl Display for Machine {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "Measured on ")?;
        if let Some(cores) = self.host.cores {
            write!(f, "{cores} × ")?;
        }
        let model = self.host.cpu_model.as_deref();
        write!(f, "{}", model.unwrap_or(&self.host.architecture))?;
        if let Some(load_average) = self.load_average {
            write!(f, "; its load average was {load_average} before")?;
        }
        write!(f, ".")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_left_out() {
        let mut machine = Machine::default();
        machine.host.architecture = "aarch64".to_owned();
        assert_eq!(machine.to_string(), "Measured on aarch64.");
        machine.host.cores = Some(2);
        machine.load_average = Some(0.5);
        let expected = "Measured on 2 × aarch64; its load average was 0.5 before.";
        assert_eq!(machine.to_string(), expected);
    }
}
