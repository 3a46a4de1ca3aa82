//! TLS 1.3 between brokers, in which both sides show a certificate of the same authority.
//!
//! Whose certificate it is does not matter: who somebody is, the handshake of brokers inside the channel proves, bound
//! to this very channel. Nothing is resumed, so a certificate or authority that was replaced is not trusted once more.

use crate::wire::handshake::{Channel, Role};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, Resumption};
use rustls::crypto::{ring, verify_tls13_signature, CryptoProvider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, PeerIncompatible, RootCertStore, ServerConfig, SignatureScheme,
};
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

/// What the bytes that bind the handshake of brokers to its channel are derived for.
const CHANNEL_LABEL: &[u8] = b"EXPORTER-dworker-channel";
/// The name is neither sent nor checked; one is asked for.
const NOBODY: &str = "dworker";
/// How long a refused peer is listened to, so that closing the socket does not destroy the alert that tells it why.
const LINGER: Duration = Duration::from_millis(300);

/// What this side shows, and whom it trusts.
pub struct Tls {
    connector: TlsConnector,
    acceptor: TlsAcceptor,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// From PEM texts: a private key, the chain of its certificate, the authorities of the peers' certificates. The
    /// error shows nothing of them.
    pub fn new(key: &str, cert: &str, ca: &str) -> Result<Self, String> {
        let provider = Arc::new(ring::default_provider());
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| "no private key in PEM".to_owned())?;
        let chain = certificates(cert)?;
        let mut roots = RootCertStore::empty();
        for authority in certificates(ca)? {
            roots.add(authority).map_err(|error| error.to_string())?;
        }
        let roots = Arc::new(roots);
        let peers = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone());
        let peers = peers.build().map_err(|error| error.to_string())?;
        let mut server = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|error| error.to_string())?
            .with_client_cert_verifier(peers)
            .with_single_cert(chain.clone(), key.clone_key())
            .map_err(|error| error.to_string())?;
        server.send_tls13_tickets = 0;
        let mut client = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyMember { roots, provider }))
            .with_client_auth_cert(chain, key)
            .map_err(|error| error.to_string())?;
        client.resumption = Resumption::disabled();
        client.enable_sni = false;
        Ok(Self { connector: Arc::new(client).into(), acceptor: Arc::new(server).into() })
    }

    /// The channel over `socket`, with what only its two ends know.
    pub(super) async fn wrap(&self, role: Role, socket: TcpStream) -> io::Result<(TlsStream<TcpStream>, Channel)> {
        let (stream, channel) = match role {
            Role::Initiator => {
                let name = ServerName::try_from(NOBODY).map_err(io::Error::other)?;
                let stream = self.connector.connect(name, socket).await?;
                let channel = stream.get_ref().1.export_keying_material([0; 32], CHANNEL_LABEL, None);
                (TlsStream::from(stream), channel)
            }
            Role::Responder => match self.acceptor.accept(socket).into_fallible().await {
                Ok(stream) => {
                    let channel = stream.get_ref().1.export_keying_material([0; 32], CHANNEL_LABEL, None);
                    (TlsStream::from(stream), channel)
                }
                Err((error, socket)) => {
                    // The alert is on its way already; the peer may go at any moment.
                    let _ = timeout(LINGER, let_go(socket)).await;
                    return Err(error);
                }
            },
        };
        Ok((stream, channel.map_err(io::Error::other)?))
    }
}

/// Reads to the end.
async fn let_go(mut socket: TcpStream) -> io::Result<()> {
    socket.shutdown().await?;
    let mut bytes = [0; 1024];
    while socket.read(&mut bytes).await? > 0 {}
    Ok(())
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    found.ok().filter(|found| !found.is_empty()).ok_or_else(|| "no certificate in PEM".to_owned())
}

/// Why no channel came about, where that is the reason for an error of a stream.
pub(super) enum Refusal {
    /// The peer speaks something else.
    NotTls,
    /// One side does not trust the other, or cannot speak with it.
    Refused(String),
}

pub(super) fn refusal(error: &io::Error) -> Option<Refusal> {
    let error = error.get_ref()?.downcast_ref::<Error>()?;
    Some(match error {
        Error::InvalidMessage(_) | Error::PeerIncompatible(PeerIncompatible::Tls12NotOffered) => Refusal::NotTls,
        error => Refusal::Refused(error.to_string()),
    })
}

/// Trusts every certificate of the authorities, whatever name it carries: brokers are known by addresses that change.
#[derive(Debug)]
struct AnyMember {
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AnyMember {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let algorithms = self.provider.signature_verification_algorithms.all;
        let certificate = ParsedCertificate::try_from(end_entity)?;
        verify_server_cert_signed_by_trust_anchor(&certificate, &self.roots, intermediates, now, algorithms)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 is not supported".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
