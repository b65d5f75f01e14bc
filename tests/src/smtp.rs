//! A mail server (RFC 5321) as far as a client that hands messages over needs one: it writes down what comes, in the clear or after
//! STARTTLS with a certificate of its own, and answers as the test says.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_util::task::AbortOnDropHandle;

/// Longest that a test waits for a message.
const PATIENCE: Duration = Duration::from_secs(20);
/// User and password that an encrypted server wants.
pub const LOGIN: (&str, &str) = ("headwater", "p@ss word");

/// A message that was taken.
#[derive(Clone, Debug, Default)]
pub struct Mail {
    /// Whom the envelope names.
    pub to: Vec<String>,
    /// Head and body as they came.
    pub raw: String,
    /// Whether it came encrypted, from somebody who knew the password.
    pub secured: bool,
}

impl Mail {
    /// A header field, unfolded; empty where there is none.
    pub fn header(&self, name: &str) -> String {
        let head = self
            .raw
            .split("\r\n\r\n")
            .next()
            .unwrap_or_default()
            .replace("\r\n ", " ");
        let field = head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        });
        field.unwrap_or_default()
    }

    /// The part of this media type, decoded.
    pub fn part(&self, media: &str) -> anyhow::Result<String> {
        let start = self
            .raw
            .find(&format!("Content-Type: {media}"))
            .context("no such part")?;
        let (head, body) = self.raw[start..]
            .split_once("\r\n\r\n")
            .context("a part without a body")?;
        let body = &body[..body.find("\r\n--").unwrap_or(body.len())];
        match head
            .split("Content-Transfer-Encoding: ")
            .nth(1)
            .and_then(|rest| rest.lines().next())
        {
            Some("7bit") => Ok(body.to_owned()),
            Some("quoted-printable") => unquoted(body),
            other => bail!("the part is encoded as {other:?}"),
        }
    }

    /// The secret of the link to this page.
    pub fn secret(&self, page: &str) -> anyhow::Result<String> {
        let text = self.part("text/plain")?;
        let rest = text.split(&format!("{page}?secret=")).nth(1);
        let rest = rest.with_context(|| format!("no link to {page}: {text}"))?;
        Ok(rest.split_whitespace().next().unwrap_or_default().to_owned())
    }
}

/// Decodes quoted-printable (RFC 2045 §6.7).
fn unquoted(text: &str) -> anyhow::Result<String> {
    let text = text.replace("=\r\n", "");
    let mut pieces = text.split('=');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let code = piece.get(..2).context("a broken code")?;
        bytes.push(u8::from_str_radix(code, 16)?);
        bytes.extend_from_slice(&piece.as_bytes()[2..]);
    }
    Ok(String::from_utf8(bytes)?)
}

type Judge = dyn Fn(usize) -> &'static str + Send + Sync;

/// What the connections share.
#[derive(Clone)]
struct Desk {
    taken: Arc<watch::Sender<Vec<Mail>>>,
    offered: Arc<watch::Sender<usize>>,
    judge: Arc<Judge>,
    tls: Option<TlsAcceptor>,
}

/// A running mail server. It ends when dropped.
pub struct MailServer {
    /// Where it listens.
    pub address: SocketAddr,
    /// The certificate that an encrypted one shows, PEM.
    pub certificate: Vec<u8>,
    desk: Desk,
    _serving: AbortOnDropHandle<()>,
}

impl MailServer {
    /// One that takes every message, in the clear.
    pub async fn start() -> anyhow::Result<Self> {
        Self::judging(|_| "250 2.1.5 fine").await
    }

    /// One whose answer to RCPT is `judge`'s, who gets the number of messages that were offered before.
    pub async fn judging(judge: impl Fn(usize) -> &'static str + Send + Sync + 'static) -> anyhow::Result<Self> {
        Self::listen(Arc::new(judge), None).await
    }

    /// One that speaks after STARTTLS alone, to whoever gives [`LOGIN`].
    pub async fn encrypted() -> anyhow::Result<Self> {
        let (certificate, key) = certificate()?;
        let chain = vec![CertificateDer::from_pem_slice(&certificate)?];
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(chain, PrivateKeyDer::from_pem_slice(&key)?)?;
        let tls = (TlsAcceptor::from(Arc::new(config)), certificate);
        Self::listen(Arc::new(|_| "250 2.1.5 fine"), Some(tls)).await
    }

    async fn listen(judge: Arc<Judge>, tls: Option<(TlsAcceptor, Vec<u8>)>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (tls, certificate) = tls.unzip();
        let desk = Desk {
            taken: Arc::new(watch::Sender::new(Vec::new())),
            offered: Arc::new(watch::Sender::new(0)),
            judge,
            tls,
        };
        let serving = desk.clone();
        let serving = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let desk = serving.clone();
                // A client that breaks off has its own test to answer to.
                tokio::spawn(async move { desk.greet(socket).await.ok() });
            }
        });
        Ok(Self {
            address,
            certificate: certificate.unwrap_or_default(),
            desk,
            _serving: AbortOnDropHandle::new(serving),
        })
    }

    /// What was taken so far.
    pub fn taken(&self) -> Vec<Mail> {
        self.desk.taken.borrow().clone()
    }

    /// How often a message was offered so far.
    pub fn offered(&self) -> usize {
        *self.desk.offered.borrow()
    }

    /// Waits for so many messages. Returns the last of them.
    pub async fn mail(&self, many: usize) -> anyhow::Result<Mail> {
        let mut news = self.desk.taken.subscribe();
        let came = tokio::time::timeout(PATIENCE, news.wait_for(|taken| taken.len() >= many)).await;
        let came = came.with_context(|| {
            let subjects: Vec<_> = self.taken().iter().map(|mail| mail.header("Subject")).collect();
            format!("never {many} messages; came: {subjects:?}")
        })?;
        Ok(came?[many - 1].clone())
    }
}

impl Desk {
    async fn greet(&self, socket: TcpStream) -> anyhow::Result<()> {
        let mut stream = BufStream::new(socket);
        say(&mut stream, "220 mail.test ready").await?;
        let Some(tls) = &self.tls else {
            return self.serve(stream, false).await;
        };
        loop {
            let line = line(&mut stream).await?;
            if line.starts_with("EHLO") {
                say(&mut stream, "250-mail.test\r\n250 STARTTLS").await?;
            } else if line == "STARTTLS" {
                say(&mut stream, "220 go on").await?;
                let secured = tls.accept(stream.into_inner()).await?;
                return self.serve(BufStream::new(secured), true).await;
            } else {
                say(&mut stream, "530 5.7.0 STARTTLS first").await?;
            }
        }
    }

    async fn serve(
        &self,
        mut stream: BufStream<impl AsyncRead + AsyncWrite + Unpin>,
        secured: bool,
    ) -> anyhow::Result<()> {
        let mut mail = Mail::default();
        let mut known = !secured;
        loop {
            let line = line(&mut stream).await?;
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            let answer = match verb.as_str() {
                "EHLO" if secured => "250-mail.test\r\n250 AUTH PLAIN",
                "EHLO" | "HELO" => "250 mail.test",
                "AUTH" => {
                    let given = base64(line.rsplit(' ').next().unwrap_or_default());
                    known = given == format!("\0{}\0{}", LOGIN.0, LOGIN.1).into_bytes();
                    if known { "235 2.7.0 welcome" } else { "535 5.7.8 wrong" }
                }
                "MAIL" if !known => "530 5.7.0 sign in first",
                "MAIL" => {
                    mail = Mail {
                        secured,
                        ..Mail::default()
                    };
                    "250 2.1.0 fine"
                }
                "RCPT" => {
                    let before = *self.offered.borrow();
                    self.offered.send_modify(|count| *count += 1);
                    let address = line.split(['<', '>']).nth(1).unwrap_or_default();
                    mail.to.push(address.to_owned());
                    (self.judge)(before)
                }
                "DATA" => {
                    say(&mut stream, "354 until a dot").await?;
                    mail.raw = body(&mut stream).await?;
                    let whole = std::mem::take(&mut mail);
                    self.taken.send_modify(|taken| taken.push(whole));
                    "250 2.0.0 taken"
                }
                "RSET" | "NOOP" => "250 2.0.0 fine",
                "QUIT" => {
                    say(&mut stream, "221 2.0.0 bye").await?;
                    return Ok(());
                }
                _ => "500 5.5.2 what?",
            };
            say(&mut stream, answer).await?;
        }
    }
}

async fn say(stream: &mut BufStream<impl AsyncRead + AsyncWrite + Unpin>, text: &str) -> anyhow::Result<()> {
    stream.write_all(format!("{text}\r\n").as_bytes()).await?;
    Ok(stream.flush().await?)
}

async fn line(stream: &mut BufStream<impl AsyncRead + AsyncWrite + Unpin>) -> anyhow::Result<String> {
    let mut text = String::new();
    if stream.read_line(&mut text).await? == 0 {
        bail!("the client has gone");
    }
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// Until the line that is a dot; a dot at a line's beginning was doubled (RFC 5321 §4.5.2).
async fn body(stream: &mut BufStream<impl AsyncRead + AsyncWrite + Unpin>) -> anyhow::Result<String> {
    let mut text = String::new();
    loop {
        let line = line(stream).await?;
        match line.strip_prefix('.') {
            Some("") => return Ok(text),
            Some(rest) => text.push_str(rest),
            None => text.push_str(&line),
        }
        text.push_str("\r\n");
    }
}

fn base64(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for value in text
        .bytes()
        .filter_map(|byte| ALPHABET.iter().position(|known| *known == byte))
    {
        bits = bits << 6 | u32::try_from(value).unwrap_or_default();
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 255) as u8);
        }
    }
    bytes
}

/// A certificate for localhost and its key, PEM.
fn certificate() -> anyhow::Result<(Vec<u8>, Vec<u8>)> {
    let folder = tempfile::tempdir()?;
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]);
    openssl.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]);
    openssl
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(&key);
    let made = openssl
        .arg("-out")
        .arg(&cert)
        .output()
        .context("openssl is not installed")?;
    anyhow::ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Ok((std::fs::read(cert)?, std::fs::read(key)?))
}
