//! URLs that can be shown to others.

use http::Uri;

/// Parts of the names of parameters whose values are credentials.
const SECRET: [&str; 7] = ["token", "key", "secret", "sign", "auth", "pass", "jwt"];

/// Writes a URL without its user, and with `…` in place of the values of
/// parameters whose names look like credentials.
#[must_use]
pub fn without_secrets(url: &Uri) -> String {
    let url = url.to_string();
    let (address, query) = match url.split_once('?') {
        Some((address, query)) => (address, Some(query)),
        None => (url.as_str(), None),
    };
    let mut shown = without_user(address);
    for (index, parameter) in query.into_iter().flat_map(|all| all.split('&')).enumerate() {
        shown.push(if index == 0 { '?' } else { '&' });
        match parameter.split_once('=') {
            Some((name, _)) if is_secret(name) => {
                shown.push_str(name);
                shown.push_str("=…");
            }
            _ => shown.push_str(parameter),
        }
    }
    shown
}

fn without_user(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else {
        return address.to_owned();
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or(authority);
    format!("{scheme}://{host}{path}")
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &'static str, expected: &str) {
        assert_eq!(without_secrets(&Uri::from_static(url)), expected);
    }

    #[test]
    fn credentials_are_not_shown() {
        check(
            "ws://h:1/p?topics=a,b&token=xyz&flag",
            "ws://h:1/p?topics=a,b&token=…&flag",
        );
        check(
            "http://user:pw@h/p@q?X-Amz-Signature=1",
            "http://h/p@q?X-Amz-Signature=…",
        );
    }

    #[test]
    fn what_holds_no_credentials_is_shown_as_it_is() {
        check("ws://127.0.0.1:3001/prod", "ws://127.0.0.1:3001/prod");
        check("ws://h/p?topics=a%20b", "ws://h/p?topics=a%20b");
    }
}
