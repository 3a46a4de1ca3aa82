//! Connections inside one process: the same code path as over TCP, without a socket.

use super::lock;
use crate::ids::Endpoint;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;

/// Host of every endpoint of a hub.
pub const MEMORY_HOST: &str = "memory";
/// Bytes in flight in each direction: about what a loopback socket holds.
const DUPLEX_BYTES: usize = 256 * 1024;
/// Connections that a listener has not taken up yet; a caller beyond waits, as for a socket's backlog.
const BACKLOG: usize = 64;

#[derive(Default)]
struct Ports {
    last: u16,
    listeners: HashMap<u16, mpsc::Sender<DuplexStream>>,
}

/// A registry of listeners. Clones are the same hub.
#[derive(Clone, Default)]
pub struct MemoryHub(Arc<Mutex<Ports>>);

impl MemoryHub {
    pub fn new() -> Self {
        Self::default()
    }

    /// A listener on a port that no other has. `None` when all 65 535 are taken.
    pub(super) fn listen(&self) -> Option<MemoryListener> {
        let mut ports = lock(&self.0);
        let port = (1..=u16::MAX)
            .map(|step| ports.last.wrapping_add(step))
            .find(|port| *port != 0 && !ports.listeners.contains_key(port))?;
        let (sender, incoming) = mpsc::channel(BACKLOG);
        ports.last = port;
        ports.listeners.insert(port, sender);
        Some(MemoryListener { hub: self.clone(), port, incoming })
    }

    /// A stream to whoever listens on `port`; `None`: nobody.
    pub(super) async fn dial(&self, port: u16) -> Option<DuplexStream> {
        let listener = lock(&self.0).listeners.get(&port).cloned()?;
        let (ours, theirs) = tokio::io::duplex(DUPLEX_BYTES);
        listener.send(theirs).await.ok()?;
        Some(ours)
    }
}

/// The address of a hub's port; nobody listens on port 0.
pub(super) fn endpoint(port: u16) -> Endpoint {
    Endpoint { host: MEMORY_HOST.to_owned(), port }
}

pub(super) struct MemoryListener {
    hub: MemoryHub,
    port: u16,
    incoming: mpsc::Receiver<DuplexStream>,
}

impl MemoryListener {
    pub(crate) fn endpoint(&self) -> Endpoint {
        endpoint(self.port)
    }

    /// The next caller. Cancel safe.
    pub(crate) async fn accept(&mut self) -> Option<DuplexStream> {
        self.incoming.recv().await
    }
}

impl Drop for MemoryListener {
    fn drop(&mut self) {
        lock(&self.hub.0).listeners.remove(&self.port);
    }
}
