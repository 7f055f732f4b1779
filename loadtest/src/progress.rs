//! Tells a person how far the run is.

use std::{
    convert::Infallible,
    io::{Write, stderr},
    time::Duration,
};

use crate::{recorder::counts::Counts, recording::Recording, settings::Settings};

const INTERVAL: Duration = Duration::from_millis(200);
const WIDTH: u64 = 24;

/// Draws a bar on stderr, over and over in one line, and never returns. When it
/// is dropped the line is wiped.
pub async fn show(settings: &Settings, recording: &Recording) -> Infallible {
    let _line = Line;
    let started = recording.now();
    loop {
        tokio::time::sleep(INTERVAL).await;
        let counts = recording.with(|recorder| recorder.counts());
        let passed = recording.now().saturating_sub(started);
        // Nobody is left to tell if stderr is closed.
        let _closed = write!(stderr(), "\r\x1b[K{}", line(settings, &counts, passed));
        let _closed = stderr().flush();
    }
}

/// The line that the bar is drawn in.
struct Line;

impl Drop for Line {
    fn drop(&mut self) {
        let _closed = write!(stderr(), "\r\x1b[K");
    }
}

fn line(settings: &Settings, counts: &Counts, passed: Duration) -> String {
    let subscribers = u64::from(settings.subscribers);
    let seconds = passed.as_secs();
    let deliveries = format!("received {}/{}", counts.received, counts.expected);
    if counts.sent > 0 {
        let notifications = settings.schedule.sends();
        let bar = bar(counts.sent, notifications);
        let sent = counts.sent;
        return format!("publishing {bar} {sent}/{notifications}, {deliveries}, {seconds} s");
    }
    let settled = counts.connected + counts.connect_failures;
    if settled < subscribers || settings.publish.is_some() {
        let (bar, connected) = (bar(settled, subscribers), counts.connected);
        let retries = counts.connect_retries;
        return format!(
            "connecting {bar} {connected}/{subscribers}, {retries} retries, {seconds} s"
        );
    }
    format!("listening  {deliveries}, {seconds} s")
}

/// So much of the whole, drawn.
fn bar(done: u64, whole: u64) -> String {
    let filled = done.min(whole).saturating_mul(WIDTH) / whole.max(1);
    let drawn = (0..WIDTH).map(|at| if at < filled { '█' } else { '░' });
    drawn.collect()
}

#[cfg(test)]
mod tests {
    use http::Uri;

    use super::*;

    #[test]
    fn the_bar_says_what_the_run_is_doing() {
        let ws = Uri::from_static("ws://h/p");
        let mut settings = Settings::new(ws, Some(Uri::from_static("http://h/o")));
        let mut counts = Counts {
            connected: 5,
            ..Counts::default()
        };
        let passed = Duration::from_millis(3_400);
        assert_eq!(
            line(&settings, &counts, passed),
            "connecting ████████████░░░░░░░░░░░░ 5/10, 0 retries, 3 s"
        );
        settings.publish = None;
        counts.connected = 10;
        assert_eq!(
            line(&settings, &counts, passed),
            "listening  received 0/0, 3 s"
        );
        counts.sent = 10;
        assert_eq!(
            line(&settings, &counts, passed),
            "publishing ████████████████████████ 10/10, received 0/0, 3 s"
        );
    }
}
