//! Signatures as Standard Webhooks 1.0.0 has them: `v1,` and base64 of HMAC-SHA-256 over `{id}.{timestamp}.{body}`.

use aws_lc_rs::hmac;
use base64_simd::STANDARD;

/// Bytes of a secret.
const SECRET_BYTES: usize = 32;
const PREFIX: &str = "whsec_";

/// A new secret, as it is shown: `whsec_` and base64.
pub(super) fn new_secret() -> String {
    let mut bytes = [0; SECRET_BYTES];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has random numbers");
    format!("{PREFIX}{}", STANDARD.encode_to_string(bytes))
}

/// The value of `webhook-signature`: one signature for each secret that counts, with a space between.
pub(super) fn sign(secrets: &[String], id: &str, timestamp_s: i64, body: &[u8]) -> String {
    let signed = [format!("{id}.{timestamp_s}.").as_bytes(), body].concat();
    let signatures = secrets.iter().filter_map(|secret| {
        let key = STANDARD.decode_to_vec(secret.strip_prefix(PREFIX)?).ok()?;
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &signed);
        Some(format!("v1,{}", STANDARD.encode_to_string(tag)))
    });
    signatures.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification_comes_out() {
        // standard-webhooks 1.0.0, the example of its reference libraries.
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned();
        let body = br#"{"test": 2432232314}"#;
        let signed = sign(
            std::slice::from_ref(&secret),
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            body,
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let other = new_secret();
        let both = sign(&[other, secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(both.split(' ').count(), 2);
        assert!(both.ends_with(&signed));
    }
}
