//! What a machine is made of.

use std::{fs, thread};

use serde::{Deserialize, Serialize};

use super::{bytes_of, value_of};

/// What is known of a machine; what its system does not tell is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// The processor's name.
    pub cpu_model: Option<String>,
    /// How many threads may run at once.
    pub cores: Option<usize>,
    /// The memory in bytes.
    pub memory_bytes: Option<u64>,
    /// The kernel and its release: `Linux 6.8.0`.
    pub kernel: Option<String>,
    /// The instruction set: `x86_64`, `aarch64`.
    pub architecture: String,
}

impl Host {
    /// This machine, as far as `/proc` (`proc(5)`) tells.
    #[must_use]
    pub fn this() -> Self {
        let read = |path: &str| fs::read_to_string(path).ok();
        let kernel = || {
            let name = read("/proc/sys/kernel/ostype")?;
            let release = read("/proc/sys/kernel/osrelease")?;
            Some(format!("{} {}", name.trim(), release.trim()))
        };
        let memory = || bytes_of(&read("/proc/meminfo")?, "MemTotal");
        Self {
            cpu_model: read("/proc/cpuinfo").as_deref().and_then(cpu_model),
            cores: thread::available_parallelism().ok().map(Into::into),
            memory_bytes: memory(),
            kernel: kernel(),
            architecture: std::env::consts::ARCH.to_owned(),
        }
    }
}

/// The first processor's name; the file of an ARM machine has none.
fn cpu_model(cpuinfo: &str) -> Option<String> {
    value_of(cpuinfo, "model name").map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_processor_is_named() {
        let cpuinfo = "processor\t: 0\nmodel name\t: AMD EPYC 7R13\n\nmodel name\t: other\n";
        assert_eq!(cpu_model(cpuinfo).as_deref(), Some("AMD EPYC 7R13"));
        assert_eq!(cpu_model("processor\t: 0\nBogoMIPS\t: 243.75\n"), None);
    }

    #[test]
    fn this_machine_has_at_least_an_architecture() {
        assert!(!Host::this().architecture.is_empty());
    }
}
