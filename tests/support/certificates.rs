//! An authority, and certificates of it, made with openssl for one test.
#![allow(dead_code, clippy::unwrap_used)]

use dworker::config::RedisTlsConfig;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory of its own with `ca.crt`, and `server` and `client` with `.crt` and `.key`. Removed when dropped.
pub struct Certificates {
    pub directory: PathBuf,
}

impl Certificates {
    /// For a server at 127.0.0.1 that is named redis.test.
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("dworker-test-{}-tls-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        let new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
        openssl(&directory, &["req", "-x509", "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=ca"], &new_key);
        for (who, names) in
            [("server", "subjectAltName=DNS:redis.test,IP:127.0.0.1"), ("client", "subjectAltName=DNS:client")]
        {
            let (key, certificate) = (format!("{who}.key"), format!("{who}.crt"));
            let signed = ["-x509", "-CA", "ca.crt", "-CAkey", "ca.key", "-addext", names];
            let own = [
                "-addext",
                "basicConstraints=critical,CA:FALSE",
                "-subj",
                "/CN=dworker",
                "-keyout",
                &key,
                "-out",
                &certificate,
            ];
            openssl(&directory, &["req"], &[&signed[..], &own[..], &new_key[..]].concat());
        }
        Self { directory }
    }

    pub fn path(&self, name: &str) -> String {
        self.directory.join(name).to_string_lossy().into_owned()
    }

    pub fn pem(&self, name: &str) -> String {
        std::fs::read_to_string(self.directory.join(name)).unwrap()
    }

    /// Of a client that trusts this authority and has no certificate.
    pub fn config(&self) -> RedisTlsConfig {
        RedisTlsConfig {
            ca: vec![self.pem("ca.crt")],
            cert: None,
            key: None,
            servername: None,
            reject_unauthorized: true,
        }
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn openssl(directory: &Path, words: &[&str], more: &[&str]) {
    let mut command = Command::new("openssl");
    command.current_dir(directory).args(words).args(more).stdin(Stdio::null());
    let output = command.output().unwrap();
    assert!(output.status.success(), "openssl {words:?}: {}", String::from_utf8_lossy(&output.stderr));
}
