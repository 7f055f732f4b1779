//! What one process measured, as a file that can be merged: an `HdrHistogram`
//! log (<https://github.com/HdrHistogram/HdrHistogram>, format 1.3) of one
//! tagged histogram for each kind of span, and one for each interval of the
//! timeline, in microseconds, after a comment that holds everything else as
//! JSON.

use std::{collections::BTreeMap, io, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use hdrhistogram::{
    Histogram,
    serialization::{
        Deserializer, V2DeflateSerializer,
        interval_log::{IntervalLogIterator, IntervalLogWriterBuilder, LogEntry, Tag},
    },
};

pub use self::header::Header;
use crate::{latency::LatencyHistogram, recorder::measurements::Recorded, timeline::Timeline};

mod header;

/// What the comment begins with.
const HEADER: &str = "#fanout-loadtest ";

/// The tag of the timeline's intervals.
const TIMELINE: &str = "timeline";

/// What one process asked for and measured.
#[derive(Debug, Clone)]
pub struct Log {
    /// What was asked for, and everything counted.
    pub header: Header,
    /// The histograms, by their tag.
    pub histograms: BTreeMap<String, LatencyHistogram>,
    /// Latency over the time of the run.
    pub timeline: Timeline,
}

impl Log {
    /// The tags, and which histogram each names.
    fn tagged(recorded: &Recorded) -> [(&'static str, &LatencyHistogram); 3] {
        [
            ("latency", &recorded.latency),
            ("service_time", &recorded.service_time),
            ("connect", &recorded.connect_latency),
        ]
    }

    /// Puts what was recorded under its tags.
    #[must_use]
    pub fn new(header: Header, recorded: &Recorded) -> Self {
        let histograms = Self::tagged(recorded)
            .into_iter()
            .map(|(tag, histogram)| (tag.to_owned(), histogram.clone()));
        Self {
            header,
            histograms: histograms.collect(),
            timeline: recorded.timeline.clone(),
        }
    }

    /// What was recorded.
    #[must_use]
    pub fn recorded(&self) -> Recorded {
        let histogram = |tag| self.histograms.get(tag).cloned().unwrap_or_default();
        Recorded {
            latency: histogram("latency"),
            service_time: histogram("service_time"),
            connect_latency: histogram("connect"),
            timeline: self.timeline.clone(),
            ..self.header.recorded()
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// What the writer fails with.
    pub fn write(&self, mut to: impl io::Write) -> io::Result<()> {
        let header = serde_json::to_string(&self.header)?;
        writeln!(to, "{HEADER}{header}")?;
        let mut serializer = V2DeflateSerializer::new();
        let mut builder = IntervalLogWriterBuilder::new();
        builder.add_comment("[Histogram log format version 1.3]");
        let mut log = builder.begin_log_with(&mut to, &mut serializer)?;
        let begun = self.header.first_sent_us.unwrap_or_default();
        let ended = self.header.last_arrival_us.unwrap_or(begun);
        for (tag, histogram) in &self.histograms {
            let begun = Duration::from_micros(begun);
            let lasted = Duration::from_micros(ended).saturating_sub(begun);
            log.write_histogram(histogram.as_hdr(), begun, lasted, Tag::new(tag))
                .map_err(io::Error::other)?;
        }
        for (start, lasts, arrived) in self.timeline.intervals() {
            log.write_histogram(arrived, start, lasts, Tag::new(TIMELINE))
                .map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// Reads what [`Log::write`] wrote.
    ///
    /// # Errors
    /// [`LogError`] if it is something else.
    pub fn read(text: &str) -> Result<Self, LogError> {
        let header = text
            .lines()
            .find_map(|line| line.strip_prefix(HEADER))
            .ok_or(LogError::NoHeader)?;
        let header = serde_json::from_str(header).map_err(LogError::Header)?;
        let mut histograms = BTreeMap::new();
        let mut timeline = Timeline::new();
        for entry in IntervalLogIterator::new(text.as_bytes()) {
            let LogEntry::Interval(interval) = entry.map_err(|_| LogError::Histogram)? else {
                continue;
            };
            let Some(tag) = interval.tag() else {
                continue;
            };
            let histogram = decode(interval.encoded_histogram()).ok_or(LogError::Histogram)?;
            if tag.as_str() == TIMELINE {
                let (start, lasts) = (interval.start_timestamp(), interval.duration());
                timeline.add(start, lasts, &histogram);
            } else {
                let merged: &mut LatencyHistogram =
                    histograms.entry(tag.as_str().to_owned()).or_default();
                merged.record_shifted(&histogram, Duration::ZERO);
            }
        }
        Ok(Self {
            header,
            histograms,
            timeline,
        })
    }
}

/// Reads a histogram as it stands in a log: base64 of its compressed form.
#[must_use]
pub fn decode(base64: &str) -> Option<Histogram<u64>> {
    let bytes = BASE64_STANDARD.decode(base64).ok()?;
    Deserializer::new().deserialize(&mut bytes.as_slice()).ok()
}

/// Why a file is not a log of a run.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The comment with the counts is missing.
    #[error("not a log that --output wrote")]
    NoHeader,
    /// The comment with the counts cannot be read.
    #[error("cannot read the counts")]
    Header(#[source] serde_json::Error),
    /// A histogram cannot be read.
    #[error("cannot read a histogram")]
    Histogram,
}

#[cfg(test)]
mod tests;
