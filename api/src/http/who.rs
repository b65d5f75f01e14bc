//! From the headers of a request to its operation.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN, USER_AGENT};
use axum::http::request::Parts;

use ipnet::IpNet;

use super::forwarded;
use crate::access::Environment;
use crate::op::{Actor, Caller, Op, Services, USER_AGENT_CHARS_MAX};
use crate::problem::{Answer, Problem};
use crate::{api_token, cookie, session};

/// Which of the person's tenants: its id or slug. Tokens belong to one and need none.
pub(crate) const TENANT: &str = "headwater-tenant";
/// `live` or `test`. Tokens belong to one and need none.
pub(crate) const ENVIRONMENT: &str = "headwater-environment";
/// What sends the request. Required beside a cookie: a form of another site cannot set it.
pub(crate) const CLIENT: &str = "headwater-client";

/// What a caller shows to be let in.
#[derive(Clone, Default)]
pub(super) struct Credentials {
    pub(super) bearer: Option<String>,
    pub(super) session: Option<String>,
    pub(super) tenant: Option<String>,
    pub(super) environment: Option<String>,
}

fn text(headers: &HeaderMap, name: impl axum::http::header::AsHeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

impl Credentials {
    pub(super) fn of(headers: &HeaderMap, secure: bool) -> Self {
        let mut cookies = headers.get_all(COOKIE).iter().filter_map(|header| header.to_str().ok());
        let owned = |name| text(headers, name).map(str::to_owned);
        Self {
            // One that is not even text is still one: it must not pass for none.
            bearer: headers
                .get(AUTHORIZATION)
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
            session: cookies
                .find_map(|header| cookie::find(header, secure))
                .map(str::to_owned),
            tenant: owned(TENANT),
            environment: owned(ENVIRONMENT),
        }
    }

    /// The secret that lets the caller in, where one does.
    pub(super) fn secret(&self) -> &str {
        self.bearer.as_deref().or(self.session.as_deref()).unwrap_or_default()
    }

    /// Who asks, and where.
    pub(super) async fn operation(&self, services: &Services, caller: Caller) -> Answer<Op> {
        let (actor, place) = if let Some(header) = &self.bearer {
            let secret = header
                .strip_prefix("Bearer ")
                .or_else(|| header.strip_prefix("bearer "))
                .ok_or_else(|| Problem::unauthenticated("The header is Authorization: Bearer hw_live_…"))?;
            let (actor, place) = api_token::authenticate(services, secret.trim()).await?;
            (actor, Some(place))
        } else if let Some(secret) = &self.session {
            let environment = match self.environment.as_deref() {
                None => Environment::default(),
                Some(word) => word
                    .parse()
                    .map_err(|_| Problem::bad_input("The header Headwater-Environment is live or test."))?,
            };
            let signed_in = session::authenticate(services, secret, self.tenant.as_deref(), environment).await;
            match signed_in {
                // A cookie that has ended must not keep anybody from signing in again.
                Err(Problem::Refused {
                    code: "UNAUTHENTICATED",
                    ..
                }) => (Actor::Nobody, None),
                other => other?,
            }
        } else {
            (Actor::Nobody, None)
        };
        Ok(Op::new(services.clone(), actor, place, caller))
    }
}

/// The other end of the connection, where there is one.
pub(super) struct Peer(pub(super) Option<SocketAddr>);

impl<S: Send + Sync> FromRequestParts<S> for Peer {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let info = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(Self(info.map(|info| info.0)))
    }
}

/// Who asks, from the headers and the connection. `proxies` may say whom they speak for.
pub(super) fn caller(headers: &HeaderMap, peer: Option<SocketAddr>, proxies: &[IpNet]) -> Caller {
    let user_agent = text(headers, USER_AGENT).unwrap_or_default();
    Caller {
        ip: peer.map(|peer| forwarded::address(headers, peer.ip(), proxies)),
        user_agent: user_agent
            .chars()
            .filter(|c| !c.is_control())
            .take(USER_AGENT_CHARS_MAX)
            .collect(),
        trace_id: text(headers, "traceparent").and_then(trace_id),
    }
}

/// The trace id of a W3C traceparent.
fn trace_id(header: &str) -> Option<String> {
    let id = header.split('-').nth(1)?;
    let fine = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    fine.then(|| id.to_ascii_lowercase())
}

/// Refuses a request that a browser sends for another site. A request without `Origin` comes from no page.
pub(super) fn same_site(headers: &HeaderMap, public_origin: &str) -> Answer<()> {
    let Some(origin) = text(headers, ORIGIN) else {
        return Ok(());
    };
    let host = origin.split_once("://").map(|(_, host)| host);
    match origin == public_origin || (host.is_some() && host == text(headers, HOST)) {
        true => Ok(()),
        false => Err(Problem::forbidden("This request comes from another site.")),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn other_sites_are_refused() {
        let mut headers = HeaderMap::new();
        assert!(same_site(&headers, "https://api.example").is_ok());
        headers.insert(HOST, HeaderValue::from_static("127.0.0.1:8080"));
        for (origin, fine) in [
            ("https://api.example", true),
            ("http://127.0.0.1:8080", true),
            ("https://evil.example", false),
            ("null", false),
            ("http://127.0.0.1:8080.evil.example", false),
        ] {
            headers.insert(ORIGIN, HeaderValue::from_static(origin));
            assert_eq!(same_site(&headers, "https://api.example").is_ok(), fine, "{origin}");
        }
    }

    #[test]
    fn trace_ids_are_read() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(trace_id(&format!("00-{id}-00f067aa0ba902b7-01")).as_deref(), Some(id));
        assert_eq!(trace_id("00-xyz-1-2"), None);
    }
}
