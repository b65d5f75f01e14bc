//! The ways out: a mail server, or a folder of files for those who develop.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use headwater_platform::Secret;
use lettre::address::Envelope;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use url::Url;

/// Longest wait for one answer of a mail server.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);
const SUBMISSION_PORT: u16 = 587;
const SUBMISSIONS_PORT: u16 = 465;
const SMTP_PORT: u16 = 25;

/// How a message leaves.
#[derive(Clone)]
pub enum Way {
    /// To a server that takes it from here, over SMTP.
    Server(AsyncSmtpTransport<Tokio1Executor>),
    /// Into this folder, a file for each message.
    Folder(PathBuf),
}

/// Why a message was not taken.
pub(super) struct Refused {
    /// Trying again makes no sense: the server refuses this message or this recipient.
    pub(super) forever: bool,
    /// For operators.
    pub(super) why: String,
}

impl Way {
    /// `smtps://user:password@host` (TLS from the start, port 465), `smtp://…` (STARTTLS, and nothing without it, port 587) or
    /// `smtp://host:25?tls=none`. Trusts the machine's certificate authorities, and `authorities` (PEM) beside them.
    pub fn server(url: &Secret, authorities: &[Vec<u8>]) -> anyhow::Result<Self> {
        // The cause may quote the address, password included.
        let mut parsed = Url::parse(url.reveal()).map_err(|_| malformed())?;
        let host = parsed
            .host_str()
            .filter(|host| !host.is_empty())
            .ok_or_else(malformed)?;
        let host = host.trim_matches(['[', ']']).to_owned();
        let wrapped = match parsed.scheme() {
            "smtps" => true,
            "smtp" => false,
            _ => return Err(malformed()),
        };
        let plain = match parsed.query() {
            None => false,
            Some("tls=none") if !wrapped => true,
            Some(_) => return Err(malformed()),
        };
        if plain && !parsed.username().is_empty() {
            bail!("HEADWATER_API_SMTP_URL sends a password in the clear: leave out tls=none, or user and password");
        }
        let (tls, port) = if plain {
            (Tls::None, SMTP_PORT)
        } else {
            let mut parameters = TlsParameters::builder(host);
            for authority in authorities {
                parameters = parameters.add_root_certificate(Certificate::from_pem(authority)?);
            }
            let parameters = parameters.build().context("TLS to the mail server cannot be set up")?;
            match wrapped {
                true => (Tls::Wrapper(parameters), SUBMISSIONS_PORT),
                false => (Tls::Required(parameters), SUBMISSION_PORT),
            }
        };
        let port = parsed.port().unwrap_or(port);
        parsed.set_query(None);
        // It reads user and password; how TLS is spoken was settled above.
        let text = parsed.as_str().replacen("smtps:", "smtp:", 1);
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(&text).map_err(|_| malformed())?;
        let builder = builder.port(port).tls(tls).timeout(Some(ANSWER_LIMIT));
        Ok(Self::Server(builder.build()))
    }

    /// Into `path`, which is made if there is none.
    pub fn folder(path: &Path) -> anyhow::Result<Self> {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.with_context(|| format!("HEADWATER_API_MAIL_DIR: cannot make {}", path.display()))?;
        Ok(Self::Folder(path.to_owned()))
    }

    /// Hands a message over. `name` is that of its file.
    pub(super) async fn send(&self, name: &str, envelope: &Envelope, message: Vec<u8>) -> Result<(), Refused> {
        match self {
            Self::Server(server) => match server.send_raw(envelope, &message).await {
                Ok(_) => Ok(()),
                Err(error) => Err(Refused {
                    forever: error.is_permanent() && !of_the_sender(error.status().map(u16::from)),
                    why: chain(&error),
                }),
            },
            Self::Folder(folder) => {
                let (folder, name) = (folder.clone(), name.to_owned());
                let written = tokio::task::spawn_blocking(move || write(&folder, &name, &message)).await;
                written
                    .map_err(std::io::Error::other)
                    .flatten()
                    .map_err(|error| Refused {
                        forever: false,
                        why: error.to_string(),
                    })
            }
        }
    }
}

fn malformed() -> anyhow::Error {
    anyhow::anyhow!(
        "HEADWATER_API_SMTP_URL is not like smtps://user:password@mail.example.com or smtp://mail.example.com:587"
    )
}

/// Refusals that are about who sends, such as a wrong password (RFC 4954 §6): an operator mends them, and then the message goes.
fn of_the_sender(status: Option<u16>) -> bool {
    matches!(status, Some(530..=538))
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text.chars().filter(|c| !c.is_control()).take(500).collect()
}

/// In one step, so that whoever watches the folder sees whole messages.
fn write(folder: &Path, name: &str, message: &[u8]) -> std::io::Result<()> {
    let fresh = folder.join(format!(".{name}.new"));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)?;
    file.write_all(message)?;
    std::fs::rename(fresh, folder.join(format!("{name}.eml")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_mail_servers_are_taken() {
        let of = |text: &str| Way::server(&Secret::new(text), &[]).map(drop);
        headwater_platform::install_crypto();
        for text in [
            "smtps://user:p%40ss@mail.example.com",
            "smtp://user:pass@mail.example.com:2525",
            "smtp://[::1]:25?tls=none",
        ] {
            assert!(of(text).is_ok(), "{text}: {:?}", of(text).err());
        }
        for text in [
            "",
            "mail.example.com",
            "https://mail.example.com",
            "smtp://",
            "smtp://mail.example.com?tls=maybe",
            "smtps://mail.example.com?tls=none",
            "smtp://user:hunter2@mail.example.com?tls=none",
        ] {
            let refused = of(text).expect_err(text).to_string();
            assert!(
                refused.contains("HEADWATER_API_SMTP_URL") && !refused.contains("hunter2"),
                "{refused}"
            );
        }
    }

    #[test]
    fn a_wrong_password_of_ours_does_not_cost_a_message() {
        assert!(of_the_sender(Some(535)) && !of_the_sender(Some(550)) && !of_the_sender(None));
    }
}
