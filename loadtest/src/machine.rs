//! What the machine tells a process: its clocks, its memory, which machine it
//! is, and [what it is made of](host).

use std::{fs, time::Duration};

use rustix::time::{ClockId, Timespec, clock_gettime};

pub mod host;

/// `CLOCK_MONOTONIC`: the same for every process since the machine booted
/// (`clock_gettime(2)`), and what [`std::time::Instant`] counts on Linux.
#[must_use]
pub fn monotonic_time() -> Duration {
    span(clock_gettime(ClockId::Monotonic))
}

/// The CPU time that all threads of this process have used.
#[must_use]
pub fn cpu_time() -> Duration {
    span(clock_gettime(ClockId::ProcessCPUTime))
}

/// The memory of this process that is in use, in bytes. `None` where there is
/// no `/proc` (`proc_pid_status(5)`).
#[must_use]
pub fn resident_bytes() -> Option<u64> {
    bytes_of(&fs::read_to_string("/proc/self/status").ok()?, "VmRSS")
}

/// Tells a machine from others, and from itself before it was booted: two
/// processes with the same number share a monotonic clock. 0 where it is not
/// known.
#[must_use]
pub fn identity() -> u32 {
    let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    boot_id
        .get(..8)
        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
        .unwrap_or_default()
}

fn span(time: Timespec) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// The value of the first line `name: value`.
fn value_of<'a>(lines: &'a str, name: &str) -> Option<&'a str> {
    lines.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    })
}

/// The same in bytes, of what is in units of 1,024 of them whatever it says.
fn bytes_of(lines: &str, name: &str) -> Option<u64> {
    let kib = value_of(lines, name)?.strip_suffix("kB")?;
    kib.trim().parse::<u64>().ok()?.checked_mul(1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_monotonic_clock_is_the_one_that_instants_count() {
        let (started, shown) = (std::time::Instant::now(), monotonic_time());
        let mut passed = Duration::ZERO;
        while passed < Duration::from_millis(2) {
            passed = monotonic_time().saturating_sub(shown);
        }
        assert!(started.elapsed() >= passed);
    }

    #[test]
    fn memory_is_in_bytes() {
        let status = "Name:\tx\nVmRSS:\t    1234 kB\n";
        assert_eq!(bytes_of(status, "VmRSS"), Some(1_263_616));
        assert_eq!(bytes_of("Name:\tx\n", "VmRSS"), None);
        assert_eq!(bytes_of("VmRSS: lots\n", "VmRSS"), None);
    }
}
