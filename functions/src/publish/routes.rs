//! Which route a request is for.

use fanout_core::problem::Problem;
use http::Method;
use percent_encoding::percent_decode_str;

/// A route of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// `POST /orders`
    Order,
    /// `POST /notifications`
    Notify,
    /// `POST /notifications:batch`
    NotifyMany,
    /// `GET /notifications/{id}`
    Show { id: String },
    /// `DELETE /notifications/{id}`
    Cancel { id: String },
    /// `GET /connections/{id}`
    Inspect { id: String },
    /// `DELETE /connections/{id}`
    Close { id: String },
    /// `GET /topics/{topic}`
    CountListeners { topic: String },
}

/// What the API serves, as it is told to who asks for something else.
const ROUTES: &str = "POST /orders, POST /notifications, POST /notifications:batch, \
     GET and DELETE /notifications/{id}, GET and DELETE /connections/{id}, GET /topics/{topic}";

/// The methods that some route takes.
pub(super) const METHODS: &str = "GET, POST, DELETE";

/// Finds the route of a request.
///
/// # Errors
/// 404 for a path that is not served, 405 for a method that it does not take.
pub(super) fn find(method: &Method, path: &str) -> Result<Route, Problem> {
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let by_method = |choices: &[(Method, Route)]| {
        let found = choices.iter().find(|(taken, _)| taken == method);
        found.map(|(_, route)| route.clone()).ok_or_else(|| {
            let allowed: Vec<_> = choices.iter().map(|(taken, _)| taken.as_str()).collect();
            Problem::method_not_allowed(method.as_str(), path, &allowed.join(", "))
        })
    };
    match segments.as_slice() {
        ["orders"] => by_method(&[(Method::POST, Route::Order)]),
        ["notifications"] => by_method(&[(Method::POST, Route::Notify)]),
        ["notifications:batch"] => by_method(&[(Method::POST, Route::NotifyMany)]),
        ["notifications", id] if !id.is_empty() => {
            let id = decoded(id);
            by_method(&[
                (Method::GET, Route::Show { id: id.clone() }),
                (Method::DELETE, Route::Cancel { id }),
            ])
        }
        ["connections", id] if !id.is_empty() => {
            let id = decoded(id);
            by_method(&[
                (Method::GET, Route::Inspect { id: id.clone() }),
                (Method::DELETE, Route::Close { id }),
            ])
        }
        // A topic's slashes may be escaped, or not.
        ["topics", topic @ ..] if topic.iter().any(|segment| !segment.is_empty()) => {
            let topic = decoded(&topic.join("/"));
            by_method(&[(Method::GET, Route::CountListeners { topic })])
        }
        _ => Err(Problem::no_such_route(method.as_str(), path, ROUTES)),
    }
}

/// Decodes a part of the path. The event's `rawPath` is as the client sent it
/// here; on AWS, HTTP APIs are reported to hand it over decoded. Decoding twice
/// is harmless for names without `%`: only a user's or an organisation's topic
/// may have one.
fn decoded(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: &Method, path: &str, expected: &Result<Route, u16>) {
        let found = find(method, path).map_err(|problem| problem.status);
        assert_eq!(&found, expected, "{method} {path}");
    }

    #[test]
    fn a_route_is_found_by_its_method_and_path() {
        let (get, post, delete) = (Method::GET, Method::POST, Method::DELETE);
        let id = || "a=/".to_owned();
        check(&post, "/orders", &Ok(Route::Order));
        check(&post, "/notifications", &Ok(Route::Notify));
        check(&post, "/notifications:batch", &Ok(Route::NotifyMany));
        check(&get, "/notifications/a=%2F", &Ok(Route::Show { id: id() }));
        check(
            &delete,
            "/notifications/a=%2F",
            &Ok(Route::Cancel { id: id() }),
        );
        check(
            &get,
            "/connections/a%3D%2f",
            &Ok(Route::Inspect { id: id() }),
        );
        check(
            &delete,
            "/connections/a=%2F",
            &Ok(Route::Close { id: id() }),
        );
        let topic = "stocks/AAPL".to_owned();
        for path in ["/topics/stocks/AAPL", "/topics/stocks%2FAAPL"] {
            let topic = topic.clone();
            check(&get, path, &Ok(Route::CountListeners { topic }));
        }
    }

    #[test]
    fn what_is_not_served_is_told_apart_from_what_is_not_taken() {
        check(&Method::GET, "/", &Err(404));
        check(&Method::GET, "/notifications/", &Err(404));
        check(&Method::GET, "/topics/", &Err(404));
        check(&Method::POST, "/orders/1", &Err(404));
        check(&Method::GET, "/orders", &Err(405));
        check(&Method::PUT, "/notifications/1", &Err(405));
        let problem = find(&Method::PUT, "/notifications/1").unwrap_err();
        assert_eq!(problem.headers["allow"], "GET, DELETE");
    }
}
