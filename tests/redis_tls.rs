//! Whom TLS to Redis trusts, and what is said when it does not.
#![allow(clippy::unwrap_used)]

#[path = "support/certificates.rs"]
mod certificates;
#[path = "support/redis_server.rs"]
mod redis_server;

use certificates::Certificates;
use dworker::config::{RedisConfig, RedisTlsConfig};
use dworker::coordination::redis::RedisCoordinator;
use dworker::coordination::*;
use redis_server::{free_port, RedisServer};

/// A server that listens with TLS beside its plain port, and how to reach it.
struct Secured {
    certificates: Certificates,
    server: RedisServer,
    port: u16,
}

impl Secured {
    fn start(clients: &str) -> Self {
        let (certificates, port) = (Certificates::new(), free_port());
        let server = RedisServer::with(&[
            "--tls-port",
            &port.to_string(),
            "--tls-cert-file",
            &certificates.path("server.crt"),
            "--tls-key-file",
            &certificates.path("server.key"),
            "--tls-ca-cert-file",
            &certificates.path("ca.crt"),
            "--tls-auth-clients",
            clients,
        ]);
        Self { certificates, server, port }
    }

    fn config(&self, tls: RedisTlsConfig) -> RedisConfig {
        RedisConfig { port: self.port, tls: Some(tls), ..self.server.config() }
    }

    async fn refusal(&self, tls: RedisTlsConfig) -> String {
        let error = coordinator(&self.config(tls)).open().await.unwrap_err().to_string();
        assert!(error.contains(&self.port.to_string()), "{error}");
        error
    }
}

fn coordinator(config: &RedisConfig) -> RedisCoordinator {
    RedisCoordinator::new(config, "dw", tokio::runtime::Handle::current())
}

async fn works(config: &RedisConfig) {
    let coordinator = coordinator(config);
    coordinator.open().await.unwrap();
    coordinator.time().await.unwrap();
    coordinator.listen_as(Some(&"me".into())).await.unwrap();
    assert_eq!(coordinator.is_listening(&"me".into()).await, Ok(true));
    assert_eq!(coordinator.local_host().as_deref(), Some("127.0.0.1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_a_trusted_certificate_is_used() {
    let secured = Secured::start("no");
    works(&secured.config(secured.certificates.config())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_authority_or_name_is_refused_if_it_is_verified() {
    let secured = Secured::start("no");
    let other = Certificates::new();
    let text = secured.refusal(other.config()).await;
    assert!(text.contains("TLS: invalid peer certificate"), "{text}");
    let named = |name: &str| RedisTlsConfig { servername: Some(name.into()), ..secured.certificates.config() };
    works(&secured.config(named("redis.test"))).await;
    let text = secured.refusal(named("other.test")).await;
    assert!(text.contains("TLS: invalid peer certificate") && text.contains("other.test"), "{text}");
    works(&secured.config(RedisTlsConfig { ca: Vec::new(), reject_unauthorized: false, ..other.config() })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_asks_for_a_certificate_gets_it() {
    let secured = Secured::start("yes");
    let own = |from: &Certificates| RedisTlsConfig {
        cert: Some(from.pem("client.crt")),
        key: Some(from.pem("client.key")),
        ..secured.certificates.config()
    };
    works(&secured.config(own(&secured.certificates))).await;
    secured.refusal(secured.certificates.config()).await;
    secured.refusal(own(&Certificates::new())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_and_a_client_without_tls_have_different_errors() {
    let secured = Secured::start("no");
    let plain_server = RedisConfig { tls: Some(secured.certificates.config()), ..secured.server.config() };
    let text = coordinator(&plain_server).open().await.unwrap_err().to_string();
    // A plain server takes the handshake for a long command and waits for its end.
    assert!(text.contains("no answer to connecting over TLS"), "{text}");
    let plain_client = RedisConfig { port: secured.port, ..secured.server.config() };
    assert!(coordinator(&plain_client).open().await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_certificate_is_named() {
    let secured = Secured::start("no");
    let wrong = |ca: &str| RedisTlsConfig { ca: vec![ca.into()], ..secured.certificates.config() };
    assert!(secured.refusal(wrong("nothing")).await.contains("tls.ca: no usable certificate"));
    let cut = "-----BEGIN CERTIFICATE-----\nAAAA";
    assert!(secured.refusal(wrong(cut)).await.contains("tls.ca: "));
}
