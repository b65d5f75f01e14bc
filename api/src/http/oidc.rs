//! The two addresses of a sign-in with an OpenID Connect provider. Browsers come here by links and redirects; everything ends on a
//! page of the dashboard.

use axum::extract::{Query, State};
use axum::http::header::{CACHE_CONTROL, COOKIE, LOCATION, REFERRER_POLICY, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use url::form_urlencoded::Serializer;

use super::Api;
use super::who::{self, Peer};
use crate::cookie;
use crate::oidc::{self, Answered, Failed, Provider};
use crate::op::{Actor, Op};
use crate::problem::Problem;
use crate::user::FirstStep;

#[derive(Deserialize)]
pub(super) struct Begin {
    next: Option<String>,
}

/// Sends the browser to the provider.
pub(super) async fn start(
    State(api): State<Api>,
    peer: Peer,
    headers: HeaderMap,
    Query(asked): Query<Begin>,
) -> Response {
    let Some(provider) = &api.services.oidc else {
        return nothing();
    };
    let next = oidc::own_path(asked.next.as_deref().unwrap_or("/"));
    let begun = async {
        throttle(&api, &peer, &headers).await?;
        oidc::begin(&api.services, provider, next).await
    };
    match begun.await {
        Ok(begun) => {
            let keep = cookie::keep_attempt(&begun.cookie, oidc::ATTEMPT_S, api.services.urls.secure());
            lead(&begun.location, &[keep])
        }
        Err(failed) => refused(&api, provider, &failed, next),
    }
}

/// Takes the browser back from the provider.
pub(super) async fn callback(
    State(api): State<Api>,
    peer: Peer,
    headers: HeaderMap,
    Query(answered): Query<Answered>,
) -> Response {
    let Some(provider) = &api.services.oidc else {
        return nothing();
    };
    let secure = api.services.urls.secure();
    let mut cookies = headers.get_all(COOKIE).iter().filter_map(|header| header.to_str().ok());
    let kept = cookies.find_map(|header| cookie::find_attempt(header, secure));
    let next = oidc::wanted(&api.services, kept);
    let op = Op::new(
        api.services.clone(),
        Actor::Nobody,
        None,
        who::caller(&headers, peer.0, &api.proxies),
    );
    let done = async {
        throttle(&api, &peer, &headers).await?;
        oidc::finish(&op, provider, answered, kept).await
    };
    match done.await {
        Ok(FirstStep::Done(signed_in)) => lead(
            &next,
            &[cookie::set(&signed_in.secret, secure), cookie::drop_attempt(secure)],
        ),
        Ok(FirstStep::Challenge(challenge)) => {
            let page = sign_in_page(&[("challenge", &challenge), ("next", &next)]);
            lead(&page, &[cookie::drop_attempt(secure)])
        }
        Err(failed) => refused(&api, provider, &failed, &next),
    }
}

async fn throttle(api: &Api, peer: &Peer, headers: &HeaderMap) -> Result<(), Failed> {
    let address = who::caller(headers, peer.0, &api.proxies).address();
    Ok(api.services.limits.sign_in("", &address).await?)
}

fn sign_in_page(said: &[(&str, &str)]) -> String {
    format!(
        "/sign-in?{}",
        Serializer::new(String::new()).extend_pairs(said).finish()
    )
}

/// Back to the page where people sign in, which says why in words.
fn refused(api: &Api, provider: &Provider, failed: &Failed, next: &str) -> Response {
    let word = failed.word();
    metrics::counter!("api_oidc_refused_total", "reason" => word).increment(1);
    match failed {
        Failed::Provider(why) => tracing::warn!("nobody was signed in by {}: {why}", provider.name()),
        Failed::Problem(Problem::Database(error)) => {
            tracing::warn!("nobody was signed in by {}: {}", provider.name(), error.0)
        }
        other => tracing::info!("nobody was signed in by {}: {}", provider.name(), other.word()),
    }
    let page = sign_in_page(&[("error", word), ("next", next)]);
    lead(&page, &[cookie::drop_attempt(api.services.urls.secure())])
}

fn lead(to: &str, cookies: &[String]) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    if let Ok(to) = HeaderValue::from_str(to) {
        headers.insert(LOCATION, to);
    }
    for cookie in cookies.iter().filter_map(|cookie| HeaderValue::from_str(cookie).ok()) {
        headers.append(SET_COOKIE, cookie);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // The address that led here holds a code.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

fn nothing() -> Response {
    (StatusCode::NOT_FOUND, "No sign-in provider is set up here.\n").into_response()
}
