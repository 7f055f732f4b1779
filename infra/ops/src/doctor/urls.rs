//! Whether the URLs are of the shape that they should be, judged without asking
//! anybody.

use http::Uri;

use super::check::{Check, Finding};
use crate::outputs::Outputs;

/// The subjects of these checks.
pub const WEB_SOCKET: &str = "WebSocketUrl";
/// See [`WEB_SOCKET`].
pub const PUBLISH: &str = "PublishUrl";
/// See [`WEB_SOCKET`].
pub const MANAGEMENT: &str = "ManagementEndpoint";

/// What a URL is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    WebSocket,
    Publish,
    Management,
}

impl Role {
    const fn subject(self) -> &'static str {
        match self {
            Self::WebSocket => WEB_SOCKET,
            Self::Publish => PUBLISH,
            Self::Management => MANAGEMENT,
        }
    }

    /// Its schemes, without and with TLS.
    const fn schemes(self) -> [&'static str; 2] {
        match self {
            Self::WebSocket => ["ws", "wss"],
            Self::Publish | Self::Management => ["http", "https"],
        }
    }
}

/// Judges every URL that is given, and whether they belong together.
#[must_use]
pub fn judge(outputs: &Outputs) -> Vec<Check> {
    let region = outputs.region.as_deref();
    let mut checks: Vec<_> = [
        (Role::WebSocket, &outputs.web_socket_url),
        (Role::Publish, &outputs.publish_url),
        (Role::Management, &outputs.management_endpoint),
    ]
    .into_iter()
    .map(|(role, url)| {
        let finding = match url {
            None => Finding::skipped("not given"),
            Some(url) => judge_one(role, url, region),
        };
        Check::new(role.subject(), finding)
    })
    .collect();
    let pair = (&outputs.web_socket_url, &outputs.management_endpoint);
    if let (Some(ws), Some(management)) = pair {
        let finding = judge_pair(ws, management);
        checks.extend(finding.map(|finding| Check::new(MANAGEMENT, finding)));
    }
    checks
}

fn judge_one(role: Role, text: &str, region: Option<&str>) -> Finding {
    let [plain, secure] = role.schemes();
    let fail = |what: String, advice: String| Finding::fail(format!("{text}: {what}"), advice);
    if !text.contains("://") {
        return fail(
            "has no scheme".to_owned(),
            format!("write {secure}://{text}"),
        );
    }
    let Ok(url) = text.parse::<Uri>() else {
        return fail(
            "is no URL".to_owned(),
            format!("expected {secure}://HOST/…"),
        );
    };
    let (scheme, host) = (
        url.scheme_str().unwrap_or_default(),
        url.host().unwrap_or_default(),
    );
    if scheme != plain && scheme != secure {
        let (_, rest) = text.split_once("://").unwrap_or_default();
        return fail(
            format!("{scheme}:// is not for this"),
            format!("write {secure}://{rest}"),
        );
    }
    let path = url.path();
    if path.contains("@connections") || path.contains("%40connections") {
        return fail(
            "@connections is not part of it, the SDK appends it".to_owned(),
            "end it with the stage".to_owned(),
        );
    }
    let steps: Vec<_> = path.split('/').filter(|step| !step.is_empty()).collect();
    let gateway = ExecuteApi::of(host);
    if role == Role::Publish && matches!(steps.last(), Some(&("orders" | "notifications"))) {
        return fail(
            "is the URL of one operation".to_owned(),
            "give it without the path".to_owned(),
        );
    }
    match &gateway {
        Some(_) if scheme == plain => {
            return fail(
                "API Gateway speaks TLS alone".to_owned(),
                format!("write {secure}://"),
            );
        }
        Some(_) if role != Role::Publish && steps.is_empty() => {
            return fail(
                "has no stage".to_owned(),
                "append the stage, such as /prod".to_owned(),
            );
        }
        Some(ExecuteApi { region: of, .. }) if region.is_some_and(|region| region != of) => {
            return fail(
                format!(
                    "is in {of}, and the Region is {}",
                    region.unwrap_or_default()
                ),
                "one of them is wrong; requests are signed for the Region".to_owned(),
            );
        }
        Some(_) | None => {}
    }
    if path.len() > 1 && path.ends_with('/') {
        return Finding::warn(
            format!("{text}: ends with a slash"),
            "take it away: paths are appended",
        );
    }
    let is_custom_domain = gateway.is_none() && !is_local(host);
    if is_custom_domain && role != Role::Publish && !steps.is_empty() {
        return Finding::warn(
            format!("{text}: has a path, and a custom domain has no stage"),
            "right if it is the key of the domain's API mapping, otherwise take it away",
        );
    }
    if scheme == plain && !is_local(host) {
        return Finding::warn(
            format!("{text}: is not encrypted"),
            format!("use {secure}://"),
        );
    }
    Finding::Ok(text.to_owned())
}

/// Judges whether subscribers connect to what is pushed to; `None` where that
/// cannot be told, or is told of one of them already.
fn judge_pair(ws: &str, management: &str) -> Option<Finding> {
    let (ws, management): (Uri, Uri) = (ws.parse().ok()?, management.parse().ok()?);
    let stage = |url: &Uri| url.path().trim_matches('/').to_owned();
    let (of_ws, of_management) = (stage(&ws), stage(&management));
    if of_management.contains("connections") {
        return None;
    }
    let apis = (
        ExecuteApi::of(ws.host()?),
        ExecuteApi::of(management.host()?),
    );
    if let (Some(ws), Some(management)) = &apis
        && ws.api != management.api
    {
        return Some(Finding::fail(
            format!(
                "is of the API {}, and subscribers connect to {}",
                management.api, ws.api
            ),
            "it is the WebSocket API's: the host of WebSocketUrl",
        ));
    }
    // A custom domain on one side says nothing of the stage.
    let are_alike = apis.0.is_some() == apis.1.is_some();
    if are_alike && of_ws != of_management && !of_ws.is_empty() && !of_management.is_empty() {
        return Some(Finding::fail(
            format!("is of the stage {of_management:?}, and subscribers connect to {of_ws:?}"),
            "give both the same stage: a push to another stage finds every connection gone",
        ));
    }
    None
}

/// A host of API Gateway's own
/// (<https://docs.aws.amazon.com/general/latest/gr/apigateway.html>).
#[derive(Debug, PartialEq, Eq)]
struct ExecuteApi {
    api: String,
    region: String,
}

impl ExecuteApi {
    fn of(host: &str) -> Option<Self> {
        let (api, rest) = host.split_once(".execute-api.")?;
        let (region, domain) = rest.split_once('.')?;
        domain.starts_with("amazonaws.com").then(|| Self {
            api: api.to_owned(),
            region: region.to_owned(),
        })
    }
}

/// Whether a host is this machine, or an address: no domain of API Gateway's.
fn is_local(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.ends_with(".localhost") || bare.parse::<std::net::IpAddr>().is_ok()
}

#[cfg(test)]
mod tests;
