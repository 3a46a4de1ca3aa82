//! What was found worth keeping of hostile bytes, played through codec and handshake: as it is, cut anywhere, and with
//! every bit flipped.
#![allow(clippy::unwrap_used)]

use bytes::{Bytes, BytesMut};
use dworker::ids::{BrokerId, Incarnation};
use dworker::wire::codec::{encode, DecodeError, Decoder, READ_CHUNK};
use dworker::wire::handshake::*;
use dworker::wire::message::Message;

const MAX: usize = 64 * 1024;

/// Outcome, bytes, what they are.
fn corpus(name: &str) -> Vec<(String, Vec<u8>, String)> {
    let text = std::fs::read_to_string(format!("{}/tests/corpus/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let entries = text.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let [outcome, hex, what] = line.splitn(3, ": ").collect::<Vec<_>>().try_into().unwrap();
        let bytes = (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect();
        (outcome.to_owned(), bytes, what.to_owned())
    });
    entries.collect()
}

fn decode(bytes: &[u8]) -> &'static str {
    let (mut decoder, mut buffer) = (Decoder::new(MAX), BytesMut::from(bytes));
    decoder.make_room(&mut buffer);
    assert!(buffer.capacity() <= MAX + 2 * READ_CHUNK + 4);
    match decoder.next(&mut buffer) {
        Ok(None) => "more",
        Ok(Some(Message::Unknown { .. })) => "unknown",
        Ok(Some(message)) => {
            // What is understood can be said.
            encode(&message, MAX, &mut BytesMut::new()).unwrap();
            "message"
        }
        Err(DecodeError::TooLarge { .. }) => "too-large",
        Err(DecodeError::Malformed(_)) => "malformed",
    }
}

/// What a responder makes of the first frame of `bytes`, and then of a proof that cannot be one.
fn respond(bytes: &[u8]) -> String {
    let identity = Identity {
        namespace: "ns".to_owned(),
        broker: BrokerId::new("b"),
        incarnation: Incarnation::new("incarnation"),
    };
    let mut handshake =
        Handshake::respond(Party::new(identity, Secrets(vec![b"secret".to_vec()]), MAX), [2; 32]).unwrap();
    let received =
        take_frame(&mut BytesMut::from(bytes)).and_then(|frame| frame.map(|f| handshake.receive(&f)).transpose());
    match received {
        Ok(None) => "More".to_owned(),
        Ok(Some(Step::Send(_))) => {
            let mut proof = b"DWRK\x02\x01".to_vec();
            proof.extend_from_slice(&[2; 32]);
            proof.push(1);
            proof.extend_from_slice(&[0; 32]);
            assert_eq!(handshake.receive(&Bytes::from(proof)), Err(HandshakeError::WrongSecret));
            "Answered".to_owned()
        }
        Ok(Some(Step::Done { .. })) => panic!("let in without a proof"),
        Err(HandshakeError::Refused(_)) => "Refused".to_owned(),
        Err(error) => format!("{error:?}"),
    }
}

/// `bytes` cut anywhere, and with every bit flipped.
fn variations(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let cut = (0..bytes.len()).map(|length| bytes[..length].to_vec());
    let flipped = (0..8 * bytes.len()).map(|bit| {
        let mut changed = bytes.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        changed
    });
    cut.chain(flipped)
}

#[test]
fn every_frame_of_the_corpus_comes_out_as_it_is_noted_there() {
    let entries = corpus("frames.txt");
    assert!(entries.len() > 40);
    for (outcome, bytes, what) in &entries {
        assert_eq!(decode(bytes), outcome, "{what}");
    }
}

#[test]
fn every_handshake_of_the_corpus_comes_out_as_it_is_noted_there() {
    let entries = corpus("handshakes.txt");
    assert!(entries.len() > 30);
    for (outcome, bytes, what) in &entries {
        assert_eq!(&respond(bytes), outcome, "{what}");
    }
}

#[test]
fn whatever_is_changed_in_the_corpus_is_read_without_panic_or_room_beyond_the_limit() {
    for (_, bytes, _) in corpus("frames.txt").iter().chain(&corpus("handshakes.txt")) {
        for variation in variations(bytes) {
            decode(&variation);
            respond(&variation);
        }
    }
}

#[test]
fn two_frames_of_the_corpus_in_a_row_are_separated() {
    let entries = corpus("frames.txt");
    let whole = |outcome: &str| ["message", "unknown"].contains(&outcome);
    for (first, bytes, what) in entries.iter().filter(|(outcome, ..)| whole(outcome)) {
        for (second, more, _) in &entries {
            let mut buffer = BytesMut::from(&[&bytes[..], more].concat()[..]);
            let mut decoder = Decoder::new(MAX);
            assert!(decoder.next(&mut buffer).unwrap().is_some(), "{first}: {what}");
            assert_eq!(&buffer[..], &more[..]);
            assert_eq!(decode(&buffer), second);
        }
    }
}
