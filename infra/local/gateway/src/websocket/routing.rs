//! Choosing a route for a message by `$request.body.action`.

use std::borrow::Cow;

use serde::Deserialize;

use crate::settings::WebSocketRoutes;

/// A route and the function behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Route<'a> {
    pub(super) key: &'a str,
    pub(super) function: &'a str,
}

#[derive(Deserialize)]
struct Selector<'a> {
    #[serde(borrow)]
    action: Option<Cow<'a, str>>,
}

/// Chooses the route of a message: that of its action if it is a JSON object
/// with a known one, otherwise `$default`; `None` if there is no such route.
pub(super) fn select<'a>(routes: &'a WebSocketRoutes, body: &str) -> Option<Route<'a>> {
    let custom = action(body).and_then(|action| routes.custom.get_key_value(action.as_ref()));
    let custom = custom.map(|(key, function)| Route { key, function });
    custom.or_else(|| {
        let function = routes.default.as_deref()?;
        Some(Route {
            key: "$default",
            function,
        })
    })
}

fn action(body: &str) -> Option<Cow<'_, str>> {
    // An array would be read as the fields of a struct, in their order.
    let is_object = body.trim_start().starts_with('{');
    let selector: Selector<'_> = is_object.then(|| serde_json::from_str(body).ok())??;
    selector.action
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_goes_to_its_action_or_to_default() {
        let routes = WebSocketRoutes {
            default: Some("fallback".to_owned()),
            custom: [("whoami", "who"), ("café", "coffee")]
                .map(|(action, function)| (action.to_owned(), function.to_owned()))
                .into(),
            ..WebSocketRoutes::default()
        };
        let cases = [
            (r#"{"action":"whoami"}"#, "whoami"),
            (r#" {"data":[1,{}],"action":"whoami"}"#, "whoami"),
            (r#"{"action":"caf\u00e9"}"#, "café"),
            (r#"{"action":"unknown"}"#, "$default"),
            (r#"{"action":7}"#, "$default"),
            (r#"{"action":null}"#, "$default"),
            (r#"{"Action":"whoami"}"#, "$default"),
            (r#"["whoami"]"#, "$default"),
            (r#""whoami""#, "$default"),
            (r#"{"action":"whoami""#, "$default"),
            ("hello", "$default"),
            ("", "$default"),
        ];
        for (body, key) in cases {
            let route = select(&routes, body).unwrap();
            assert_eq!(route.key, key, "{body}");
        }
    }

    #[test]
    fn without_a_default_an_unknown_action_has_no_route() {
        assert_eq!(select(&WebSocketRoutes::default(), "{}"), None);
    }
}
