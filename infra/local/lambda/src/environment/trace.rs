//! The tracing headers of invocations.

use std::time::Duration;

use uuid::Uuid;

use crate::function::Function;

/// The variable by which a function with active tracing finds its daemon.
const DAEMON: &str = "AWS_XRAY_DAEMON_ADDRESS";

/// Returns the header of an invocation: the trace that it came with, or its
/// own, and the function's segment as parent.
///
/// Whether the trace is kept was decided with it, or else it is where the
/// function has a daemon to send segments to. A queue hands over no trace: its
/// messages' are theirs, and X-Ray links them to the invocation's
/// (<https://docs.aws.amazon.com/xray/latest/devguide/xray-tracelinking.html>).
pub(super) fn of_invocation(function: &Function, came_with: Option<&str>, now: Duration) -> String {
    let field = |name: &str| {
        let mut fields = came_with?
            .split(';')
            .filter_map(|field| field.split_once('='));
        let (_, value) = fields.find(|(found, _)| found.trim() == name)?;
        Some(value.trim())
    };
    let is_sampled = match field("Sampled") {
        Some("0") => false,
        Some("1") => true,
        Some(_) | None => function.config.environment.contains_key(DAEMON),
    };
    let random = Uuid::new_v4().as_u128();
    let own = format!("1-{:08x}-{:024x}", now.as_secs(), random >> 32);
    let root = field("Root").unwrap_or(&own);
    let parent = Uuid::new_v4().as_u128() >> 64;
    let is_sampled = u8::from(is_sampled);
    format!("Root={root};Parent={parent:016x};Sampled={is_sampled}")
}
