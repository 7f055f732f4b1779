//! Work that is counted, not timed: instructions, allocations and memory, by
//! valgrind, of runs of this executable, and of processes that go on.

mod attached;

use std::collections::HashMap;
use std::fs;
use std::ops::AddAssign;

use anyhow::Context as _;
use tempfile::NamedTempFile;

pub(crate) use self::attached::Attached;
use crate::rerun::Rerun;
use crate::spread::real;

const VALGRIND: &str = "valgrind";

/// What one of many costs: the difference between two runs by that between their
/// sizes, which leaves out what a run costs once.
pub(crate) fn each(sizes: [usize; 2], costs: [u64; 2]) -> f64 {
    let ([fewer, more], [less, most]) = (sizes, costs);
    (real(most) - real(less)) / real((more - fewer) as u64)
}

/// Counts the instructions of a run.
///
/// # Errors
/// It fails, or valgrind is not installed.
pub(crate) async fn instructions(run: &Rerun) -> anyhow::Result<u64> {
    let options = [
        "--tool=cachegrind",
        "--cache-sim=no",
        "--cachegrind-out-file=/dev/null",
    ];
    let said = run.run_under(VALGRIND, &options).await?;
    instructions_in(&said.stderr).context("cachegrind did not say what it counted")
}

/// Reads a line such as
/// `==1== I   refs:      1,234`
/// (<https://valgrind.org/docs/manual/cg-manual.html>).
fn instructions_in(said: &str) -> Option<u64> {
    let mut counts = said.lines().filter_map(|line| line.split_once("refs:"));
    let (_, count) = counts.find(|(name, _)| name.trim_end().ends_with(" I"))?;
    count.trim().replace(',', "").parse().ok()
}

/// Instructions of a run, from a profile of callgrind's
/// (<https://valgrind.org/docs/manual/cl-format.html>).
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Profile {
    pub(crate) total: u64,
    /// In functions that compute SHA-256, which valgrind runs without the
    /// processor's instructions for it.
    pub(crate) hashing: u64,
}

impl Profile {
    /// Counts the instructions of a run where they are spent, which takes longer.
    ///
    /// # Errors
    /// It fails, or valgrind is not installed.
    pub(crate) async fn of(run: &Rerun) -> anyhow::Result<Self> {
        let profile = NamedTempFile::new()?;
        let out_file = format!("--callgrind-out-file={}", profile.path().display());
        run.run_under(VALGRIND, &["--tool=callgrind", &out_file])
            .await?;
        Ok(Self::read(&fs::read_to_string(profile.path())?))
    }

    fn read(profile: &str) -> Self {
        let mut names: HashMap<&str, bool> = HashMap::new();
        let mut counted = Self::default();
        let (mut is_hashing, mut is_call) = (false, false);
        for line in profile.lines() {
            if let Some(function) = line.strip_prefix("fn=") {
                // `(id) name` where it is first named, then `(id)` alone.
                let (id, name) = function.split_once(' ').unwrap_or((function, ""));
                if !name.is_empty() {
                    names.insert(id, name.contains("sha2"));
                }
                is_hashing = names.get(id).copied().unwrap_or_default();
            } else if let Some(function) = line.strip_prefix("cfn=") {
                if let Some((id, name)) = function.split_once(' ') {
                    names.insert(id, name.contains("sha2"));
                }
            } else if line.starts_with("calls=") {
                is_call = true;
            } else if line
                .starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first))
            {
                // After a call comes what was spent in it, which is counted
                // where it was spent.
                if !std::mem::take(&mut is_call) {
                    let cost = line.split_whitespace().nth(1);
                    let cost = cost.and_then(|cost| cost.parse().ok()).unwrap_or(0);
                    counted.total += cost;
                    counted.hashing += if is_hashing { cost } else { 0 };
                }
            }
        }
        counted
    }
}

impl AddAssign for Profile {
    fn add_assign(&mut self, other: Self) {
        self.total += other.total;
        self.hashing += other.hashing;
    }
}

/// What DHAT says of a run's heap.
pub(crate) struct Heap {
    /// Allocations.
    pub(crate) blocks: u64,
    /// Bytes that were allocated.
    pub(crate) bytes: u64,
    /// Bytes, at the time when they were the most.
    pub(crate) peak: u64,
}

impl Heap {
    /// Counts what a run allocates.
    ///
    /// # Errors
    /// It fails, or valgrind is not installed.
    pub(crate) async fn of(run: &Rerun) -> anyhow::Result<Self> {
        let options = ["--tool=dhat", "--dhat-out-file=/dev/null"];
        let said = run.run_under(VALGRIND, &options).await?;
        Self::read(&said.stderr).context("DHAT did not say what it counted")
    }

    /// Reads lines such as
    /// `==1== Total:     1,234 bytes in 56 blocks`
    /// (<https://valgrind.org/docs/manual/dh-manual.html>).
    fn read(said: &str) -> Option<Self> {
        let numbers = |name: &str| {
            let line = said.lines().find(|line| line.contains(name))?;
            let (_, counts) = line.split_once(name)?;
            let mut numbers = counts
                .split_whitespace()
                .filter_map(|word| word.replace(',', "").parse::<u64>().ok());
            Some((numbers.next()?, numbers.next()?))
        };
        let (bytes, blocks) = numbers("Total:")?;
        let (peak, _) = numbers("At t-gmax:")?;
        Some(Self {
            blocks,
            bytes,
            peak,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_counts_each_instruction_where_it_was_spent() {
        let profile = "events: Ir\n\nfn=(1) main\n1 100\n+1 20\ncfn=(2) ring_sha256_block\n\
                       calls=3 0\n* 900\n2 5\n\nfn=(2)\n0 900\ncfn=(3) memcpy\ncalls=1 0\n0 7\n\n\
                       fn=(3)\n0 7\ntotals: 1032\n";
        let expected = Profile {
            total: 1_032,
            hashing: 900,
        };
        assert_eq!(Profile::read(profile), expected);
    }

    #[test]
    fn a_heap_is_read_from_what_dhat_says() {
        let said = "==1== Total:     1,234 bytes in 56 blocks\n\
                    ==1== At t-gmax: 78 bytes in 9 blocks\n==1== At t-end: 0 bytes in 0 blocks\n";
        let heap = Heap::read(said).unwrap();
        assert_eq!((heap.bytes, heap.blocks, heap.peak), (1_234, 56, 78));
        assert!(Heap::read("==1== nothing").is_none());
    }

    #[test]
    fn instructions_are_read_from_what_cachegrind_says() {
        let said = "==1== Cachegrind\n==1== \n==1== I   refs:      209,732,772\n";
        assert_eq!(instructions_in(said), Some(209_732_772));
        assert_eq!(instructions_in("==1== D refs: 7\n"), None);
    }

    #[test]
    fn what_a_run_costs_once_is_left_out() {
        let costs = [
            ([5_000, 7_000], 10.0),
            ([5_000, 5_050], 0.25),
            ([7_000, 5_000], -10.0),
        ];
        for (costs, expected) in costs {
            let each = each([100, 300], costs);
            assert!((each - expected).abs() < 1e-9, "{each} of {costs:?}");
        }
    }
}
