//! How long the functions take to start, and what they weigh.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use fanout_local_lambda::{FunctionConfig, HostConfig, Lambda};

use super::programs::Programs;
use super::{Addresses, functions};
use crate::cli::{ColdStartOptions, Options};

/// Not a part of the pipeline: it is measured where it was built.
const CANARY: &str = "canary";

/// Starts every function of a directory again and again, each time until it
/// asks for its first event, and returns what was measured as a table in
/// Markdown.
///
/// The functions get the settings that the stack gives them with `--auth`, but
/// nobody answers where these point: a start is to need nobody. The files are in
/// the machine's cache after the first start; on AWS the package is loaded and
/// unpacked before what is measured here.
///
/// # Errors
/// A function of the pipeline is not there, or does not start.
pub(crate) async fn measure(options: &ColdStartOptions) -> anyhow::Result<String> {
    let programs = Programs::of(Some(&options.directory))?;
    let mut measured = Vec::new();
    for function in configure(&programs)? {
        measured.push(Measured::new(function, &programs)?);
    }
    // In turns, so that what disturbs the machine for a while disturbs all.
    for _ in 0..options.starts {
        for function in &mut measured {
            let name = &function.config.name;
            let started = start(&function.config).await;
            let started = started.with_context(|| format!("cannot start function {name}"))?;
            function.starts.push(started);
        }
    }
    Ok(table(&measured, options.starts))
}

/// A function and its starts.
struct Measured {
    config: FunctionConfig,
    /// Of the package, where there is one.
    zip_bytes: Option<u64>,
    program_bytes: u64,
    starts: Vec<Start>,
}

/// One start, until the function asked for its first event.
struct Start {
    took: Duration,
    /// The most that was resident.
    memory_bytes: Option<u64>,
}

impl Measured {
    fn new(config: FunctionConfig, programs: &Programs) -> anyhow::Result<Self> {
        let bytes = |path: &Path| anyhow::Ok(std::fs::metadata(path)?.len());
        let zip = programs.program(&config.name)?.zip;
        Ok(Self {
            zip_bytes: zip.as_deref().map(bytes).transpose()?,
            program_bytes: bytes(&config.program)?,
            config,
            starts: Vec::new(),
        })
    }
}

fn configure(programs: &Programs) -> anyhow::Result<Vec<FunctionConfig>> {
    // Port 9 is for what is discarded: nobody listens there.
    let nobody = SocketAddr::from(([127, 0, 0, 1], 9));
    let options = Options::with_auth()?;
    let addresses = Addresses {
        http: nobody,
        ws: nobody,
        dynamodb: nobody,
        sqs: nobody,
        stage: options.stage.clone(),
    };
    let mut configured = functions::configure(&options, &addresses, programs)?;
    // One program is to be measured once.
    configured.retain(|function| fanout_functions::NAMES.contains(&function.name.as_str()));
    if programs.has(CANARY) {
        configured.extend(canary(configured.first(), programs)?);
    }
    Ok(configured)
}

/// The canary, started like another function; the stack has none.
fn canary(
    like: Option<&FunctionConfig>,
    programs: &Programs,
) -> anyhow::Result<Option<FunctionConfig>> {
    let Some(mut canary) = like.cloned() else {
        return Ok(None);
    };
    CANARY.clone_into(&mut canary.name);
    canary.program = programs.program(CANARY)?.path;
    canary.environment.extend(
        [
            ("CANARY_WS_URL", "ws://127.0.0.1:9/prod"),
            ("CANARY_PUBLISH_URL", "http://127.0.0.1:9"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    Ok(Some(canary))
}

async fn start(function: &FunctionConfig) -> anyhow::Result<Start> {
    let lambda = Lambda::start(vec![function.clone()], HostConfig::default())?;
    let warmed = lambda.warm(&function.name).await;
    let environment = lambda.environments(&function.name).pop();
    lambda.shutdown().await;
    warmed?;
    let environment = environment.context("it ended at once")?;
    Ok(Start {
        took: environment.init_duration.context("it ended at once")?,
        memory_bytes: environment.peak_memory_bytes,
    })
}

fn table(measured: &[Measured], starts: u16) -> String {
    let mut table = format!(
        "{starts} starts of each, from the start of the process to its first request for an event\n\
         \n\
         | function | zip | unpacked | median | least | most | memory |\n\
         |---|---:|---:|---:|---:|---:|---:|\n"
    );
    for function in measured {
        let mut took: Vec<Duration> = function.starts.iter().map(|start| start.took).collect();
        took.sort_unstable();
        let milliseconds = |took: Option<Duration>| {
            took.map_or_else(String::new, |took| {
                format!("{:.1} ms", took.as_secs_f64() * 1e3)
            })
        };
        let memory = function
            .starts
            .iter()
            .filter_map(|start| start.memory_bytes);
        // A string takes whatever is written.
        let _ = writeln!(
            table,
            "| {} | {} | {} | {} | {} | {} | {} |",
            function.config.name,
            mebibytes(function.zip_bytes),
            mebibytes(Some(function.program_bytes)),
            milliseconds(median(&took)),
            milliseconds(took.first().copied()),
            milliseconds(took.last().copied()),
            mebibytes(memory.max()),
        );
    }
    table
}

/// The middle of what is sorted: of an even number, between the two in the
/// middle.
fn median(sorted: &[Duration]) -> Option<Duration> {
    let upper = sorted.get(sorted.len() / 2)?;
    let lower = sorted.get((sorted.len() - 1) / 2)?;
    Some((*lower + *upper) / 2)
}

fn mebibytes(bytes: Option<u64>) -> String {
    let Some(bytes) = bytes else {
        return String::new();
    };
    // In hundredths, rounded.
    let hundredths = (bytes * 100 + 512 * 1024) / (1024 * 1024);
    format!("{}.{:02} MiB", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_in_the_middle() {
        let milliseconds = |ms: &[u64]| ms.iter().copied().map(Duration::from_millis).collect();
        for (sorted, expected) in [
            (vec![], None),
            (vec![3], Some(3)),
            (vec![1, 3], Some(2)),
            (vec![1, 2, 9], Some(2)),
        ] {
            let sorted: Vec<Duration> = milliseconds(&sorted);
            assert_eq!(median(&sorted), expected.map(Duration::from_millis));
        }
    }

    #[test]
    fn sizes_are_rounded() {
        assert_eq!(mebibytes(Some(1024 * 1024)), "1.00 MiB");
        assert_eq!(mebibytes(Some(1_583_000)), "1.51 MiB");
        assert_eq!(mebibytes(None), "");
    }
}
