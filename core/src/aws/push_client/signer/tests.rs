use std::time::{Duration, UNIX_EPOCH};

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::aws::push_client::payloads::HashedPayloads;

fn credentials(id: &str, secret: &str, token: Option<&str>) -> Arc<Credentials> {
    let token = token.map(ToOwned::to_owned);
    Arc::new(Credentials::new(id, secret, token, None, "test"))
}

fn at_second(second: u32) -> Timestamp {
    Timestamp::from_second(second.into()).unwrap()
}

/// The headers that the `aws-sigv4` crate signs a push with.
fn reference(
    url: &str,
    payload: &[u8],
    credentials: &Credentials,
    region: &str,
    second: u32,
) -> Vec<(String, String)> {
    let identity = credentials.clone().into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("execute-api")
        .time(UNIX_EPOCH + Duration::from_secs(second.into()))
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let body = SignableBody::Bytes(payload);
    let request = SignableRequest::new("POST", url, std::iter::empty(), body).unwrap();
    let (instructions, _) = sign(request, &parameters).unwrap().into_parts();
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let mut headers: Vec<_> = instructions.headers().map(owned).collect();
    headers.sort();
    headers
}

fn ours(
    signer: &Signer,
    path: &Path,
    payload: &[u8],
    credentials: &Arc<Credentials>,
    second: u32,
) -> Vec<(String, String)> {
    let moment = signer.at(credentials, at_second(second));
    let digest = HashedPayloads::default().digest(&Bytes::copy_from_slice(payload));
    let authorization = moment.authorization(path, &digest).unwrap();
    let owned = |name: &str, value: &HeaderValue| {
        let value = String::from_utf8(value.as_bytes().to_vec()).unwrap();
        (name.to_owned(), value)
    };
    let mut headers = vec![
        owned("authorization", &authorization),
        owned("x-amz-date", moment.date()),
    ];
    headers.extend(
        moment
            .security_token()
            .map(|t| owned("x-amz-security-token", t)),
    );
    headers
}

fn endpoints() -> impl Strategy<Value = String> {
    let host = prop_oneof![
        "[a-z0-9]{1,10}\\.execute-api\\.eu-central-1\\.amazonaws\\.com",
        "[a-z][a-z0-9-]{0,10}[a-z]\\.example",
        Just("127.0.0.1".to_owned()),
        Just("[::1]".to_owned()),
    ];
    let port = prop_oneof![
        Just(String::new()),
        Just(":80".to_owned()),
        Just(":443".to_owned()),
        (1_u16..).prop_map(|port| format!(":{port}")),
    ];
    let stage = prop_oneof![
        Just(String::new()),
        "(/[A-Za-z0-9_~-]{1,8}){1,3}/?",
        "/(%[0-9A-F]{2}|[a-z@:$!=,]){1,8}",
    ];
    let scheme = prop_oneof![Just("http"), Just("https")];
    (scheme, host, port, stage)
        .prop_map(|(scheme, host, port, stage)| format!("{scheme}://{host}{port}{stage}"))
}

fn tokens() -> impl Strategy<Value = Option<String>> {
    proptest::option::of("[A-Za-z0-9/+=]{1,1200}")
}

proptest! {
    #[test]
    fn every_push_is_signed_as_the_reference_signs_it(
        endpoint in endpoints(),
        id in prop_oneof!["[A-Za-z0-9_-]{15}=", "\\PC{1,40}"],
        (key_id, secret) in ("[A-Z0-9]{16,128}", "[A-Za-z0-9/+]{1,80}"),
        token in tokens(),
        seconds in proptest::collection::vec(0_u32.., 1..3),
        region in "[a-z]{2}-[a-z]{4,9}-[1-9]",
        payload in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        prop_assume!(id != "." && id != "..");
        let parsed: Endpoint = endpoint.parse().unwrap();
        let path = parsed.path_of(&id.as_str().into()).unwrap();
        let signer = Signer::new(&parsed, &region);
        let credentials = credentials(&key_id, &secret, token.as_deref());
        let url = parsed.uri(path.whole()).to_string();
        // Twice, as the second time finds everything made already.
        for second in seconds.iter().flat_map(|second| [*second; 2]) {
            let signed = ours(&signer, &path, &payload, &credentials, second);
            prop_assert_eq!(signed, reference(&url, &payload, &credentials, &region, second));
        }
    }
}

fn a_signer() -> (Signer, Path) {
    let endpoint: Endpoint = "https://push.example/prod".parse().unwrap();
    let path = endpoint.path_of(&"TXzPWdnOjoECGjA=".into()).unwrap();
    (Signer::new(&endpoint, "eu-central-1"), path)
}

#[test]
fn a_moment_is_made_once_a_second_and_its_key_once_a_day() {
    let (signer, _) = a_signer();
    let credentials = credentials("id", "secret", None);
    let midnight = 20_000 * 86_400;
    let first = signer.at(&credentials, at_second(midnight - 2));
    let same = signer.at(&credentials, at_second(midnight - 2));
    assert!(Arc::ptr_eq(&first, &same));
    let next = signer.at(&credentials, at_second(midnight - 1));
    assert!(!Arc::ptr_eq(&first, &next) && Arc::ptr_eq(&first.key, &next.key));
    let tomorrow = signer.at(&credentials, at_second(midnight));
    assert!(!Arc::ptr_eq(&next.key, &tomorrow.key));
}

#[test]
fn new_credentials_are_signed_with_at_once() {
    let (signer, path) = a_signer();
    let url = "https://push.example/prod/@connections/TXzPWdnOjoECGjA%3D";
    for (id, token) in [("a", None), ("b", Some("t")), ("c", None)] {
        let credentials = credentials(id, "secret", token);
        let headers = ours(&signer, &path, b"{}", &credentials, 1_800_000_000);
        let expected = reference(url, b"{}", &credentials, "eu-central-1", 1_800_000_000);
        assert_eq!(headers, expected);
    }
}

/// Counted work: a signature is the text that is sent, and nothing else is
/// allocated for it.
#[test]
fn a_signature_costs_one_allocation() {
    let (signer, path) = a_signer();
    let credentials = credentials("AKIDEXAMPLE", "secret", Some("token"));
    let payloads = HashedPayloads::default();
    let payload = Bytes::from_static(b"{}");
    let now = at_second(1_800_000_000);
    let push = || {
        let digest = payloads.digest(&payload);
        signer.at(&credentials, now).authorization(&path, &digest)
    };
    push();
    let cost = allocation_counter::measure(|| assert!(push().is_some()));
    // The text, and what shares it where `bytes` allocates that apart.
    assert!(cost.count_total <= 2, "{cost:?}");
}
