//! The layout of a frame: what its bytes mean, how long its parts may be.
//!
//! ```text
//! u32 length of the rest (big endian, as all numbers here)
//! u8 kind   u8 flags (1: a chain follows)   u8 encoding of the payload   u8 error code   u64 call
//! tell, bounce        envelope
//! ask                 u32 time left   envelope
//! reply               payload
//! failure, close      u32 message length   message   body
//! create              u32 time left   [chain]   worker
//! envelope: u64 epoch   u32 sequence   u16 worker length   u16 method length   worker   method   [chain]   payload
//! chain: u16 length of the rest, then one by one   u64 turn   u16 worker length   worker
//! ```
//! A bounce is never longer than the ask or the tell that it brings back: what fitted one way fits the other way.

use crate::limits;

mod decode;
mod encode;

pub use decode::{DecodeError, Decoder, READ_CHUNK};
pub use encode::{encode, encode_ask, encode_reply, encode_tell, TooLarge};

/// Longest frame, without its length, unless the broker's options say otherwise (`maxMessageBytes`): a payload of
/// 16 MiB is far beyond what JSON text serves well, and 64 MiB of outbox hold some of them.
pub const MAX_FRAME_DEFAULT: usize = 16 * 1024 * 1024;
/// Longest id of a worker: the longest key that Redis tools still show on a screen.
pub const MAX_WORKER_BYTES: usize = limits::ID_BYTES;
/// Longest name of a method.
pub const MAX_METHOD_BYTES: usize = limits::METHOD_BYTES;

/// Bytes that count the rest of the frame.
const LENGTH_BYTES: usize = 4;
/// Kind, flags, encoding, error code, call.
const HEADER_BYTES: usize = 12;
/// Epoch, sequence, and the lengths of the two names.
const ENVELOPE_BYTES: usize = 16;
/// The time that is left for an answer.
const TIME_LEFT_BYTES: usize = 4;
/// The length of a chain.
const CHAIN_BYTES: usize = 2;
/// The length of a message text.
const TEXT_BYTES: usize = 4;

/// Bits of the flags; the others are ignored.
mod flag {
    pub(crate) const CHAIN: u8 = 1;
}

/// First byte of a frame.
mod kind {
    pub(crate) const ASK: u8 = 1;
    pub(crate) const TELL: u8 = 2;
    pub(crate) const REPLY: u8 = 3;
    pub(crate) const FAILURE: u8 = 4;
    pub(crate) const BOUNCE: u8 = 5;
    pub(crate) const CREATE: u8 = 6;
    pub(crate) const SYNC: u8 = 7;
    pub(crate) const SYNCED: u8 = 8;
    pub(crate) const CANCEL: u8 = 9;
    pub(crate) const CLOSE: u8 = 10;
    pub(crate) const PING: u8 = 11;
    pub(crate) const PONG: u8 = 12;
}
