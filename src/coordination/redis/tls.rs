//! TLS to Redis and to sentinels: whom we trust, who we are.
//!
//! The provider is named here, not taken from the process: what another library installed does not matter, and nothing
//! is installed.

use crate::config::RedisTlsConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{ring, verify_tls12_signature, verify_tls13_signature, CryptoProvider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::io;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::TlsConnector;

/// See the module.
pub(super) struct Tls {
    connector: TlsConnector,
    servername: Option<String>,
}

impl Tls {
    /// The error says which part cannot be used.
    pub(super) fn new(config: &RedisTlsConfig) -> Result<Self, String> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = if config.reject_unauthorized {
            builder.with_root_certificates(trusted(&config.ca)?)
        } else {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        };
        let client = match (&config.cert, &config.key) {
            (Some(cert), Some(key)) => {
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| format!("tls.key: {error}"))?;
                let chain = certificates(cert).map_err(|error| format!("tls.cert: {error}"))?;
                builder.with_client_auth_cert(chain, key).map_err(|error| format!("tls.cert and tls.key: {error}"))?
            }
            _ => builder.with_no_client_auth(),
        };
        Ok(Self { connector: TlsConnector::from(Arc::new(client)), servername: config.servername.clone() })
    }

    /// The handshake, with the server that was reached as `host`.
    pub(super) async fn wrap(&self, host: &str, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let name = self.servername.as_deref().unwrap_or(host);
        let name = ServerName::try_from(name.to_owned()).map_err(|_| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                "TLS: Expected a host name or an IP address that a certificate can contain",
            )
        })?;
        let failed = |error: io::Error| io::Error::new(error.kind(), format!("TLS: {error}"));
        self.connector.connect(name, stream).await.map_err(failed)
    }
}

/// What cannot be read is passed over, as long as something can: public bundles hold certificates of every age.
fn trusted(ca: &[String]) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    for text in ca {
        let found = certificates(text).map_err(|error| format!("tls.ca: {error}"))?;
        store.add_parsable_certificates(found);
    }
    if store.is_empty() {
        return Err("tls.ca: no usable certificate".into());
    }
    Ok(store)
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, rustls::pki_types::pem::Error> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).collect()
}

/// `rejectUnauthorized: false`: encrypted, but with whoever answers.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
