//! Choosing a route of the HTTP API.
//!
//! As "Work with routes for HTTP APIs" in the developer guide has it: a full
//! match comes before a greedy path variable, that before `$default`; a route
//! for the very method before one for `ANY`.

use std::collections::BTreeMap;

use http::Method;

use crate::settings::HttpRoute;
use crate::uri::percent_decode;

/// The path of the route that takes what no other takes.
const DEFAULT: &str = "$default";

/// A route and what its template took from the path.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Matched<'a> {
    pub(super) route: &'a HttpRoute,
    /// Decoded values by the variables' names.
    pub(super) path_parameters: BTreeMap<&'a str, String>,
}

impl Matched<'_> {
    /// The route's key: `POST /orders`, `ANY /files/{path+}` or `$default`.
    pub(super) fn key(&self) -> String {
        if self.route.path == DEFAULT {
            return DEFAULT.to_owned();
        }
        let method = self.route.method.as_ref().map_or("ANY", Method::as_str);
        format!("{method} {}", self.route.path)
    }
}

/// Chooses the most specific route for a request; `None` if no route takes it.
pub(super) fn select<'a>(
    routes: &'a [HttpRoute],
    method: &Method,
    path: &str,
) -> Option<Matched<'a>> {
    let candidates = routes.iter().filter_map(|route| {
        let is_its_method = route.method.as_ref().is_none_or(|its| its == method);
        let (specificity, path_parameters) = is_its_method
            .then(|| match_path(&route.path, path))
            .flatten()?;
        let rank = (specificity, route.method.is_some());
        let matched = Matched {
            route,
            path_parameters,
        };
        Some((rank, matched))
    });
    // Of two routes that are equally specific the first one wins.
    let best = candidates.reduce(|best, next| if next.0 > best.0 { next } else { best });
    best.map(|(_, matched)| matched)
}

/// How much of a path a segment of a template says; ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Specificity {
    Greedy,
    Variable,
    Literal,
}

type PathMatch<'a> = (Vec<Specificity>, BTreeMap<&'a str, String>);

/// Matches a path against a template. `$default` matches everything and says
/// nothing: its specificity is empty, which sorts before any other.
fn match_path<'a>(template: &'a str, path: &str) -> Option<PathMatch<'a>> {
    let mut specificity = Vec::new();
    let mut parameters = BTreeMap::new();
    if template == DEFAULT {
        return Some((specificity, parameters));
    }
    let mut rest = Some(path.strip_prefix('/')?);
    for part in template.strip_prefix('/')?.split('/') {
        let left = rest?;
        let variable = part
            .strip_prefix('{')
            .and_then(|part| part.strip_suffix('}'));
        if let Some(name) = variable.and_then(|name| name.strip_suffix('+')) {
            parameters.insert(name, percent_decode(left).into_owned());
            specificity.push(Specificity::Greedy);
            return (!left.is_empty()).then_some((specificity, parameters));
        }
        let (segment, after) = match left.split_once('/') {
            Some((segment, after)) => (segment, Some(after)),
            None => (left, None),
        };
        match variable {
            Some(name) if !segment.is_empty() => {
                parameters.insert(name, percent_decode(segment).into_owned());
                specificity.push(Specificity::Variable);
            }
            None if part == segment => specificity.push(Specificity::Literal),
            _ => return None,
        }
        rest = after;
    }
    rest.is_none().then_some((specificity, parameters))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(key: &str) -> HttpRoute {
        let (method, path) = key.split_once(' ').unwrap_or(("ANY", key));
        HttpRoute {
            method: (method != "ANY").then(|| method.parse().unwrap()),
            path: path.to_owned(),
            function: key.to_owned(),
        }
    }

    #[track_caller]
    fn check(method: &Method, path: &str, key: Option<&str>, parameters: &[(&str, &str)]) {
        let routes = [
            "$default",
            "ANY /orders",
            "POST /orders",
            "GET /notifications/{id}",
            "GET /notifications/recent",
            "GET /notifications/{id}/log",
            "ANY /files/{path+}",
            "GET /",
        ]
        .map(route);
        let matched = select(&routes, method, path);
        assert_eq!(matched.as_ref().map(Matched::key).as_deref(), key);
        let taken: Vec<_> = matched
            .iter()
            .flat_map(|matched| &matched.path_parameters)
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        assert_eq!(taken, parameters);
    }

    #[test]
    fn the_most_specific_route_is_chosen() {
        check(&Method::POST, "/orders", Some("POST /orders"), &[]);
        check(&Method::PUT, "/orders", Some("ANY /orders"), &[]);
        check(&Method::GET, "/", Some("GET /"), &[]);
        let recent = "GET /notifications/recent";
        check(&Method::GET, "/notifications/recent", Some(recent), &[]);
        check(&Method::POST, "/elsewhere", Some("$default"), &[]);
        check(&Method::GET, "/orders/", Some("$default"), &[]);
        check(&Method::GET, "/notifications/", Some("$default"), &[]);
    }

    #[test]
    fn path_variables_are_decoded() {
        let one = "GET /notifications/{id}";
        let id = [("id", "a b")];
        check(&Method::GET, "/notifications/a%20b", Some(one), &id);
        let log = "GET /notifications/{id}/log";
        check(
            &Method::GET,
            "/notifications/7/log",
            Some(log),
            &[("id", "7")],
        );
        let files = "ANY /files/{path+}";
        let path = [("path", "a/b/c.txt")];
        check(&Method::GET, "/files/a/b/c.txt", Some(files), &path);
    }

    #[test]
    fn without_a_default_an_unknown_path_has_no_route() {
        let routes = [route("POST /orders")];
        assert_eq!(select(&routes, &Method::GET, "/orders"), None);
        assert_eq!(select(&routes, &Method::POST, "/orders/1"), None);
    }
}
