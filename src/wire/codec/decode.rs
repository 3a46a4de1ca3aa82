//! Bytes to messages.

use super::{
    flag, kind, CHAIN_BYTES, ENVELOPE_BYTES, HEADER_BYTES, LENGTH_BYTES, MAX_METHOD_BYTES, MAX_WORKER_BYTES,
    TEXT_BYTES, TIME_LEFT_BYTES,
};
use crate::error::Code;
use crate::ids::{Epoch, WorkerId};
use crate::wire::call_chain::{Chain, Link, LINK_BYTES, MAX_CHAIN_BYTES, MAX_LINKS};
use crate::wire::message::{Encoding, Envelope, Message, Payload};
use bytes::{Buf, Bytes, BytesMut};

/// Room for one read of a socket: what a loopback or a fast link delivers at once.
pub const READ_CHUNK: usize = 64 * 1024;
/// A new read buffer: several reads share it, so that a message which is kept for long holds on to little else.
const READ_BUFFER: usize = 2 * READ_CHUNK;

/// What arrived is no frame. The stream cannot be read any further.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DecodeError {
    #[error("a frame of {length} bytes where at most {max} are allowed")]
    TooLarge { length: usize, max: usize },
    #[error("{0}")]
    Malformed(&'static str),
}

/// Takes frames off the front of a read buffer.
#[derive(Clone, Debug)]
pub struct Decoder {
    max: usize,
    /// Most messages are for the worker of the one before: its id is not made anew.
    last: Option<WorkerId>,
}

impl Decoder {
    /// `max`: longest frame, without its length.
    pub fn new(max: usize) -> Self {
        Self { max, last: None }
    }

    /// The next message, or `None` when `buffer` does not hold all of it yet. Payload and method are slices of the
    /// buffer. After an error the stream is lost.
    pub fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Message>, DecodeError> {
        let Some(length) = frame_length(buffer) else { return Ok(None) };
        if length > self.max {
            return Err(DecodeError::TooLarge { length, max: self.max });
        }
        if buffer.len() - LENGTH_BYTES < length {
            return Ok(None);
        }
        buffer.advance(LENGTH_BYTES);
        message(Frame { buffer, left: length, last: &mut self.last }).map(Some)
    }

    /// Makes room for the next read behind what `buffer` holds. The buffer grows with what really came, at most to
    /// twice of it, whatever length the frame claims.
    pub fn make_room(&self, buffer: &mut BytesMut) {
        let held = buffer.len();
        let missing =
            frame_length(buffer).map_or(0, |length| (length.min(self.max) + LENGTH_BYTES).saturating_sub(held));
        let room = missing.min(held).max(READ_CHUNK);
        if buffer.capacity() - held >= room || buffer.try_reclaim(room) {
            return;
        }
        let mut larger = BytesMut::with_capacity(held + room.max(READ_BUFFER));
        larger.extend_from_slice(buffer);
        *buffer = larger;
    }
}

/// What the first bytes say about how many follow.
fn frame_length(buffer: &[u8]) -> Option<usize> {
    buffer.first_chunk().map(|bytes: &[u8; LENGTH_BYTES]| u32::from_be_bytes(*bytes) as usize)
}

/// The part of the buffer that belongs to one frame.
struct Frame<'a> {
    buffer: &'a mut BytesMut,
    left: usize,
    last: &'a mut Option<WorkerId>,
}

impl Frame<'_> {
    /// Counts `count` bytes as read, unless the frame is shorter.
    fn claim(&mut self, count: usize) -> Result<(), DecodeError> {
        self.left = self.left.checked_sub(count).ok_or(DecodeError::Malformed("a frame that ends early"))?;
        Ok(())
    }

    fn bytes(&mut self, count: usize) -> Result<Bytes, DecodeError> {
        self.claim(count)?;
        Ok(self.buffer.split_to(count).freeze())
    }

    fn rest(&mut self) -> Bytes {
        self.buffer.split_to(std::mem::take(&mut self.left)).freeze()
    }

    fn payload(&mut self, encoding: u8) -> Result<Payload, DecodeError> {
        match (Encoding::from_number(encoding), self.left) {
            (Encoding::Absent, 0) => Ok(Payload::ABSENT),
            (Encoding::Absent, _) => Err(DecodeError::Malformed("bytes where the payload is absent")),
            (encoding, _) => Ok(Payload { encoding, bytes: self.rest() }),
        }
    }

    fn worker(&mut self, length: usize) -> Result<WorkerId, DecodeError> {
        if length > MAX_WORKER_BYTES {
            return Err(DecodeError::Malformed("a worker id that is too long"));
        }
        self.claim(length)?;
        let bytes = &self.buffer[..length];
        let worker = match self.last.as_ref().filter(|last| last.as_str().as_bytes() == bytes) {
            Some(last) => last.clone(),
            None => {
                let text = std::str::from_utf8(bytes);
                let worker = WorkerId::new(text.map_err(|_| DecodeError::Malformed("a worker id that is no UTF-8"))?);
                self.last.insert(worker).clone()
            }
        };
        self.buffer.advance(length);
        Ok(worker)
    }

    fn chain(&mut self) -> Result<Chain, DecodeError> {
        self.claim(CHAIN_BYTES)?;
        let mut left = self.buffer.get_u16() as usize;
        if left > MAX_CHAIN_BYTES {
            return Err(DecodeError::Malformed("a chain that is too long"));
        }
        let mut links = Vec::new();
        while left > 0 {
            self.claim(LINK_BYTES)?;
            let turn = self.buffer.get_u64();
            let length = self.buffer.get_u16() as usize;
            let rest = left.checked_sub(LINK_BYTES + length);
            left =
                rest.filter(|_| links.len() < MAX_LINKS).ok_or(DecodeError::Malformed("a chain that is no chain"))?;
            links.push(Link { worker: self.worker(length)?, turn });
        }
        Ok(Chain::new(links))
    }

    fn optional_chain(&mut self, flags: u8) -> Result<Chain, DecodeError> {
        if flags & flag::CHAIN > 0 {
            self.chain()
        } else {
            Ok(Chain::EMPTY)
        }
    }

    fn time_left(&mut self) -> Result<u32, DecodeError> {
        self.claim(TIME_LEFT_BYTES)?;
        Ok(self.buffer.get_u32())
    }

    fn envelope(&mut self, flags: u8, encoding: u8) -> Result<Envelope, DecodeError> {
        self.claim(ENVELOPE_BYTES)?;
        let epoch = Epoch(self.buffer.get_u64());
        let sequence = self.buffer.get_u32();
        let worker_length = self.buffer.get_u16() as usize;
        let method_length = self.buffer.get_u16() as usize;
        if method_length > MAX_METHOD_BYTES {
            return Err(DecodeError::Malformed("a method that is too long"));
        }
        let worker = self.worker(worker_length)?;
        let method = self.bytes(method_length)?;
        if std::str::from_utf8(&method).is_err() {
            return Err(DecodeError::Malformed("a method that is no UTF-8"));
        }
        let chain = self.optional_chain(flags)?;
        Ok(Envelope { worker, epoch, sequence, method, chain, payload: self.payload(encoding)? })
    }

    /// A text that is told how long it is.
    fn text(&mut self) -> Result<Bytes, DecodeError> {
        self.claim(TEXT_BYTES)?;
        let length = self.buffer.get_u32() as usize;
        self.bytes(length)
    }

    /// Nothing may follow what was read.
    fn done(&self, message: Message) -> Result<Message, DecodeError> {
        if self.left > 0 {
            return Err(DecodeError::Malformed("a frame that goes on behind its end"));
        }
        Ok(message)
    }
}

fn message(mut frame: Frame<'_>) -> Result<Message, DecodeError> {
    let Some(&number) = frame.buffer.first().filter(|_| frame.left > 0) else {
        return Err(DecodeError::Malformed("an empty frame"));
    };
    if !(kind::ASK..=kind::PONG).contains(&number) {
        return Ok(unknown(frame, number));
    }
    frame.claim(HEADER_BYTES)?;
    frame.buffer.advance(1);
    let flags = frame.buffer.get_u8();
    let encoding = frame.buffer.get_u8();
    let code = frame.buffer.get_u8();
    let call = frame.buffer.get_u64();
    let code = || Code::from_number(code).ok_or(DecodeError::Malformed("an unknown error code"));
    let message = match number {
        kind::ASK => {
            let time_left = frame.time_left()?;
            Message::Ask { call, time_left, envelope: frame.envelope(flags, encoding)? }
        }
        kind::TELL => Message::Tell { envelope: frame.envelope(flags, encoding)? },
        kind::BOUNCE => Message::Bounce { call, code: code()?, envelope: frame.envelope(flags, encoding)? },
        kind::REPLY => Message::Reply { call, payload: frame.payload(encoding)? },
        kind::FAILURE => Message::Failure { call, code: code()?, message: frame.text()?, body: frame.rest() },
        kind::CLOSE => Message::Close { code: code()?, message: frame.text()? },
        kind::CREATE => {
            let time_left = frame.time_left()?;
            let chain = frame.optional_chain(flags)?;
            let length = frame.left;
            Message::Create { call, time_left, worker: frame.worker(length)?, chain }
        }
        kind::SYNC => {
            let length = frame.left;
            Message::Sync { call, worker: frame.worker(length)? }
        }
        kind::SYNCED => Message::Synced { call },
        kind::CANCEL => Message::Cancel { call },
        kind::PING => Message::Ping { token: call },
        _ => Message::Pong { token: call },
    };
    frame.done(message)
}

/// A kind of a later build: only the header is understood, the rest is dropped.
fn unknown(mut frame: Frame<'_>, kind: u8) -> Message {
    let call = if frame.left >= HEADER_BYTES { (&frame.buffer[HEADER_BYTES - 8..]).get_u64() } else { 0 };
    let rest = std::mem::take(&mut frame.left);
    frame.buffer.advance(rest);
    Message::Unknown { kind, call }
}
