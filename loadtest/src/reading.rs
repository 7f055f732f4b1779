//! What a frame tells the recording.

use std::sync::OnceLock;

use tokio_util::sync::CancellationToken;

use crate::{
    identity::Identity,
    machine,
    mark::{Mark, RunId},
    parking::Arrival,
    recorder::Recorder,
    recording::Recording,
};

/// Reads the frames of all subscribers.
#[derive(Debug)]
pub enum Reading {
    /// Those that this process publishes.
    OwnPublishes(Identity),
    /// Those of another process, by their mark.
    OthersMarks(Listening),
}

/// Which marks are listened to.
#[derive(Debug)]
pub struct Listening {
    machine: u32,
    /// The run that is listened to: the one asked for, or else the first heard.
    run: OnceLock<RunId>,
    is_foreign: CancellationToken,
}

impl Reading {
    /// Listens to what another process of this machine publishes in a run, or
    /// in the first run that is heard of.
    #[must_use]
    pub fn listening(run: Option<RunId>) -> Self {
        Self::OthersMarks(Listening {
            machine: machine::identity(),
            run: run.map_or_else(OnceLock::new, OnceLock::from),
            is_foreign: CancellationToken::new(),
        })
    }

    /// Reads a text frame that has arrived.
    pub fn frame(&self, text: &str, arrival: Arrival, recording: &Recording) {
        match self {
            Self::OwnPublishes(identity) => match identity.of_frame(text) {
                Some(id) => recording.with(|r| r.arrived(&id, arrival)),
                None => recording.with(Recorder::other_frame),
            },
            Self::OthersMarks(listening) => match Mark::find(text) {
                Some((mark, id)) => listening.mark(&mark, id, arrival, recording),
                None => recording.with(Recorder::other_frame),
            },
        }
    }

    /// The run that is listened to, once it is known.
    #[must_use]
    pub fn run(&self) -> Option<RunId> {
        match self {
            Self::OwnPublishes(_) => None,
            Self::OthersMarks(listening) => listening.run.get().copied(),
        }
    }

    /// Returns once a mark of another machine has arrived, whose clock says
    /// nothing here.
    pub async fn foreign_clock(&self) {
        match self {
            Self::OwnPublishes(_) => std::future::pending().await,
            Self::OthersMarks(listening) => listening.is_foreign.cancelled().await,
        }
    }
}

impl Listening {
    fn mark(&self, mark: &Mark, id: &str, arrival: Arrival, recording: &Recording) {
        if *self.run.get_or_init(|| mark.run) != mark.run {
            return recording.with(Recorder::unattributed);
        }
        if mark.machine != self.machine {
            return self.is_foreign.cancel();
        }
        recording.with(|recorder| {
            recorder.sent_elsewhere(mark.sequence, mark.intended, id);
            recorder.arrived(id, arrival);
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::subscriber_set::SubscriberIndex;

    fn hear(reading: &Reading, recording: &Recording, run: &str, machine: u32, at_ms: u64) {
        let mark = Mark {
            run: run.parse().unwrap(),
            machine,
            sequence: 3,
            intended: Duration::from_millis(10),
        };
        let arrival = Arrival {
            subscriber: SubscriberIndex(0),
            at: Duration::from_millis(at_ms),
        };
        reading.frame(&format!("[{mark}]"), arrival, recording);
    }

    fn recording() -> Recording {
        let recording = Recording::start(2);
        for index in 0..2 {
            recording.with(|r| r.opened(SubscriberIndex(index), Duration::ZERO));
        }
        recording
    }

    #[test]
    fn a_listener_measures_from_the_instant_in_the_mark() {
        let (reading, recording) = (Reading::listening(None), recording());
        hear(&reading, &recording, "00000001", machine::identity(), 15);
        hear(&reading, &recording, "00000001", machine::identity(), 16);
        let measured = recording.finish();
        let counts = measured.counts;
        assert_eq!(
            (
                counts.expected,
                counts.received,
                counts.duplicates,
                counts.sent
            ),
            (2, 1, 1, 0)
        );
        assert_eq!(measured.latency_us.unwrap().max.div_euclid(100), 50);
        assert_eq!(measured.service_time_us, None);
        assert_eq!(reading.run(), "00000001".parse().ok());
    }

    #[test]
    fn frames_of_another_run_are_not_this_runs() {
        let reading = Reading::listening("00000001".parse().ok());
        let recording = recording();
        hear(&reading, &recording, "00000002", machine::identity(), 15);
        let counts = recording.finish().counts;
        assert_eq!((counts.expected, counts.unattributed), (0, 1));
    }

    #[tokio::test]
    async fn the_clock_of_another_machine_is_refused() {
        let (reading, recording) = (Reading::listening(None), recording());
        hear(&reading, &recording, "00000001", !machine::identity(), 15);
        reading.foreign_clock().await;
        assert_eq!(recording.finish().counts.received, 0);
    }
}
