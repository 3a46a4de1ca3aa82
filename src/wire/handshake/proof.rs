//! The proof of a shared secret over what both sides said.

use super::{Role, Secrets};
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// A proof under one secret.
pub type ProofBytes = [u8; 32];

/// Both hellos, byte for byte: identities, versions, limits and nonces of both sides are bound by every proof.
pub struct Transcript(Vec<u8>);

impl Transcript {
    pub fn new(initiator_hello: &[u8], responder_hello: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(8 + initiator_hello.len() + responder_hello.len());
        for hello in [initiator_hello, responder_hello] {
            // The length goes first, so that no byte can move from one hello to the other.
            bytes.extend_from_slice(&(hello.len() as u32).to_be_bytes());
            bytes.extend_from_slice(hello);
        }
        Self(bytes)
    }

    /// A proof by `role` under each secret.
    pub fn prove(&self, role: Role, secrets: &[Vec<u8>]) -> Vec<ProofBytes> {
        secrets.iter().map(|secret| self.mac(role, secret).finalize().into_bytes().into()).collect()
    }

    /// Index of the secret under which one of `macs` is the proof by `role`. Compares in constant time.
    pub fn verify(&self, role: Role, secrets: &Secrets, macs: &[ProofBytes]) -> Option<usize> {
        let mut found = None;
        for (index, secret) in secrets.in_use().iter().enumerate() {
            let expected = self.mac(role, secret);
            for mac in macs {
                if expected.clone().verify_slice(mac).is_ok() {
                    found.get_or_insert(index);
                }
            }
        }
        found
    }

    fn mac(&self, role: Role, secret: &[u8]) -> Hmac<Sha256> {
        // The label keeps a proof of one role from being taken for one of the other.
        let label: &[u8] = match role {
            Role::Initiator => b"dworker/1 initiator",
            Role::Responder => b"dworker/1 responder",
        };
        Hmac::<Sha256>::new_from_slice(secret)
            .expect("HMAC takes a key of any length")
            .chain_update(label)
            .chain_update(&self.0)
    }
}
