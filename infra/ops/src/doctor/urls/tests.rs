use super::*;
use crate::doctor::check::tests::check_finding;

const HOST: &str = "abc.execute-api.eu-west-1.amazonaws.com";

#[track_caller]
fn check(role: Role, url: &str, word: &str, says: &str) {
    let url = url.replace("HOST", HOST);
    check_finding(judge_one(role, &url, Some("eu-west-1")), word, says);
}

#[test]
fn what_is_right_is_left_alone() {
    check(Role::WebSocket, "wss://HOST/prod", "ok", "prod");
    check(Role::WebSocket, "ws://127.0.0.1:3001/prod", "ok", "");
    check(Role::WebSocket, "ws://[::1]:3001/prod", "ok", "");
    check(Role::WebSocket, "wss://push.shop.example", "ok", "");
    check(Role::Publish, "https://HOST", "ok", "");
    check(Role::Publish, "http://localhost:3000", "ok", "");
    check(Role::Management, "https://HOST/prod", "ok", "");
    check(Role::Management, "http://127.0.0.1:3001/prod", "ok", "");
}

#[test]
fn a_scheme_is_missing_or_is_another() {
    check(Role::WebSocket, "HOST/prod", "FAIL", "write wss://abc.");
    check(
        Role::WebSocket,
        "https://HOST/prod",
        "FAIL",
        "write wss://abc.",
    );
    check(Role::Publish, "127.0.0.1:3000", "FAIL", "has no scheme");
    check(
        Role::Management,
        "wss://HOST/prod",
        "FAIL",
        "write https://abc.",
    );
    check(Role::WebSocket, "ws://HOST/prod", "FAIL", "TLS alone");
    check(
        Role::Publish,
        "http://shop.example",
        "WARN",
        "not encrypted",
    );
}

#[test]
fn a_path_is_missing_or_is_too_long() {
    check(Role::WebSocket, "wss://HOST", "FAIL", "has no stage");
    check(Role::Management, "https://HOST/", "FAIL", "has no stage");
    check(
        Role::WebSocket,
        "wss://HOST/prod/@connections",
        "FAIL",
        "@connections",
    );
    check(
        Role::Management,
        "https://HOST/prod/%40connections",
        "FAIL",
        "@connections",
    );
    check(Role::Management, "https://HOST/prod/", "WARN", "slash");
    check(
        Role::Publish,
        "https://HOST/orders",
        "FAIL",
        "one operation",
    );
    check(
        Role::Management,
        "https://push.shop.example/prod",
        "WARN",
        "API mapping",
    );
}

#[test]
fn a_host_is_of_another_region() {
    let url = "https://abc.execute-api.us-east-1.amazonaws.com/prod";
    check(
        Role::Management,
        url,
        "FAIL",
        "is in us-east-1, and the Region is eu-west-1",
    );
    check_finding(judge_one(Role::Management, url, None), "ok", "");
}

#[track_caller]
fn check_pair(ws: &str, management: &str, says: Option<&str>) {
    let own = |url: &str| Some(url.replace("HOST", HOST));
    let outputs = Outputs {
        web_socket_url: own(ws),
        management_endpoint: own(management),
        ..Outputs::default()
    };
    let checks = judge(&outputs);
    match says {
        None => assert_eq!(checks.len(), 3, "{checks:?}"),
        Some(says) => check_finding(checks[3].finding.clone(), "FAIL", says),
    }
}

#[test]
fn subscribers_connect_to_what_is_pushed_to() {
    check_pair("wss://HOST/prod", "https://HOST/prod", None);
    check_pair(
        "wss://HOST/prod",
        "https://HOST/test",
        Some("stage \"test\""),
    );
    check_pair(
        "ws://127.0.0.1:1/prod",
        "http://127.0.0.1:1/dev",
        Some("stage \"dev\""),
    );
    let other = "https://xyz.execute-api.eu-west-1.amazonaws.com/prod";
    check_pair("wss://HOST/prod", other, Some("of the API xyz"));
    check_pair("wss://push.shop.example", "https://HOST/prod", None);
}
