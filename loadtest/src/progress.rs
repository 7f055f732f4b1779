//! Tells a person how far the run is.

use std::{convert::Infallible, time::Duration};

use crate::{recorder::measurements::Counts, recording::Recording, settings::Settings};

const INTERVAL: Duration = Duration::from_secs(1);

/// Writes a line to stderr every second, and never returns.
pub async fn show(settings: &Settings, recording: &Recording) -> Infallible {
    loop {
        tokio::time::sleep(INTERVAL).await;
        let counts = recording.with(|recorder| recorder.counts());
        eprintln!("{}", line(settings, &counts));
    }
}

fn line(settings: &Settings, counts: &Counts) -> String {
    let connected = format!("connected {}/{}", counts.connected, settings.subscribers);
    if counts.sent == 0 {
        return connected;
    }
    format!(
        "{connected}, published {}/{}, received {}/{}",
        counts.sent,
        settings.schedule.sends(),
        counts.received,
        counts.expected
    )
}
