//! The session cookie: out of reach of scripts, not sent with requests that other sites start.

use crate::session::LIFETIME_DAYS;

const NAME: &str = "headwater_session";
/// With TLS: browsers take it from this very host alone, for every path, over TLS alone.
const NAME_SECURE: &str = "__Host-headwater_session";

fn named(secure: bool) -> (&'static str, &'static str) {
    if secure { (NAME_SECURE, "; Secure") } else { (NAME, "") }
}

const ATTEMPT: &str = "headwater_oidc";
const ATTEMPT_SECURE: &str = "__Host-headwater_oidc";

fn attempt(secure: bool) -> (&'static str, &'static str) {
    if secure {
        (ATTEMPT_SECURE, "; Secure")
    } else {
        (ATTEMPT, "")
    }
}

/// `Set-Cookie` of a sign-in that is under way with a provider, for `seconds`. It comes back with the provider's redirect.
pub(crate) fn keep_attempt(value: &str, seconds: i64, secure: bool) -> String {
    let (name, attribute) = attempt(secure);
    format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{attribute}")
}

/// `Set-Cookie` that takes it away.
pub(crate) fn drop_attempt(secure: bool) -> String {
    keep_attempt("", 0, secure)
}

/// It, in a `Cookie` header.
pub(crate) fn find_attempt(header: &str, secure: bool) -> Option<&str> {
    value(header, attempt(secure).0)
}

/// `Set-Cookie` of a new session.
pub(crate) fn set(secret: &str, secure: bool) -> String {
    let (name, attribute) = named(secure);
    let seconds = LIFETIME_DAYS * 86_400;
    format!("{name}={secret}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{attribute}")
}

/// `Set-Cookie` that takes it away.
pub(crate) fn clear(secure: bool) -> String {
    let (name, attribute) = named(secure);
    format!("{name}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax{attribute}")
}

/// The session's secret in a `Cookie` header.
pub(crate) fn find(header: &str, secure: bool) -> Option<&str> {
    value(header, named(secure).0)
}

fn value<'h>(header: &'h str, name: &str) -> Option<&'h str> {
    header.split(';').find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_found_among_others() {
        assert_eq!(find("a=b; headwater_session=hws_x; c=d", false), Some("hws_x"));
        assert_eq!(find("a=b; headwater_session=hws_x", true), None);
        assert_eq!(find("xheadwater_session=no", false), None);
        let cookie = set("hws_x", true);
        for attribute in ["__Host-", "HttpOnly", "SameSite=Lax", "Secure", "Path=/"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
    }
}
