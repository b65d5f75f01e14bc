//! Signed playback ids: nothing is shown without a token, and with one only what it is for, where it is for, as long as it is.

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use headwater_model::proto::api::{Revocation, SigningKey, TokenRulesResponse};
use headwater_platform::hints::Hints as _;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use support::client::{Answer, get, send};
use support::farm::{BROADCAST, CHANNEL, FakeWorker, Farm, OTHER, TENANT, live};
use support::media::{Recipe, make};

/// A pair of which the api tells the public half.
struct Pair {
    id: &'static str,
    algorithm: Algorithm,
    private: EncodingKey,
    public: String,
}

fn pem(der: &[u8]) -> String {
    let text = base64_simd::STANDARD.encode_to_string(der);
    let lines: Vec<_> = text
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        lines.join("\n")
    )
}

impl Pair {
    fn ed(id: &'static str) -> Self {
        let pair = Ed25519KeyPair::generate().expect("random numbers");
        let public = AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).expect("DER");
        Self {
            id,
            algorithm: Algorithm::EdDSA,
            private: EncodingKey::from_ed_der(pair.to_pkcs8().expect("DER").as_ref()),
            public: pem(public.as_ref()),
        }
    }

    fn ec(id: &'static str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("random numbers");
        let public = AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).expect("DER");
        Self {
            id,
            algorithm: Algorithm::ES256,
            private: EncodingKey::from_ec_der(pair.to_pkcs8v1().expect("DER").as_ref()),
            public: pem(public.as_ref()),
        }
    }

    fn told(&self, algorithm: &str) -> SigningKey {
        SigningKey {
            signing_key_id: self.id.into(),
            algorithm: algorithm.into(),
            public_key: self.public.clone(),
        }
    }

    fn sign(&self, claims: &Value) -> String {
        let header = Header {
            kid: Some(self.id.into()),
            ..Header::new(self.algorithm)
        };
        jsonwebtoken::encode(&header, claims, &self.private).expect("signs")
    }
}

fn now_s() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_secs()
}

/// Good claims, with `more`.
fn claims(more: Value) -> Value {
    let mut claims = json!({ "sub": CHANNEL, "aud": "v", "exp": now_s() + 600, "iat": now_s() - 5 });
    for (name, value) in more.as_object().into_iter().flatten() {
        claims[name] = value.clone();
    }
    claims
}

fn rules(version: &str, keys: Vec<SigningKey>, revocations: Vec<(&str, &str)>) -> TokenRulesResponse {
    let revocations = revocations.into_iter().map(|(kind, subject)| Revocation {
        kind: kind.into(),
        subject: subject.into(),
        revoked_ms: now_s() as i64 * 1_000,
    });
    TokenRulesResponse {
        version: version.into(),
        unchanged: false,
        keys,
        revocations: revocations.collect(),
    }
}

/// `CHANNEL` is live and signed.
async fn signed(keys: Vec<SigningKey>, args: &[&str]) -> (Farm, FakeWorker) {
    let made = make(TENANT, BROADCAST, Recipe::low(10));
    let farm = Farm::start_with(args).await;
    let worker = FakeWorker::start_with(&made, made.through_segment(3)).await;
    let mut answer = live(&worker, 1);
    answer.policy = "signed".into();
    farm.api.answer(CHANNEL, answer);
    farm.api.rule(rules("1", keys, Vec::new()));
    (farm, worker)
}

fn paths() -> Vec<String> {
    let media = |file: &str| format!("{BROADCAST}/{file}");
    let files = [
        "main.m3u8".into(),
        "dvr.m3u8".into(),
        "manifest.mpd".into(),
        "state.json".into(),
        media("source/index.m3u8"),
        media("source/dvr.m3u8"),
        media("source/init-0.mp4"),
        media("source/2-1.m4s"),
        media(&format!(
            "audio/{}",
            make(TENANT, BROADCAST, Recipe::low(10)).timed("audio", 2)
        )),
        media("audio/2-1.0.m4s"),
    ];
    files
        .into_iter()
        .map(|file: String| format!("/{CHANNEL}/{file}"))
        .collect()
}

async fn with(farm: &Farm, token: &str, path: &str) -> Answer {
    get(farm.origin, &format!("/t/{token}{path}")).await
}

#[tokio::test]
async fn nothing_is_shown_without_a_token_and_everything_with_one() {
    let (ed, ec) = (Pair::ed("sgk_ed"), Pair::ec("sgk_ec"));
    let rsa = rsa::KeyPair::generate(KeySize::Rsa2048).expect("random numbers");
    let rsa_public = pem(AsDer::<PublicKeyX509Der<'_>>::as_der(rsa.public_key())
        .expect("DER")
        .as_ref());
    let rsa_key = SigningKey {
        signing_key_id: "sgk_rsa".into(),
        algorithm: "RS256".into(),
        public_key: rsa_public,
    };
    let (farm, _worker) = signed(vec![ed.told("EdDSA"), ec.told("ES256"), rsa_key], &[]).await;
    for path in paths() {
        let refused = get(farm.origin, &path).await;
        assert_eq!(refused.status, 401, "{path}");
        assert_eq!(refused.header("cache-control"), "no-store", "{path}");
        assert!(refused.text().contains("token_missing"), "{path}");
    }
    for pair in [&ed, &ec] {
        let token = pair.sign(&claims(json!({})));
        for path in paths() {
            let shown = with(&farm, &token, &path).await;
            assert_eq!(shown.status, 200, "{path}: {:?}", shown.body);
            assert!(shown.header("cache-control").starts_with("private, max-age="), "{path}");
        }
        // In the query it leads to the path, under which every relative link stays.
        let led = get(farm.origin, &format!("/{CHANNEL}/main.m3u8?token={token}")).await;
        assert_eq!((led.status.as_u16(), led.header("cache-control")), (302, "no-store"));
        assert_eq!(led.header("location"), format!("../t/{token}/{CHANNEL}/main.m3u8"));
        let list = with(&farm, &token, &format!("/{CHANNEL}/main.m3u8")).await;
        assert!(!list.text().contains(&token), "the same text for all viewers");
        assert!(list.text().contains(&format!("\n{BROADCAST}/")), "{}", list.text());
    }

    // Under a public id a token is of no interest, and another id's token does not open this one.
    let mut public = live(&_worker, 1);
    public.policy = "public".into();
    farm.api.answer(OTHER, public);
    assert_eq!(
        get(farm.origin, &format!("/t/nonsense/{OTHER}/main.m3u8")).await.status,
        200
    );

    let path = format!("/{CHANNEL}/main.m3u8");
    let none = format!(
        "{}.{}.",
        base64_simd::URL_SAFE_NO_PAD.encode_to_string(br#"{"alg":"none","kid":"sgk_ed"}"#),
        base64_simd::URL_SAFE_NO_PAD.encode_to_string(claims(json!({})).to_string())
    );
    // Signed with what everybody knows, as if it were a shared secret.
    let confused = Header {
        kid: Some("sgk_ed".into()),
        ..Header::new(Algorithm::HS256)
    };
    let confused = jsonwebtoken::encode(
        &confused,
        &claims(json!({})),
        &EncodingKey::from_secret(ed.public.as_bytes()),
    );
    let mut broken = ed.sign(&claims(json!({})));
    broken.truncate(broken.len() - 4);
    let session = Header {
        kid: Some("headwater-session".into()),
        ..Header::new(Algorithm::HS256)
    };
    let session = jsonwebtoken::encode(&session, &claims(json!({})), &EncodingKey::from_secret(b"guessed"));
    for (what, token, status, word) in [
        ("nonsense", "nonsense".to_owned(), 401, "token_invalid"),
        ("nothing", String::new(), 401, "token_invalid"),
        ("unsigned", none, 401, "token_invalid"),
        (
            "signed with the public key",
            confused.expect("signs"),
            401,
            "token_invalid",
        ),
        ("a session of nobody's", session.expect("signs"), 401, "token_invalid"),
        ("cut short", broken, 401, "token_invalid"),
        (
            "a stranger's key",
            Pair::ed("sgk_ed").sign(&claims(json!({}))),
            401,
            "token_invalid",
        ),
        (
            "an unknown key",
            Pair::ed("sgk_no").sign(&claims(json!({}))),
            401,
            "token_invalid",
        ),
        (
            "expired",
            ed.sign(&claims(json!({ "exp": now_s() - 1 }))),
            401,
            "token_expired",
        ),
        (
            "not yet",
            ed.sign(&claims(json!({ "nbf": now_s() + 600 }))),
            401,
            "token_invalid",
        ),
        (
            "too long",
            ed.sign(&claims(json!({ "exp": now_s() + 40 * 86_400 }))),
            401,
            "token_invalid",
        ),
        (
            "of another id",
            ed.sign(&claims(json!({ "sub": OTHER }))),
            403,
            "token_invalid",
        ),
        (
            "for something else",
            ed.sign(&claims(json!({ "aud": "t" }))),
            403,
            "token_invalid",
        ),
    ] {
        let refused = with(&farm, &token, &path).await;
        assert_eq!(refused.status, status, "{what}: {:?}", refused.body);
        assert!(refused.text().contains(word), "{what}: {}", refused.text());
    }
}

#[tokio::test]
async fn revoked_tokens_viewers_and_keys_are_refused_within_a_second() {
    let (one, two) = (Pair::ed("sgk_one"), Pair::ec("sgk_two"));
    let keys = || vec![one.told("EdDSA"), two.told("ES256")];
    let (farm, _worker) = signed(keys(), &[]).await;
    let path = format!("/{CHANNEL}/{BROADCAST}/source/index.m3u8");
    let by_id = one.sign(&claims(json!({ "jti": "t1", "viewer_id": "v1" })));
    let same_viewer = two.sign(&claims(json!({ "jti": "t2", "viewer_id": "v1" })));
    let other = two.sign(&claims(json!({ "viewer_id": "v2" })));
    for token in [&by_id, &same_viewer, &other] {
        assert_eq!(with(&farm, token, &path).await.status, 200);
    }
    let hint = async || {
        farm.hints
            .publish("hw:token-rules", TENANT.into())
            .await
            .expect("in memory")
    };
    let refused = async |token: &str, status: u16| {
        let begun = Instant::now();
        while with(&farm, token, &path).await.status != status {
            assert!(begun.elapsed() < Duration::from_secs(1), "still shown after a second");
        }
        begun.elapsed()
    };
    // Told by a hint.
    farm.api.rule(rules("2", keys(), vec![("token", "t1")]));
    hint().await;
    refused(&by_id, 403).await;
    assert_eq!(with(&farm, &same_viewer, &path).await.status, 200);
    // Without one.
    farm.api
        .rule(rules("3", keys(), vec![("token", "t1"), ("viewer", "v1")]));
    refused(&same_viewer, 403).await;
    assert_eq!(with(&farm, &other, &path).await.status, 200);
    let later = two.sign(&claims(json!({ "viewer_id": "v1", "iat": now_s() + 2 })));
    assert_eq!(
        with(&farm, &later, &path).await.status,
        200,
        "issued after the revocation"
    );
    // A revoked key takes its tokens with it.
    farm.api.rule(rules("4", vec![one.told("EdDSA")], Vec::new()));
    hint().await;
    refused(&other, 401).await;
    assert_eq!(with(&farm, &by_id, &path).await.status, 200);

    // While the api is silent, what is known goes on; what is not, is not shown.
    farm.api.down.store(true, std::sync::atomic::Ordering::SeqCst);
    hint().await;
    assert_eq!(with(&farm, &by_id, &path).await.status, 200);
    assert_eq!(get(farm.origin, &path).await.status, 401);
}

#[tokio::test]
async fn what_cannot_be_checked_is_not_shown() {
    let pair = Pair::ed("sgk_ed");
    let made = make(TENANT, BROADCAST, Recipe::low(10));
    let farm = Farm::start().await;
    let worker = FakeWorker::start_with(&made, made.through_segment(3)).await;
    let mut answer = live(&worker, 1);
    answer.policy = "of the future".into();
    farm.api.answer(CHANNEL, answer);
    let token = pair.sign(&claims(json!({})));
    let refused = with(&farm, &token, &format!("/{CHANNEL}/main.m3u8")).await;
    assert_eq!(refused.status, 503, "nobody said which keys there are");
    assert_eq!(refused.header("cache-control"), "no-store");
}

#[tokio::test]
async fn a_token_for_one_use_begins_one_playback() {
    let pair = Pair::ed("sgk_ed");
    let (farm, _worker) = signed(vec![pair.told("EdDSA")], &[]).await;
    let token = pair.sign(&claims(json!({ "single_use": true, "jti": "once", "viewer_id": "v1" })));
    let file = format!("/{CHANNEL}/main.m3u8");
    assert_eq!(with(&farm, &token, &file).await.status, 403, "it begins in the query");
    let begin = async |token: &str| get(farm.origin, &format!("{file}?token={token}")).await;
    let (first, second) = tokio::join!(begin(&token), begin(&token));
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [302, 403], "one of two at once");
    let led = if first.status == 302 { first } else { second };
    let path = led
        .header("location")
        .strip_prefix("..")
        .expect("a relative address")
        .to_owned();
    assert!(!path.contains(&token));
    let media = path.replace("main.m3u8", &format!("{BROADCAST}/source/2-1.m4s"));
    for path in [&path, &media] {
        assert_eq!(get(farm.origin, path).await.status, 200, "{path}");
    }
    assert_eq!(begin(&token).await.status, 403);
    let nameless = pair.sign(&claims(json!({ "single_use": true })));
    assert_eq!(begin(&nameless).await.status, 403, "what has no id cannot be used up");
    // What was handed on is revoked as the token would be.
    farm.api
        .rule(rules("2", vec![pair.told("EdDSA")], vec![("viewer", "v1")]));
    farm.hints
        .publish("hw:token-rules", TENANT.into())
        .await
        .expect("in memory");
    let begun = Instant::now();
    while get(farm.origin, &media).await.status != 403 {
        assert!(begun.elapsed() < Duration::from_secs(1), "still shown after a second");
    }
}

#[tokio::test]
async fn rules_of_page_network_and_country_hold() {
    let pair = Arc::new(Pair::ed("sgk_ed"));
    let args = [
        "--origin-country-header",
        "CF-IPCountry",
        "--origin-signed-cache-shared",
    ];
    let (farm, _worker) = signed(vec![pair.told("EdDSA")], &args).await;
    let asked = async |more: Value, headers: &[(&str, &str)]| {
        let path = format!("/t/{}/{CHANNEL}/main.m3u8", pair.sign(&claims(more)));
        send(farm.origin, http::Method::GET, &path, headers).await
    };
    let shown = asked(json!({ "ips": ["127.0.0.0/8"] }), &[]).await;
    assert_eq!(
        (shown.status.as_u16(), shown.header("cache-control")),
        (200, "public, max-age=1")
    );
    assert_eq!(asked(json!({ "ips": ["10.0.0.0/8"] }), &[]).await.status, 403);
    let country = json!({ "countries": ["DE"] });
    assert_eq!(asked(country.clone(), &[("cf-ipcountry", "DE")]).await.status, 200);
    assert_eq!(asked(country.clone(), &[("cf-ipcountry", "FR")]).await.status, 403);
    assert_eq!(asked(country, &[]).await.status, 403);
    let page = json!({ "origins": ["https://example.com"] });
    assert_eq!(
        asked(page.clone(), &[("origin", "https://example.com")]).await.status,
        200
    );
    assert_eq!(
        asked(page.clone(), &[("referer", "https://example.com/live?x")])
            .await
            .status,
        200
    );
    assert_eq!(
        asked(page.clone(), &[("origin", "https://evil.example")]).await.status,
        403
    );
    assert_eq!(asked(page, &[]).await.status, 403);
    let download = format!("/{CHANNEL}/{BROADCAST}/download.mp4");
    let refused = with(&farm, &pair.sign(&claims(json!({}))), &download).await;
    assert_eq!(refused.status, 403, "downloads are another permission");
}
