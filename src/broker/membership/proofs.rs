//! What the application gave for a broker to prove itself by.

use crate::transport::Tls;
use std::sync::Arc;

/// Secrets and certificates of the application.
#[derive(Default)]
pub struct Proofs {
    /// Empty: the namespace's own secret is used.
    pub secrets: Vec<Vec<u8>>,
    /// The certificate; `None`: connections over TCP are in the clear.
    pub tls: Option<Arc<Tls>>,
}
