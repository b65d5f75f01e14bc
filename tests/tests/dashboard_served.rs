//! The dashboard as the api serves it: what browsers are told about each answer. What it does stands in `e2e_dashboard.rs`.

use anyhow::Context as _;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request};
use headwater_tests::front::Front;
use tower::ServiceExt as _;

type Outcome = anyhow::Result<()>;

const PAGE: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("")
    }

    fn text(&self) -> anyhow::Result<&str> {
        Ok(std::str::from_utf8(&self.body)?)
    }
}

async fn ask(router: &Router, method: &str, path: &str, headers: &[(&str, &str)]) -> anyhow::Result<Answer> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = router.clone().oneshot(request.body(Body::empty())?).await?;
    let (parts, body) = response.into_parts();
    Ok(Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: axum::body::to_bytes(body, 16 << 20).await?,
    })
}

async fn get(router: &Router, path: &str, headers: &[(&str, &str)]) -> anyhow::Result<Answer> {
    ask(router, "GET", path, headers).await
}

/// The values of an attribute in a page.
fn values<'a>(page: &'a str, attribute: &str) -> Vec<&'a str> {
    let start = format!("{attribute}=\"");
    page.split(&start)
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect()
}

#[tokio::test]
async fn every_page_is_the_dashboard_under_a_policy_of_its_own() -> Outcome {
    let router = Front::fresh().await?.router;
    let mut nonces = Vec::new();
    for path in [
        "/",
        "/sign-in",
        "/t/demo/live/channels/ch_1/keys",
        "/invitation?secret=s",
    ] {
        let page = get(&router, path, &[("accept", PAGE)]).await?;
        assert_eq!(
            (page.status, page.header("content-type")),
            (200, "text/html; charset=utf-8"),
            "{path}"
        );
        assert_eq!(page.header("cache-control"), "no-store");
        assert_eq!(page.header("referrer-policy"), "same-origin");
        let policy = page.header("content-security-policy");
        for rule in [
            "default-src 'none'",
            "script-src 'self'",
            "frame-src http://127.0.0.1:8088",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.split("; ").any(|one| one == rule), "{rule} in {policy}");
        }
        let text = page.text()?;
        let marked = values(text, "nonce");
        assert!(
            marked.len() > 3,
            "the dashboard is not built: run `make dashboard`\n{text}"
        );
        assert!(marked.iter().all(|nonce| policy.contains(&format!("'nonce-{nonce}'"))));
        nonces.push(marked[0].to_owned());
    }
    nonces.sort();
    nonces.dedup();
    assert_eq!(nonces.len(), 4, "no nonce is used twice");

    // Programs are told what this is.
    for accept in ["*/*", "application/json"] {
        let about = get(&router, "/", &[("accept", accept)]).await?;
        assert_eq!(about.header("content-type"), "application/json");
        assert_eq!(about.header("vary"), "accept");
        assert!(about.text()?.contains("\"graphql\":\"/graphql\""));
    }
    Ok(())
}

#[tokio::test]
async fn files_are_kept_for_ever_packed_and_not_sent_again() -> Outcome {
    let router = Front::fresh().await?.router;
    let page = get(&router, "/sign-in", &[]).await?;
    let text = page.text()?;
    let files = [values(text, "src"), values(text, "href")].concat();
    assert!(
        files.len() > 5,
        "the dashboard is not built: run `make dashboard`\n{text}"
    );
    let mut packed = 0;
    for path in files {
        let file = get(&router, path, &[]).await?;
        assert_eq!(file.status, 200, "{path}");
        let hashed = path.starts_with("/assets/");
        let kept = ["no-cache", "public, max-age=31536000, immutable"][usize::from(hashed)];
        assert_eq!(file.header("cache-control"), kept, "{path}");
        assert_eq!(file.header("x-content-type-options"), "nosniff");
        assert_eq!(file.header("content-length"), file.body.len().to_string());
        let kind = match path.rsplit('.').next() {
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml",
            other => anyhow::bail!("{other:?}: {path}"),
        };
        assert_eq!(file.header("content-type"), kind, "{path}");

        for coding in ["br", "gzip"] {
            let small = get(&router, path, &[("accept-encoding", coding)]).await?;
            if small.header("content-encoding") == coding {
                assert!(small.body.len() < file.body.len(), "{path} as {coding}");
                assert_eq!(small.header("content-length"), small.body.len().to_string());
                packed += 1;
            }
            assert_eq!(small.header("vary"), "accept-encoding");
            assert_eq!(small.header("etag"), file.header("etag"));
        }
        let etag = file.headers.get("etag").context("an entity tag")?.to_str()?;
        let again = get(&router, path, &[("if-none-match", etag), ("accept-encoding", "br")]).await?;
        assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, etag));
        let head = ask(&router, "HEAD", path, &[]).await?;
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert_eq!(head.header("content-length"), file.header("content-length"), "{path}");
    }
    assert!(packed > 4, "texts are packed when they are built");
    Ok(())
}

#[tokio::test]
async fn what_is_not_there_is_not_a_page() -> Outcome {
    let router = Front::fresh().await?.router;
    for path in [
        "/assets/gone.js",
        "/t.js",
        "/nonsense",
        "/index.html",
        "/.vite/manifest.json",
    ] {
        let program = get(&router, path, &[]).await?;
        assert_eq!(
            (program.status, program.header("content-type")),
            (404, "text/plain; charset=utf-8"),
            "{path}"
        );
        assert_eq!(program.header("cache-control"), "no-store", "{path}");
        let person = get(&router, path, &[("accept", PAGE)]).await?;
        assert_eq!(
            (person.status, person.header("content-type")),
            (404, "text/html; charset=utf-8"),
            "{path}"
        );
        assert!(!person.text()?.contains("CSP_NONCE"), "{path}");
    }
    assert_eq!(ask(&router, "POST", "/sign-in", &[]).await?.status, 404);
    // The API's own addresses are not the dashboard's.
    assert_eq!(
        get(&router, "/graphql/schema", &[("accept", PAGE)])
            .await?
            .header("content-type"),
        "text/plain; charset=utf-8"
    );
    Ok(())
}
