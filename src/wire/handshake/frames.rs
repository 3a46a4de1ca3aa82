//! The bytes of a handshake.
//!
//! ```text
//! u32 length of the rest, at most 1 024
//! hello    'DWRK' u8 1 u8 role   u8 purpose   u16 lowest u16 highest version   32 nonce   u32 limit   3 or 4 × (u16 length, text)
//! proof    'DWRK' u8 2 u8 role   32 nonce that it answers   u8 count   count × 32
//! refusal  'DWRK' u8 3 u8 reason
//! ```

use super::proof::ProofBytes;
use super::{HandshakeError, Identity, Nonce, Party, Purpose, Refusal, Role, MAX_SECRETS};
use crate::ids::{BrokerId, Incarnation};
use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Longest frame of a handshake: leaves about 960 bytes for namespace, broker id and incarnation. Small because anybody
/// can make us hold it.
pub const HANDSHAKE_MAX_FRAME: usize = 1024;
/// Bytes that count the rest.
pub(crate) const PREFIX_BYTES: usize = 4;
/// First bytes of every frame: whoever connects by mistake is told apart at once.
const MAGIC: &[u8; 4] = b"DWRK";

const HELLO: u8 = 1;
const PROOF: u8 = 2;
const REFUSAL: u8 = 3;

/// What a side says of itself, not yet proven.
pub(crate) struct Hello {
    pub role: Role,
    pub purpose: Purpose,
    pub versions: (u16, u16),
    pub nonce: Nonce,
    pub max_frame: usize,
    pub identity: Identity,
    /// Which life of a broker it expects here.
    pub target: Option<Incarnation>,
}

pub(crate) struct Proof {
    pub role: Role,
    pub answers: Nonce,
    pub macs: Vec<ProofBytes>,
}

pub(crate) enum Received {
    Hello(Hello),
    Proof(Proof),
    Refusal(Refusal),
}

/// The next whole frame without its length, or `None` when more must be read. The length is checked before anything
/// is made room for, the magic as soon as it is there.
pub fn take_frame(buffer: &mut BytesMut) -> Result<Option<Bytes>, HandshakeError> {
    if is_tls(buffer) {
        return Err(HandshakeError::UnexpectedTls);
    }
    if let Some(magic) = buffer.get(PREFIX_BYTES..) {
        let seen = magic.len().min(MAGIC.len());
        if magic[..seen] != MAGIC[..seen] {
            return Err(HandshakeError::NotABroker);
        }
    }
    let Some(length) = buffer.first_chunk().map(|bytes: &[u8; PREFIX_BYTES]| u32::from_be_bytes(*bytes) as usize)
    else {
        return Ok(None);
    };
    if length > HANDSHAKE_MAX_FRAME {
        return Err(HandshakeError::Oversized);
    }
    if buffer.len() < PREFIX_BYTES + length {
        return Ok(None);
    }
    buffer.advance(PREFIX_BYTES);
    Ok(Some(buffer.split_to(length).freeze()))
}

/// A record of TLS: its type, then a version 3.x. As the length of ours it would be far beyond the limit.
fn is_tls(bytes: &[u8]) -> bool {
    matches!(bytes, [0x14..=0x17, 0x03, ..])
}

pub(crate) fn hello(role: Role, party: &Party, nonce: &Nonce) -> Result<Bytes, HandshakeError> {
    let Identity { namespace, broker, incarnation } = &party.identity;
    frame(HELLO, role as u8, |out| {
        out.put_u8(party.purpose as u8);
        out.put_u16(party.versions.0);
        out.put_u16(party.versions.1);
        out.put_slice(nonce);
        out.put_u32(u32::try_from(party.max_frame).unwrap_or(u32::MAX));
        let target = party.target.as_ref().map(Incarnation::as_str);
        for text in [namespace.as_str(), broker.as_str(), incarnation.as_str()].into_iter().chain(target) {
            // A text beyond 65 535 bytes is cut here, and the frame is refused below for its length.
            let text = &text.as_bytes()[..text.len().min(u16::MAX as usize)];
            out.put_u16(text.len() as u16);
            out.put_slice(text);
        }
    })
}

pub(crate) fn proof(role: Role, answers: &Nonce, macs: &[ProofBytes]) -> Bytes {
    let macs = &macs[..macs.len().min(MAX_SECRETS)];
    frame(PROOF, role as u8, |out| {
        out.put_slice(answers);
        out.put_u8(macs.len() as u8);
        macs.iter().for_each(|mac| out.put_slice(mac));
    })
    .expect("a proof under at most MAX_SECRETS secrets is far below the limit")
}

pub(crate) fn refusal(reason: Refusal) -> Bytes {
    frame(REFUSAL, reason as u8, |_| {}).expect("a refusal is a few bytes")
}

fn frame(kind: u8, second: u8, rest: impl FnOnce(&mut BytesMut)) -> Result<Bytes, HandshakeError> {
    let mut out = BytesMut::new();
    out.put_u32(0);
    out.put_slice(MAGIC);
    out.put_u8(kind);
    out.put_u8(second);
    rest(&mut out);
    let length = out.len() - PREFIX_BYTES;
    if length > HANDSHAKE_MAX_FRAME {
        return Err(HandshakeError::Oversized);
    }
    out[..PREFIX_BYTES].copy_from_slice(&(length as u32).to_be_bytes());
    Ok(out.freeze())
}

pub(crate) fn parse(frame: &[u8]) -> Result<Received, HandshakeError> {
    let mut rest = frame;
    if take(&mut rest, MAGIC.len())? != MAGIC {
        return Err(HandshakeError::NotABroker);
    }
    let (kind, second) = (number(&mut rest)?, number(&mut rest)?);
    let received = match kind {
        HELLO => Received::Hello(parse_hello(&mut rest, role(second)?)?),
        PROOF => Received::Proof(parse_proof(&mut rest, role(second)?)?),
        REFUSAL => Received::Refusal(reason(second)),
        _ => return Err(HandshakeError::Malformed),
    };
    if !rest.is_empty() {
        return Err(HandshakeError::Malformed);
    }
    Ok(received)
}

fn parse_hello(rest: &mut &[u8], role: Role) -> Result<Hello, HandshakeError> {
    let purpose = purpose(number(rest)?)?;
    let mut fixed = take(rest, 4)?;
    let versions = (fixed.get_u16(), fixed.get_u16());
    let nonce = array(rest)?;
    let max_frame = take(rest, 4)?.get_u32() as usize;
    let identity = Identity {
        namespace: text(rest)?.to_owned(),
        broker: BrokerId::new(text(rest)?),
        incarnation: Incarnation::new(text(rest)?),
    };
    let target = if rest.is_empty() { None } else { Some(Incarnation::new(text(rest)?)) };
    Ok(Hello { role, purpose, versions, nonce, max_frame, identity, target })
}

fn parse_proof(rest: &mut &[u8], role: Role) -> Result<Proof, HandshakeError> {
    let answers = array(rest)?;
    let count = number(rest)? as usize;
    if count > MAX_SECRETS {
        return Err(HandshakeError::Malformed);
    }
    let macs = (0..count).map(|_| array(rest)).collect::<Result<_, _>>()?;
    Ok(Proof { role, answers, macs })
}

fn role(number: u8) -> Result<Role, HandshakeError> {
    match number {
        1 => Ok(Role::Initiator),
        2 => Ok(Role::Responder),
        _ => Err(HandshakeError::Malformed),
    }
}

fn purpose(number: u8) -> Result<Purpose, HandshakeError> {
    match number {
        0 => Ok(Purpose::Messages),
        1 => Ok(Purpose::Control),
        _ => Err(HandshakeError::Malformed),
    }
}

fn reason(number: u8) -> Refusal {
    match number {
        1 => Refusal::ForeignNamespace,
        2 => Refusal::NoCommonVersion,
        3 => Refusal::WrongSecret,
        5 => Refusal::AnotherSystem,
        6 => Refusal::Full,
        7 => Refusal::Busy,
        _ => Refusal::Other,
    }
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8], HandshakeError> {
    let (taken, left) = rest.split_at_checked(count).ok_or(HandshakeError::Malformed)?;
    *rest = left;
    Ok(taken)
}

fn number(rest: &mut &[u8]) -> Result<u8, HandshakeError> {
    Ok(take(rest, 1)?[0])
}

fn array<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], HandshakeError> {
    let mut array = [0; N];
    array.copy_from_slice(take(rest, N)?);
    Ok(array)
}

fn text<'a>(rest: &mut &'a [u8]) -> Result<&'a str, HandshakeError> {
    let length = take(rest, 2)?.get_u16() as usize;
    std::str::from_utf8(take(rest, length)?).map_err(|_| HandshakeError::Malformed)
}
