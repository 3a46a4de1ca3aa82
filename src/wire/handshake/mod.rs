//! How two brokers prove to each other that they belong together: who says what in which order.
//!
//! ```text
//! initiator                                   responder
//! hello: versions, nonce, limit, identity →
//!                                           ← hello: the same of the other
//! proof: HMAC(secret, "initiator" + both hellos) →
//!                                           ← proof: HMAC(secret, "responder" + both hellos)
//! ```
//! Each proof also names the nonce that it answers. Where the stream is encrypted it covers the channel too: whoever
//! relays between two channels of its own is refused. The responder proves nothing to whom did not prove first. A side
//! that refuses says so in a last frame, which is believed only as an explanation of a failure.

mod frames;
mod proof;

pub use frames::{take_frame, HANDSHAKE_MAX_FRAME};

use crate::ids::{BrokerId, Incarnation};
use crate::wire::message::PROTOCOL;
use bytes::Bytes;
use frames::{Hello, Received};
use proof::Transcript;
use std::fmt;

/// Random bytes that make a handshake unlike every other.
pub type Nonce = [u8; 32];

/// Most secrets that are tried: a rotation needs two.
pub const MAX_SECRETS: usize = 8;

/// Who somebody is: the application's name and this life of it, in a namespace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    pub namespace: String,
    pub broker: BrokerId,
    pub incarnation: Incarnation,
}

/// What the brokers of a namespace share; any of them is accepted, so that they can be rotated. At most [`MAX_SECRETS`] count.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(pub Vec<Vec<u8>>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

/// Whose turn it was to speak first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    Initiator = 1,
    Responder = 2,
}

impl Role {
    fn other(self) -> Role {
        match self {
            Role::Initiator => Role::Responder,
            Role::Responder => Role::Initiator,
        }
    }
}

/// What a connection is for, as the side that connects says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Purpose {
    /// Messages to workers, and their answers.
    #[default]
    Messages = 0,
    /// Signs of life alone.
    Control = 1,
}

/// Bytes that only the two ends of one encrypted channel know: a proof over them cannot be carried to another channel.
pub type Channel = [u8; 32];

/// What this side brings along.
#[derive(Clone, Debug)]
pub struct Party {
    pub identity: Identity,
    pub purpose: Purpose,
    /// The life of a broker that the side that connects expects; it is told why a proof fails that is meant for another.
    pub target: Option<Incarnation>,
    pub secrets: Secrets,
    /// Longest frame that this side reads.
    pub max_frame: usize,
    /// Lowest and highest protocol version.
    pub versions: (u16, u16),
    /// `None` where the stream is not encrypted.
    pub channel: Option<Channel>,
}

impl Party {
    pub fn new(identity: Identity, secrets: Secrets, max_frame: usize) -> Self {
        Self {
            identity,
            purpose: Purpose::default(),
            target: None,
            secrets,
            max_frame,
            versions: PROTOCOL,
            channel: None,
        }
    }
}

/// The other side, proven.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peer {
    pub identity: Identity,
    /// What the side that connected wants the connection for.
    pub purpose: Purpose,
    /// The highest version that both speak.
    pub version: u16,
    /// Longest frame that it reads.
    pub max_frame: usize,
}

/// Why the peer is not let in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HandshakeError {
    #[error("what arrived is no handshake of a broker")]
    NotABroker,
    #[error("the peer speaks TLS, which this side does not")]
    UnexpectedTls,
    #[error("a handshake frame is over its limit")]
    Oversized,
    #[error("a handshake frame is malformed")]
    Malformed,
    #[error("a handshake frame came out of turn")]
    OutOfTurn,
    #[error("the peer is of another namespace")]
    ForeignNamespace,
    #[error("no protocol version in common")]
    NoCommonVersion,
    #[error("no secret in common: option.secret (or DWORKER_SECRET) of the two brokers differs")]
    WrongSecret,
    #[error("no secret in common with a broker that is not the one expected at this address: the port is probably used again, by a system with the same namespace on another Redis server or database")]
    AnotherSystem,
    #[error("our own frame came back")]
    Reflected,
    #[error("a frame of another handshake was replayed")]
    Replayed,
    #[error("no place is left for the peer")]
    Full,
    #[error("too many peers are proving themselves at once")]
    Busy,
    #[error("the peer refused: {0}")]
    Refused(Refusal),
}

/// What the other side says about why it refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    ForeignNamespace = 1,
    NoCommonVersion = 2,
    WrongSecret = 3,
    Other = 4,
    AnotherSystem = 5,
    Full = 6,
    /// It may try again at once.
    Busy = 7,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::ForeignNamespace => "another namespace",
            Refusal::NoCommonVersion => "no protocol version in common",
            Refusal::WrongSecret => {
                "no secret in common: option.secret (or DWORKER_SECRET) of the two brokers differs"
            }
            Refusal::AnotherSystem => {
                "no secret in common, and it is not the broker that was expected at this address: the port is probably used again, by a system with the same namespace on another Redis server or database"
            }
            Refusal::Full => "it is connected to as many brokers as it allows",
            Refusal::Busy => "too many brokers connect to it at once",
            Refusal::Other => "an invalid handshake",
        })
    }
}

impl HandshakeError {
    /// What the peer is told. Nothing about reflections and replays: they were not made by a broker.
    fn refusal(self) -> Refusal {
        match self {
            HandshakeError::ForeignNamespace => Refusal::ForeignNamespace,
            HandshakeError::NoCommonVersion => Refusal::NoCommonVersion,
            HandshakeError::WrongSecret => Refusal::WrongSecret,
            HandshakeError::AnotherSystem => Refusal::AnotherSystem,
            HandshakeError::Full => Refusal::Full,
            HandshakeError::Busy => Refusal::Busy,
            _ => Refusal::Other,
        }
    }

    /// The frame that tells the peer, unless it is the peer who refused.
    pub fn farewell(self) -> Option<Bytes> {
        (!matches!(self, HandshakeError::Refused(_))).then(|| frames::refusal(self.refusal()))
    }
}

/// What to do after a frame was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Write this, then read on.
    Send(Bytes),
    /// The peer is proven; write this, then frames may flow.
    Done { peer: Peer, send: Option<Bytes> },
}

enum State {
    AwaitHello,
    AwaitProof { peer: Hello, transcript: Transcript, version: u16 },
    Over,
}

/// One side of one handshake. Bytes in, bytes out; whoever owns the socket sees to the deadline.
pub struct Handshake {
    role: Role,
    party: Party,
    nonce: Nonce,
    hello: Bytes,
    state: State,
}

impl Handshake {
    /// The side that connected; the frame is to be sent first.
    pub fn initiate(party: Party, nonce: Nonce) -> Result<(Self, Bytes), HandshakeError> {
        let handshake = Self::new(Role::Initiator, party, nonce)?;
        let hello = handshake.hello.clone();
        Ok((handshake, hello))
    }

    /// The side that was connected to.
    pub fn respond(party: Party, nonce: Nonce) -> Result<Self, HandshakeError> {
        Self::new(Role::Responder, party, nonce)
    }

    fn new(role: Role, party: Party, nonce: Nonce) -> Result<Self, HandshakeError> {
        let hello = frames::hello(role, &party, &nonce)?;
        Ok(Self { role, party, nonce, hello, state: State::AwaitHello })
    }

    /// `frame`: what [`take_frame`] gave. After an error the handshake is over.
    pub fn receive(&mut self, frame: &Bytes) -> Result<Step, HandshakeError> {
        match (std::mem::replace(&mut self.state, State::Over), frames::parse(frame)?) {
            (_, Received::Refusal(refusal)) => Err(HandshakeError::Refused(refusal)),
            (State::AwaitHello, Received::Hello(peer)) => self.hello(peer, frame),
            (State::AwaitProof { peer, transcript, version }, Received::Proof(proof)) => {
                if proof.role == self.role {
                    return Err(HandshakeError::Reflected);
                }
                if proof.answers != self.nonce {
                    return Err(HandshakeError::Replayed);
                }
                let proven = transcript.verify(self.role.other(), &self.party.secrets, &proof.macs);
                let index = proven.ok_or_else(|| self.unproven(&peer))?;
                let send = (self.role == Role::Responder).then(|| {
                    let macs = transcript.prove(self.role, &self.party.secrets.0[index..=index]);
                    frames::proof(self.role, &peer.nonce, &macs)
                });
                let purpose = match self.role {
                    Role::Initiator => self.party.purpose,
                    Role::Responder => peer.purpose,
                };
                let peer = Peer { identity: peer.identity, purpose, version, max_frame: peer.max_frame };
                Ok(Step::Done { peer, send })
            }
            _ => Err(HandshakeError::OutOfTurn),
        }
    }

    /// Why two brokers of one namespace have no secret in common. The ids are not proven, so this only explains.
    fn unproven(&self, peer: &Hello) -> HandshakeError {
        let (expected, found) = match self.role {
            Role::Initiator => (&self.party.target, &peer.identity.incarnation),
            Role::Responder => (&peer.target, &self.party.identity.incarnation),
        };
        match expected {
            Some(expected) if expected != found => HandshakeError::AnotherSystem,
            _ => HandshakeError::WrongSecret,
        }
    }

    fn hello(&mut self, peer: Hello, frame: &Bytes) -> Result<Step, HandshakeError> {
        if peer.role == self.role || peer.nonce == self.nonce {
            return Err(HandshakeError::Reflected);
        }
        let version = peer.versions.1.min(self.party.versions.1);
        if version < peer.versions.0.max(self.party.versions.0) {
            return Err(HandshakeError::NoCommonVersion);
        }
        if peer.identity.namespace != self.party.identity.namespace {
            return Err(HandshakeError::ForeignNamespace);
        }
        let own = &self.hello[frames::PREFIX_BYTES..];
        let (transcript, send) = match self.role {
            Role::Initiator => {
                let transcript = Transcript::new(own, frame, self.party.channel.as_ref());
                let macs = transcript.prove(self.role, self.party.secrets.in_use());
                let proof = frames::proof(self.role, &peer.nonce, &macs);
                (transcript, proof)
            }
            Role::Responder => (Transcript::new(frame, own, self.party.channel.as_ref()), self.hello.clone()),
        };
        self.state = State::AwaitProof { peer, transcript, version };
        Ok(Step::Send(send))
    }
}

impl Secrets {
    fn in_use(&self) -> &[Vec<u8>] {
        &self.0[..self.0.len().min(MAX_SECRETS)]
    }
}
