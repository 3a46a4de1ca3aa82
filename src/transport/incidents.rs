//! What is refused or breaks at the door: counted always, logged at most once a minute a kind.

use crate::clock::boot_millis;
use crate::ids::Incarnation;
use crate::wire::handshake::HandshakeError;
use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Least time between two log lines of one kind.
const LOG_INTERVAL_MILLIS: u64 = 60_000;

macro_rules! incidents {
    ($($(#[$doc:meta])* $variant:ident = $text:literal;)*) => {
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Incident { $($(#[$doc])* $variant,)* }

        impl Incident {
            pub const ALL: &'static [Incident] = &[$(Incident::$variant,)*];

            pub fn as_str(self) -> &'static str {
                match self { $(Incident::$variant => $text,)* }
            }
        }
    };
}

incidents! {
    NotABroker = "not a broker";
    /// The peer speaks TLS, this side does not.
    UnexpectedTls = "unexpected TLS";
    /// This side requires TLS, the peer does not speak it.
    NoTls = "no TLS";
    /// A certificate that is not trusted, on either side.
    Tls = "TLS refused";
    Oversized = "oversized handshake";
    Malformed = "malformed handshake";
    OutOfTurn = "handshake out of turn";
    ForeignNamespace = "foreign namespace";
    NoCommonVersion = "no common version";
    WrongSecret = "wrong secret";
    /// A port that was used again.
    AnotherSystem = "a broker of another system";
    Reflected = "reflected handshake";
    Replayed = "replayed handshake";
    /// The other side did not let us in.
    RefusedByPeer = "refused by peer";
    /// No handshake in time.
    TimedOut = "handshake timed out";
    /// The connection broke before it was proven.
    Broken = "connection broke in its handshake";
    /// The oldest unproven peer had to go for a newer one.
    Cut = "too many unauthenticated peers";
    /// No place for another peer.
    Full = "no place for another broker: option.maxPeers of this broker is too small";
    /// The operating system gave no connection.
    AcceptFailed = "accept failed";
    /// An authenticated peer sent what is no frame.
    BadFrame = "bad frame";
    /// An authenticated peer sent a payload that is not one JSON value.
    BadPayload = "bad payload";
}

const KINDS: usize = Incident::ALL.len();

impl From<HandshakeError> for Incident {
    fn from(error: HandshakeError) -> Self {
        match error {
            HandshakeError::NotABroker => Incident::NotABroker,
            HandshakeError::UnexpectedTls => Incident::UnexpectedTls,
            HandshakeError::Oversized => Incident::Oversized,
            HandshakeError::Malformed => Incident::Malformed,
            HandshakeError::OutOfTurn => Incident::OutOfTurn,
            HandshakeError::ForeignNamespace => Incident::ForeignNamespace,
            HandshakeError::NoCommonVersion => Incident::NoCommonVersion,
            HandshakeError::WrongSecret => Incident::WrongSecret,
            HandshakeError::AnotherSystem => Incident::AnotherSystem,
            HandshakeError::Reflected => Incident::Reflected,
            HandshakeError::Replayed => Incident::Replayed,
            HandshakeError::Full => Incident::Full,
            HandshakeError::Busy => Incident::Cut,
            HandshakeError::Refused(_) => Incident::RefusedByPeer,
        }
    }
}

/// How often each kind happened since the transport was made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IncidentCounts([u64; KINDS]);

impl IncidentCounts {
    pub fn of(&self, incident: Incident) -> u64 {
        self.0[incident as usize]
    }

    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

pub(super) struct Incidents {
    /// Whose transport this is, for the log.
    broker: Incarnation,
    counts: [AtomicU64; KINDS],
    /// When each kind may be logged again.
    quiet_until: [AtomicU64; KINDS],
}

impl Incidents {
    pub(crate) fn new(broker: &Incarnation) -> Self {
        Self { broker: broker.clone(), counts: Default::default(), quiet_until: Default::default() }
    }

    /// `detail` must be neither secret nor payload.
    pub(crate) fn note(&self, incident: Incident, remote: &dyn Display, detail: &dyn Display) {
        let index = incident as usize;
        let count = self.counts[index].fetch_add(1, Relaxed) + 1;
        let now = boot_millis();
        let quiet_until = self.quiet_until[index].load(Relaxed);
        let next = now + LOG_INTERVAL_MILLIS;
        let ours =
            now >= quiet_until && self.quiet_until[index].compare_exchange(quiet_until, next, Relaxed, Relaxed).is_ok();
        if ours {
            tracing::warn!(broker = %self.broker, "{} ({remote}; {count} so far): {detail}", incident.as_str());
        }
    }

    pub(crate) fn counts(&self) -> IncidentCounts {
        IncidentCounts(std::array::from_fn(|index| self.counts[index].load(Relaxed)))
    }
}
