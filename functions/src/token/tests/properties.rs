//! Whatever is sent, nothing but a valid token verifies, and nothing panics.

use proptest::prelude::*;

use super::*;

/// Verifies at the epoch.
fn verify(token: &str) -> Result<Verified, TokenError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let verifier = verifier(Clock::starting_at(Timestamp::UNIX_EPOCH));
        verifier.verify(token).await
    })
}

/// Any JSON that a token's parts could be.
fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(json!("HS256")),
        Just(json!("issuer")),
        Just(json!("fanout")),
    ];
    leaf.prop_recursive(2, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(".{0,6}", inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn text_does_not_verify(token in ".{0,200}|[a-zA-Z0-9_-]{0,80}[.][a-zA-Z0-9_-]{0,80}[.][a-zA-Z0-9_-]{0,80}") {
        prop_assert!(verify(&token).is_err());
    }

    #[test]
    fn a_changed_token_does_not_verify(at in any::<prop::sample::Index>(), byte in "[ -~]", kind in 0..3_u8) {
        let valid = hs256(&claims(&json!({})));
        let at = at.index(valid.len());
        let changed = match kind {
            0 => format!("{}{byte}{}", &valid[..at], &valid[at + 1..]),
            1 => format!("{}{byte}{}", &valid[..at], &valid[at..]),
            _ => valid[..at].to_owned(),
        };
        prop_assert_eq!(verify(&changed).is_ok(), changed == valid, "{}", changed);
    }

    #[test]
    fn the_parts_of_two_tokens_do_not_make_a_third(subject in "[a-z]{1,8}") {
        let (one, other) = (hs256(&claims(&json!({}))), hs256(&claims(&json!({"sub": subject}))));
        let (message, _) = other.rsplit_once('.').unwrap();
        let (_, signature) = one.rsplit_once('.').unwrap();
        let mixed = format!("{message}.{signature}");
        prop_assert_eq!(verify(&mixed), Err(TokenError::WrongSignature));
    }

    #[test]
    fn any_header_and_claims_are_read_without_a_panic(header in json(), claims in json(), name in "iss|aud|exp|nbf|sub|org|topics|scope") {
        prop_assert!(verify(&hs256_with(SECRET.as_bytes(), &header, &claims)).is_err());
        // One claim is anything, under a good signature.
        let mut changed = super::claims(&json!({}));
        changed[&name] = claims;
        if let Ok(verified) = verify(&hs256(&changed)) {
            prop_assert_eq!(&verified.issuer, "issuer");
            prop_assert_eq!(verified.identity.user_id.as_ref(), Some(&verified.subject));
            prop_assert!(fanout_core::topic::Topic::of_user(&verified.subject).is_ok());
        }
    }

    #[test]
    fn any_document_is_read_without_a_panic(document in json(), key in json()) {
        for algorithm in [Algorithm::Hs256, Algorithm::Rs256, Algorithm::Es256] {
            let _ = KeySet::read(document.to_string().as_bytes(), algorithm);
            prop_assert!(set(algorithm, std::slice::from_ref(&key)).is_err());
        }
    }
}
