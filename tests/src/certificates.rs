//! A certificate authority of a test's own, and a server with a certificate from it. OpenSSL makes both: another hand than ours.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use tempfile::TempDir;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

const EC: [&str; 4] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];

/// A certificate authority.
pub struct Authority {
    folder: TempDir,
    /// What whoever trusts it is given.
    pub certificate: CertificateDer<'static>,
}

impl Authority {
    /// A fresh one, for two days.
    pub fn fresh() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        // Two of one name would be taken for one another.
        let subject = format!(
            "/CN=Authority {}",
            folder.path().file_name().unwrap_or_default().display()
        );
        let mut arguments = vec!["req", "-x509", "-nodes", "-days", "2", "-subj", &subject];
        arguments.extend(EC);
        arguments.extend([
            "-addext",
            "basicConstraints=critical,CA:TRUE",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
        ]);
        openssl(folder.path(), &arguments)?;
        let certificate = CertificateDer::from_pem_file(folder.path().join("ca.pem"))?;
        Ok(Self { folder, certificate })
    }

    /// What a server needs that is reached as `name`, such as `IP:127.0.0.1` or `DNS:example.com`.
    pub fn server(&self, name: &str) -> anyhow::Result<Arc<ServerConfig>> {
        let folder = self.folder.path();
        std::fs::write(
            folder.join("server.ext"),
            format!("subjectAltName={name}\nbasicConstraints=CA:FALSE\n"),
        )?;
        let mut request = vec!["req", "-new", "-nodes", "-subj", "/CN=Server of a test"];
        request.extend(EC);
        request.extend(["-keyout", "server.key", "-out", "server.csr"]);
        openssl(folder, &request)?;
        let sign = "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile server.ext -out server.pem";
        openssl(folder, &sign.split(' ').collect::<Vec<_>>())?;
        let certificate = CertificateDer::from_pem_file(folder.join("server.pem"))?;
        let key = PrivateKeyDer::from_pem_file(folder.join("server.key"))?;
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)?;
        Ok(Arc::new(config))
    }
}

fn openssl(folder: &Path, arguments: &[&str]) -> anyhow::Result<()> {
    let made = Command::new("openssl")
        .args(arguments)
        .current_dir(folder)
        .output()
        .context("openssl runs")?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Ok(())
}
