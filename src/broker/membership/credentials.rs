//! What this broker proves itself by: the application's secrets and certificates, or the namespace's secret.

use crate::broker::membership::members::Members;
use crate::lock::lock;
use crate::wire::handshake::Secrets;
use std::sync::Arc;

impl Members {
    /// Sets what this broker proves itself by: the application's secrets, or the namespace's where there are none.
    pub fn equip(&self) {
        let (given, tls) = {
            let proofs = lock(&self.proofs);
            (proofs.secrets.clone(), proofs.tls.clone())
        };
        let own = || lock(&self.remembered).secrets.iter().map(|secret| secret.clone().into_bytes()).collect();
        let secrets = Secrets(if given.is_empty() { own() } else { given });
        self.transports.set_credentials(&secrets, tls.as_ref());
    }

    /// Learns the namespace's secret, before this broker registers.
    pub fn learn_secret(&self, secret: &str) {
        lock(&self.remembered).replace_secret(secret);
    }

    /// The namespace's secret is another now: the last one is still accepted for as long as somebody may not know.
    pub fn accept_secret(self: &Arc<Self>, secret: &str) {
        if !lock(&self.remembered).replace_secret(secret) {
            return;
        }
        self.equip();
        let (members, secret) = (self.clone(), secret.to_owned());
        self.context.spawn("secret", async move {
            tokio::time::sleep(members.context.config.lease.ttl()).await;
            lock(&members.remembered).forget_secrets_before(&secret);
            members.equip();
        });
    }
}
