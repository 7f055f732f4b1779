//! The token that a client brings when it opens a WebSocket.
//!
//! A browser can set no headers there: it has the query (`?token=…`) and the
//! subprotocols (`fanout.v1, bearer.…`), of which the server picks one. The
//! token is never picked, or it would come back in the answer.

use std::fmt;

use aws_lambda_events::query_map::QueryMap;
use http::HeaderMap;
use http::header::SEC_WEBSOCKET_PROTOCOL;

/// The subprotocol that is spoken.
pub const SUBPROTOCOL: &str = "fanout.v1";

const PARAMETER: &str = "token";
const PREFIX: &str = "bearer.";

/// What a client offered. It shows no token.
pub struct Offer<'a> {
    tokens: Vec<&'a str>,
    speaks_subprotocol: bool,
}

/// A client brought several tokens that differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict;

impl<'a> Offer<'a> {
    /// Reads what a client offered from an event's query and headers, both in
    /// the form with all values and, where that is empty, with one each.
    #[must_use]
    pub fn read(queries: [&'a QueryMap; 2], headers: [&'a HeaderMap; 2]) -> Self {
        let values = queries.into_iter().filter_map(|query| query.all(PARAMETER));
        let mut tokens = values.into_iter().next().unwrap_or_default();
        let protocols = headers
            .into_iter()
            .find(|headers| headers.contains_key(SEC_WEBSOCKET_PROTOCOL))
            .map(|headers| headers.get_all(SEC_WEBSOCKET_PROTOCOL));
        let protocols = protocols
            .into_iter()
            .flatten()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(str::trim);
        let mut speaks_subprotocol = false;
        for protocol in protocols {
            speaks_subprotocol |= protocol == SUBPROTOCOL;
            tokens.extend(protocol.strip_prefix(PREFIX));
        }
        Self {
            tokens,
            speaks_subprotocol,
        }
    }

    /// Returns the token, if there is one.
    ///
    /// # Errors
    /// There are several that differ.
    pub fn token(&self) -> Result<Option<&'a str>, Conflict> {
        let first = self.tokens.first().copied();
        if self.tokens.iter().any(|token| Some(*token) != first) {
            return Err(Conflict);
        }
        Ok(first)
    }

    /// Returns the subprotocol to answer with, if it was offered.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&'static str> {
        self.speaks_subprotocol.then_some(SUBPROTOCOL)
    }
}

impl fmt::Debug for Offer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offer")
            .field("tokens", &self.tokens.len())
            .field("speaks_subprotocol", &self.speaks_subprotocol)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;
    use std::collections::HashMap;

    use super::*;

    fn query(tokens: &[String]) -> QueryMap {
        let named = (PARAMETER.to_owned(), tokens.to_vec());
        let named = Some(named).filter(|(_, tokens)| !tokens.is_empty());
        QueryMap::from(named.into_iter().collect::<HashMap<_, _>>())
    }

    fn headers(values: &[&str]) -> HeaderMap {
        let values = values.iter().map(|value| HeaderValue::from_str(value));
        let named = values.map(|value| (SEC_WEBSOCKET_PROTOCOL, value.unwrap()));
        named.collect()
    }

    #[track_caller]
    fn check(
        tokens: &[&str],
        protocols: &[&str],
        expected: Result<Option<&str>, Conflict>,
        subprotocol: Option<&str>,
    ) {
        let tokens: Vec<_> = tokens.iter().map(ToString::to_string).collect();
        let (query, no_query) = (query(&tokens), QueryMap::default());
        let (headers, no_headers) = (headers(protocols), HeaderMap::new());
        let offer = Offer::read([&query, &no_query], [&headers, &no_headers]);
        assert_eq!(
            (offer.token(), offer.subprotocol()),
            (expected, subprotocol)
        );
        // The forms with one value serve where those with all are empty.
        let offer = Offer::read([&no_query, &query], [&no_headers, &headers]);
        assert_eq!(
            (offer.token(), offer.subprotocol()),
            (expected, subprotocol)
        );
    }

    #[test]
    fn a_token_is_in_the_query_or_among_the_subprotocols() {
        let spoken = Some("fanout.v1");
        check(&[], &[], Ok(None), None);
        check(&["a.b.c"], &[], Ok(Some("a.b.c")), None);
        check(&[], &["fanout.v1, bearer.a.b.c"], Ok(Some("a.b.c")), spoken);
        check(
            &[],
            &["fanout.v1", "bearer.a.b.c"],
            Ok(Some("a.b.c")),
            spoken,
        );
        check(&[], &["bearer.a.b.c"], Ok(Some("a.b.c")), None);
        check(&[], &["fanout.v1"], Ok(None), spoken);
        check(&[], &["other,fanout.v1x"], Ok(None), None);
        check(&[""], &[], Ok(Some("")), None);
    }

    #[test]
    fn several_tokens_must_be_equal() {
        check(
            &["a"],
            &["bearer.a,fanout.v1"],
            Ok(Some("a")),
            Some("fanout.v1"),
        );
        check(&["a"], &["bearer.b"], Err(Conflict), None);
        check(&["a", "b"], &[], Err(Conflict), None);
        check(&["a", "a"], &[], Ok(Some("a")), None);
        check(&[""], &["bearer.a"], Err(Conflict), None);
    }

    proptest! {
        #[test]
        fn what_is_found_was_offered_and_never_shown(
            tokens in prop::collection::vec("[a-zA-Z0-9._-]{0,12}", 0..3),
            protocols in prop::collection::vec("(bearer[.])?[ -~]{0,12}", 0..3),
        ) {
            let query = query(&tokens);
            let values: Vec<_> = protocols.iter().map(String::as_str).collect();
            let headers = headers(&values);
            let (no_query, no_headers) = (QueryMap::default(), HeaderMap::new());
            let offer = Offer::read([&query, &no_query], [&headers, &no_headers]);
            if let Ok(Some(token)) = offer.token() {
                let in_query = tokens.iter().any(|offered| offered == token);
                let in_header = values.iter().any(|value| value.contains(&format!("bearer.{token}")));
                prop_assert!(in_query || in_header);
                prop_assert!(tokens.iter().all(|offered| offered == token));
            }
            prop_assert!(matches!(offer.subprotocol(), None | Some(SUBPROTOCOL)));
            let (count, speaks) = (offer.tokens.len(), offer.speaks_subprotocol);
            let shown = format!("Offer {{ tokens: {count}, speaks_subprotocol: {speaks} }}");
            prop_assert_eq!(format!("{:?}", offer), shown);
        }
    }
}
