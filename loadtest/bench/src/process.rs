//! What processes use, as `/proc` tells it (`proc(5)`).

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use serde::Serialize;

use crate::micros::as_micros;

/// The processor time and the memory of some processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Usage {
    /// User and system time of all threads, those that have ended included; in
    /// steps of the kernel's clock tick, 10 ms mostly.
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

/// The functions of a local stack that a notification passes through: `publish`
/// and every worker.
pub(crate) fn functions_of(stack: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &u32| {
        let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).ok();
        let (Some(stat), Some(command)) = (read("stat"), read("cmdline")) else {
            return false;
        };
        parent_in(&stat) == Some(stack) && is_on_the_path(&command)
    })
    .collect()
}

fn is_on_the_path(command: &str) -> bool {
    let command = command.trim_end_matches('\0');
    ["publish", "worker"]
        .iter()
        .any(|name| command.ends_with(&format!("\0function\0{name}")))
}

fn usage(pid: u32) -> Option<Usage> {
    let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).ok();
    let ticks_per_second = rustix::param::clock_ticks_per_second();
    let ticks = ticks_in(&read("stat")?)?;
    Some(Usage {
        cpu: Duration::from_micros(ticks * 1_000_000 / ticks_per_second.max(1)),
        peak_bytes: peak_in(&read("status")?)?,
    })
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

fn peak_in(status: &str) -> Option<u64> {
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = peak.trim().strip_suffix("kB")?.trim().parse().ok()?;
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
    fn the_peak_is_in_bytes() {
        let status = "Name:\tnode\nVmPeak:\t  9999 kB\nVmHWM:\t    2048 kB\nVmRSS:\t 1 kB\n";
        assert_eq!(peak_in(status), Some(2_097_152));
        assert_eq!(peak_in("Name:\tnode\n"), None);
    }

    #[test]
    fn publish_and_the_workers_are_on_the_path() {
        assert!(is_on_the_path("/x/fanout-local\0function\0worker\0"));
        assert!(is_on_the_path("/x/fanout-local\0function\0publish\0"));
        assert!(!is_on_the_path("/x/fanout-local\0function\0connect\0"));
        assert!(!is_on_the_path("vi\0worker\0"));
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
    }

    #[test]
    fn this_process_uses_memory() {
        let reading = Reading::of([std::process::id()]);
        assert_eq!(reading.processes(), 1);
        assert!(reading.since(&Reading::default()).peak_bytes > 0);
    }
}
