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

    /// Says that it was measured here, and with these `versions` of what ran.
    pub(crate) fn measured_with(&self, versions: &[String]) -> String {
        let cores = self.host.cores.map(|cores| format!("{cores} × "));
        let model = self.host.cpu_model.as_deref();
        let model = model.unwrap_or(&self.host.architecture);
        let processor = format!("{}{model}", cores.unwrap_or_default());
        let with: Vec<&str> = std::iter::once(processor.as_str())
            .chain(versions.iter().map(String::as_str))
            .collect();
        let before = self
            .load_average
            .map(|load_average| format!("; its load average was {load_average} before"));
        let before = before.unwrap_or_default();
        format!("Measured on {}{before}.", with.join(", "))
    }
}

impl Display for Machine {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.measured_with(&[]))
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
