//! The proof of a shared secret over what both sides said.

use super::{Channel, Role, Secrets};
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// A proof under one secret.
pub(crate) type ProofBytes = [u8; 32];

/// Both hellos, byte for byte: identities, purpose, versions, limits and nonces of both sides are bound by every proof,
/// and with them the encrypted channel that they came through.
pub(crate) struct Transcript(Vec<u8>);

impl Transcript {
    pub(crate) fn new(initiator_hello: &[u8], responder_hello: &[u8], channel: Option<&Channel>) -> Self {
        let channel = channel.map_or(&[][..], |channel| channel);
        let mut bytes = Vec::with_capacity(12 + initiator_hello.len() + responder_hello.len() + channel.len());
        for part in [initiator_hello, responder_hello, channel] {
            // The length goes first, so that no byte can move from one part to the next.
            bytes.extend_from_slice(&(part.len() as u32).to_be_bytes());
            bytes.extend_from_slice(part);
        }
        Self(bytes)
    }

    /// A proof by `role` under each secret.
    pub(crate) fn prove(&self, role: Role, secrets: &[Vec<u8>]) -> Vec<ProofBytes> {
        secrets.iter().map(|secret| self.mac(role, secret).finalize().into_bytes().into()).collect()
    }

    /// Index of the secret under which one of `macs` is the proof by `role`. Compares in constant time.
    pub(crate) fn verify(&self, role: Role, secrets: &Secrets, macs: &[ProofBytes]) -> Option<usize> {
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
