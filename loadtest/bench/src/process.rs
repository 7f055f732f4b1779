//! What processes use, as `/proc` tells it (`proc(5)`).

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use serde::Serialize;

use crate::micros::as_micros;

/// The processor time and the memory of some processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Usage {
    /// User and system time of all threads. It is known to the nanosecond; only
    /// what threads that have ended took is known in steps of the kernel's clock
    /// tick, 10 ms mostly.
    #[serde(rename = "cpu_us", serialize_with = "as_micros")]
    pub(crate) cpu: Duration,
    /// The most memory that was resident, in bytes; of several processes the
    /// sum.
    pub(crate) peak_bytes: u64,
}

/// What each of some processes had used at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reading(BTreeMap<u32, Usage>);

impl Reading {
    /// Reads now; processes that have ended are left out.
    pub(crate) fn of(pids: impl IntoIterator<Item = u32>) -> Self {
        let pids = pids.into_iter();
        Self(pids.filter_map(|pid| Some((pid, usage(pid)?))).collect())
    }

    /// How many processes were there.
    pub(crate) fn processes(&self) -> usize {
        self.0.len()
    }

    /// The most memory that any one of them ever had resident, in bytes.
    pub(crate) fn largest_peak_bytes(&self) -> u64 {
        let peaks = self.0.values().map(|usage| usage.peak_bytes);
        peaks.max().unwrap_or_default()
    }

    /// What was used since an earlier reading; all of it by processes that it
    /// does not have.
    pub(crate) fn since(&self, earlier: &Self) -> Usage {
        let mut sum = Usage::default();
        for (pid, usage) in &self.0 {
            let before = earlier.0.get(pid).copied().unwrap_or_default();
            sum.cpu += usage.cpu.saturating_sub(before.cpu);
            sum.peak_bytes += usage.peak_bytes;
        }
        sum
    }
}

/// How many processes of the whole machine ran or wanted to, on average over the
/// last minute (`proc_loadavg(5)`).
pub(crate) fn load_average() -> Option<f64> {
    let averages = fs::read_to_string("/proc/loadavg").ok()?;
    averages.split(' ').next()?.parse().ok()
}

/// The functions of a local stack that a notification passes through.
pub(crate) const ON_THE_PATH: [&str; 2] = ["publish", "worker"];

/// The processes of some of a local stack's functions. A worker of either lane
/// is called `worker`.
pub(crate) fn functions_of(stack: u32, names: &[&str]) -> Vec<u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &u32| {
        let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).ok();
        let (Some(stat), Some(command)) = (read("stat"), read("cmdline")) else {
            return false;
        };
        parent_in(&stat) == Some(stack) && is_function(&command, names)
    })
    .collect()
}

/// The memory of a process that is resident now, in bytes.
pub(crate) fn resident_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    bytes_in(&status, "VmRSS:")
}

fn is_function(command: &str, names: &[&str]) -> bool {
    let command = command.trim_end_matches('\0');
    names
        .iter()
        .any(|name| command.ends_with(&format!("\0function\0{name}")))
}

fn usage(pid: u32) -> Option<Usage> {
    let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).ok();
    let ticks_per_second = rustix::param::clock_ticks_per_second();
    let ticks = ticks_in(&read("stat")?)?;
    let of_ticks = Duration::from_micros(ticks * 1_000_000 / ticks_per_second.max(1));
    Some(Usage {
        cpu: of_ticks.max(of_threads(pid)),
        peak_bytes: bytes_in(&read("status")?, "VmHWM:")?,
    })
}

/// What the threads that run have taken: the first field of each one's
/// `schedstat` (<https://docs.kernel.org/scheduler/sched-stats.html>). None where
/// the kernel does not count it.
fn of_threads(pid: u32) -> Duration {
    let threads = fs::read_dir(format!("/proc/{pid}/task"));
    let threads = threads.into_iter().flatten().flatten();
    let nanoseconds = threads.filter_map(|thread| {
        let counted = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        counted.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanoseconds.sum())
}

/// The fields of `stat` after the command's name, which may hold anything: from
/// the third, the state.
fn fields(stat: &str) -> impl Iterator<Item = &str> {
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    fields.split_ascii_whitespace()
}

fn parent_in(stat: &str) -> Option<u32> {
    fields(stat).nth(1)?.parse().ok()
}

/// `utime` and `stime`, the fields 14 and 15.
fn ticks_in(stat: &str) -> Option<u64> {
    let mut times = fields(stat).skip(11);
    let user: u64 = times.next()?.parse().ok()?;
    let system: u64 = times.next()?.parse().ok()?;
    Some(user + system)
}

fn bytes_in(status: &str, field: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kib: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "4711 (node (a) b) S 42 4711 4711 0 -1 4194304 2 0 0 0 \
                        125 17 900 900 20 0 11 0 1234 1 2";

    #[test]
    fn a_name_with_blanks_and_brackets_shifts_nothing() {
        assert_eq!(parent_in(STAT), Some(42));
        assert_eq!(ticks_in(STAT), Some(142));
        assert_eq!(ticks_in("4711 (node) S 42"), None);
    }

    #[test]
    fn memory_is_in_bytes() {
        let status = "Name:\tnode\nVmPeak:\t  9999 kB\nVmHWM:\t    2048 kB\nVmRSS:\t 1 kB\n";
        assert_eq!(bytes_in(status, "VmHWM:"), Some(2_097_152));
        assert_eq!(bytes_in(status, "VmRSS:"), Some(1_024));
        assert_eq!(bytes_in("Name:\tnode\n", "VmHWM:"), None);
    }

    #[test]
    fn publish_and_the_workers_are_on_the_path() {
        assert!(is_function(
            "/x/fanout-local\0function\0worker\0",
            &ON_THE_PATH
        ));
        assert!(is_function(
            "/x/fanout-local\0function\0publish\0",
            &ON_THE_PATH
        ));
        assert!(!is_function(
            "/x/fanout-local\0function\0connect\0",
            &ON_THE_PATH
        ));
        assert!(!is_function("vi\0worker\0", &ON_THE_PATH));
        assert!(!is_function(
            "/x/fanout-local\0function\0publish\0",
            &["worker"]
        ));
    }

    #[test]
    fn a_process_that_came_later_counts_from_its_start() {
        let usage = |cpu, peak_bytes| Usage {
            cpu: Duration::from_millis(cpu),
            peak_bytes,
        };
        let earlier = Reading(BTreeMap::from([(1, usage(100, 5)), (2, usage(7, 7))]));
        let later = Reading(BTreeMap::from([(1, usage(130, 6)), (3, usage(40, 8))]));
        assert_eq!(later.since(&earlier), usage(70, 14));
        assert_eq!(later.largest_peak_bytes(), 8);
    }

    /// The kernel adds up what each processor counts, some pages late.
    const COUNTED_LATE: u64 = 1024 * 1024;

    #[test]
    fn this_process_uses_memory() {
        // Before the peak: beside this test, others take memory.
        let resident = resident_bytes(std::process::id()).unwrap();
        let reading = Reading::of([std::process::id()]);
        assert_eq!(reading.processes(), 1);
        let usage = reading.since(&Reading::default());
        assert!(usage.cpu > Duration::ZERO);
        assert!(resident > 0 && resident <= usage.peak_bytes + COUNTED_LATE);
    }
}
