//! Passwords: Argon2id, off the async threads and a few at a time.

use std::sync::OnceLock;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use tokio::sync::Semaphore;

use crate::problem::{Answer, Code, Problem};

/// Characters at least and at most.
pub const CHARS: std::ops::RangeInclusive<usize> = 12..=200;
/// Computed at a time: each takes 19 MiB and some 20 ms of a core, so a flood of attempts waits in line.
const AT_ONCE: usize = 2;

static TURNS: Semaphore = Semaphore::const_new(AT_ONCE);

/// Refuses a password that is too short or too long.
pub fn check(field: &'static str, password: &str) -> Answer<()> {
    let chars = password.chars().count();
    if chars < *CHARS.start() {
        let sentence = format!("A password has at least {} characters.", CHARS.start());
        return Err(Problem::mend(Code::TooShort, field, sentence));
    }
    if chars > *CHARS.end() {
        let sentence = format!("A password has at most {} characters.", CHARS.end());
        return Err(Problem::mend(Code::TooLong, field, sentence));
    }
    Ok(())
}

/// The text that is stored: PHC form, with its own salt and costs.
pub async fn hash(password: String) -> Answer<String> {
    in_turn(move || hash_now(&password)).await
}

fn hash_now(password: &str) -> String {
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.expect("the default costs are valid and the system has random numbers")
        .to_string()
}

/// Whether `password` is the one that was hashed. Takes as long when there is no hash.
pub async fn verify(password: String, hash: Option<String>) -> Answer<bool> {
    static NOBODYS: OnceLock<String> = OnceLock::new();
    if password.chars().count() > *CHARS.end() {
        return Ok(false);
    }
    in_turn(move || {
        let known = hash.is_some();
        let text = hash.unwrap_or_else(|| NOBODYS.get_or_init(|| hash_now("nobody's password")).clone());
        let Ok(parsed) = PasswordHash::new(&text) else {
            return false;
        };
        Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok() && known
    })
    .await
}

async fn in_turn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Answer<T> {
    let _turn = TURNS.acquire().await.expect("the line is never closed");
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.expect("hashing does not panic"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_is_right() {
        let stored = hash("correct horse battery".into()).await.expect("hashed");
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        let is_right = async |password: &str, hash| verify(password.to_owned(), hash).await.expect("verified");
        assert!(is_right("correct horse battery", Some(stored.clone())).await);
        assert!(!is_right("correct horse batterz", Some(stored)).await);
        assert!(!is_right("nobody's password", None).await);
        assert!(!is_right("x", Some("damaged".into())).await);
    }
}
