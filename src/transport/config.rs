//! The limits of a transport, each with its reason.

use super::peers::{PeerTable, MAX_PEERS};
use super::tls::Tls;
use crate::limits;
use crate::wire::codec::MAX_FRAME_DEFAULT;
use crate::wire::handshake::{Identity, Purpose, Secrets};
use std::sync::Arc;
use std::time::Duration;

/// Bytes that wait for one peer: two turns of a busy event loop with frames of 16 MiB, and still little beside the
/// heap of a Node process. A peer that does not read fills this and nothing else.
pub const OUTBOX_BYTES: usize = limits::WAITING_BYTES;
/// Bytes of one peer's messages that wait in mailboxes: as much as wait for it on the other side.
pub const WAITING_BYTES: usize = limits::WAITING_BYTES;
/// Peers that have not proven themselves yet: a handshake takes a millisecond, so more at once is an attack or a storm.
pub const MAX_UNAUTHENTICATED: usize = 64;
/// The same for one address, so that one host does not use up the others' share.
pub const MAX_UNAUTHENTICATED_PER_ADDRESS: usize = 8;
/// How long a handshake may take: one lost packet of each flight, and no slow-loris.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(3);
/// The original's `socTimeout`.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a connection that was closed here may still write what it holds and hear what was on its way.
pub(super) const FAREWELL: Duration = Duration::from_secs(1);
/// How long [`super::Transport::close`] lets its connections do that: leaving must not wait for a peer that stalls.
pub(super) const CLOSE_GRACE: Duration = Duration::from_millis(200);
/// How long a listener rests after `accept` failed (no descriptors left), instead of spinning.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// First probe and interval of TCP keepalive: a host that vanished silently is found in about a minute at the latest.
pub(super) const KEEPALIVE: Duration = Duration::from_secs(15);
/// An idle connection looks at itself so often in its idle time.
pub(super) const IDLE_CHECKS: u32 = 4;
/// Longest text that goes into a `Close` frame.
pub(super) const MAX_CLOSE_TEXT: usize = 256;

#[derive(Clone)]
pub struct TransportConfig {
    pub identity: Identity,
    /// What connections that are made from here are for.
    pub purpose: Purpose,
    /// At least one, or no peer is ever let in.
    pub secrets: Secrets,
    /// With it, whatever goes over TCP is encrypted, and peers that do not are refused.
    pub tls: Option<Arc<Tls>>,
    /// Peers on this host are dialled on a Unix socket first. Without effect where `tls` is set: certificates say who a peer
    /// is, and the kernel's socket has none.
    pub local_sockets: bool,
    /// Longest frame in either direction.
    pub max_message_bytes: usize,
    /// A connection without a frame in either direction for so long is closed; zero: never.
    pub idle_timeout: Duration,
    pub outbox_bytes: usize,
    /// The places for peers; all transports of a broker share one table.
    pub peers: Arc<PeerTable>,
    pub max_unauthenticated: usize,
    pub max_unauthenticated_per_address: usize,
    /// For connecting and handshake together where this side connects.
    pub handshake_timeout: Duration,
}

impl TransportConfig {
    /// Every limit at its default.
    pub fn new(identity: Identity, secrets: Secrets) -> Self {
        let peers = PeerTable::new(&identity.incarnation, MAX_PEERS);
        Self {
            identity,
            purpose: Purpose::default(),
            secrets,
            tls: None,
            local_sockets: true,
            max_message_bytes: MAX_FRAME_DEFAULT,
            idle_timeout: IDLE_TIMEOUT,
            outbox_bytes: OUTBOX_BYTES,
            peers,
            max_unauthenticated: MAX_UNAUTHENTICATED,
            max_unauthenticated_per_address: MAX_UNAUTHENTICATED_PER_ADDRESS,
            handshake_timeout: HANDSHAKE_TIMEOUT,
        }
    }
}
