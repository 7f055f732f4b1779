//! Everybody in turn.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use super::Options;
use super::contestant::{Contestant, Runtime};
use super::install::Installed;
use super::measurement::Measurement;
use super::peer::Peer;
use super::pipeline;
use super::report::{Report, Runs};
use super::scenario::Scenario;
use crate::broadcast::order;
use crate::harness::on_a_stack;
use crate::machine::Machine;
use crate::stack::Stack;

/// Everything that the runs need, and what they have shown.
pub(super) struct Competition {
    stack: PathBuf,
    rounds: u16,
    runtimes: Vec<(Runtime, Installed)>,
    versions: BTreeMap<Contestant, String>,
    left_out: Vec<String>,
    measured: Vec<(Scenario, Runs)>,
}

impl Competition {
    /// Builds the stack and installs what the handlers need; who lacks it is left
    /// out.
    ///
    /// # Errors
    /// The stack cannot be built.
    pub(super) async fn prepare(options: &Options) -> anyhow::Result<Self> {
        let mut contestants = options.contestants();
        let (mut runtimes, mut left_out) = (Vec::new(), Vec::new());
        for runtime in [Runtime::Node, Runtime::Python] {
            let runs_on = |one: &Contestant| {
                one.handler()
                    .is_some_and(|handler| handler.runtime == runtime)
            };
            if !contestants.iter().any(runs_on) {
                continue;
            }
            match Installed::of(runtime).await {
                Ok(installed) => runtimes.push((runtime, installed)),
                Err(error) => {
                    eprintln!("left out: {runtime:?}: {error:#}");
                    left_out.push(format!("{runtime:?}: {error:#}"));
                    contestants.retain(|one| !runs_on(one));
                }
            }
        }
        let runs = || contestants.iter().map(|one| (*one, Vec::new())).collect();
        let scenarios = options.scenarios().into_iter();
        Ok(Self {
            stack: options.harness.stack.executable().await?,
            rounds: options.rounds(),
            runtimes,
            versions: BTreeMap::new(),
            left_out,
            measured: scenarios.map(|scenario| (scenario, runs())).collect(),
        })
    }

    /// Runs everybody in turn, in another order in each round, so that nobody
    /// always follows the same one. Interrupted, it keeps what it has.
    ///
    /// # Errors
    /// A stack does not start, or does not answer.
    pub(super) async fn run(&mut self, interrupt: &CancellationToken) -> anyhow::Result<()> {
        for round in 0..self.rounds {
            for at in 0..self.measured.len() {
                let Some((scenario, runs)) = self.measured.get(at) else {
                    continue;
                };
                let scenario = *scenario;
                let mut order: Vec<Contestant> = runs.iter().map(|(one, _)| *one).collect();
                let first = usize::from(round) % order.len().max(1);
                order.rotate_left(first);
                for contestant in order {
                    let measured = self.measure(contestant, scenario, round, interrupt).await;
                    let running = || format!("{contestant}: {scenario}");
                    let Some(measurement) = measured.with_context(running)? else {
                        return Ok(());
                    };
                    self.note(at, contestant, round, measurement);
                }
            }
        }
        Ok(())
    }

    /// Runs one contestant once; `None` if that was interrupted.
    async fn measure(
        &mut self,
        contestant: Contestant,
        scenario: Scenario,
        round: u16,
        interrupt: &CancellationToken,
    ) -> anyhow::Result<Option<Measurement>> {
        let seed = u64::from(round);
        let executable = self.stack.clone();
        let stack_options = scenario.stack_options(seed);
        on_a_stack(&executable, &stack_options, interrupt, async |stack| {
            self.measure_on(stack, contestant, &scenario, seed).await
        })
        .await
    }

    async fn measure_on(
        &mut self,
        stack: &Stack,
        contestant: Contestant,
        scenario: &Scenario,
        seed: u64,
    ) -> anyhow::Result<Measurement> {
        stack.close(scenario.gone(), seed).await?;
        let Some(handler) = contestant.handler() else {
            return pipeline::measure(stack, scenario, &order()).await;
        };
        let mut runtimes = self.runtimes.iter();
        let installed = runtimes.find(|(runtime, _)| *runtime == handler.runtime);
        let (_, installed) = installed.context("its runtime is not installed")?;
        let peer = Peer::start(installed.command(handler, stack)).await?;
        self.versions.insert(contestant, peer.runtime().to_owned());
        peer.measure(stack, scenario, &order()).await
    }

    /// Keeps a measurement, and says on stderr how it went.
    fn note(&mut self, at: usize, contestant: Contestant, round: u16, measurement: Measurement) {
        let Some((scenario, runs)) = self.measured.get_mut(at) else {
            return;
        };
        let last = measurement.last_delivery.unwrap_or_default();
        eprintln!(
            "round {} of {}, {scenario}: {contestant}: {} of {} in {:.2} s, {:.2} s of CPU, {}",
            round + 1,
            self.rounds,
            measurement.reached,
            measurement.living,
            last.as_secs_f64(),
            measurement.usage.cpu.as_secs_f64(),
            measurement.ending,
        );
        let runs = runs.iter_mut().find(|(one, _)| *one == contestant);
        if let Some((_, runs)) = runs {
            runs.push(measurement);
        }
    }

    /// Sums up.
    pub(super) fn report(self, machine: Machine) -> Report {
        Report::new(machine, &self.versions, self.left_out, self.measured)
    }
}
