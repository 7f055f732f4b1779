use http::Request;
use serde_json::Value;

use super::super::routes;
use super::*;
use crate::settings::HttpRoute;

fn event(request: Request<&'static [u8]>) -> Value {
    let settings = Settings {
        http_routes: vec![HttpRoute {
            method: None,
            path: "/notifications/{id}".to_owned(),
            function: "publish".to_owned(),
        }],
        ..Settings::default()
    };
    let (head, body) = request.into_parts();
    let matched = routes::select(&settings.http_routes, &head.method, head.uri.path()).unwrap();
    let received = Received {
        head: &head,
        body: &Bytes::from_static(body),
        source_ip: "203.0.113.7".parse().unwrap(),
        request_id: "JKJaXmPLvHcESHA=",
        at: "2026-11-21T07:00:00.125Z".parse().unwrap(),
    };
    serde_json::from_slice(&received.event(&settings, &matched)).unwrap()
}

#[test]
fn a_request_with_everything_becomes_a_format_2_event() {
    let request = Request::post("/notifications/a%20b?topic=x&topic=y%26z&flag")
        .header("host", "abc123.execute-api.us-east-1.amazonaws.com")
        .header("User-Agent", "curl/8.5.0")
        .header("Content-Type", "application/json; charset=utf-8")
        .header("X-Tag", "one")
        .header("x-tag", "two")
        .header("cookie", "a=1; b=2")
        .body(br#"{"bookId":7}"#.as_slice())
        .unwrap();
    insta::with_settings!({ sort_maps => true }, {
        insta::assert_json_snapshot!(event(request));
    });
}

#[test]
fn what_a_request_lacks_is_absent_from_its_event() {
    let request = Request::get("/notifications/7").body(b"".as_slice());
    insta::with_settings!({ sort_maps => true }, {
        insta::assert_json_snapshot!(event(request.unwrap()));
    });
}

#[test]
fn a_form_and_binary_bodies_travel_as_base64() {
    let body_of = |content_type: &str, body: &'static [u8]| {
        let request = Request::post("/notifications/7").header("content-type", content_type);
        let event = event(request.body(body).unwrap());
        let text = event["body"].as_str().unwrap().to_owned();
        (text, event["isBase64Encoded"].as_bool().unwrap())
    };
    let form = "application/x-www-form-urlencoded";
    assert_eq!(body_of(form, b"a=1"), ("YT0x".to_owned(), true));
    let json = "application/json";
    assert_eq!(body_of(json, &[0xff, 0xfe]), ("//4=".to_owned(), true));
    let problem = "application/problem+json";
    assert_eq!(body_of(problem, b"{}"), ("{}".to_owned(), false));
}
