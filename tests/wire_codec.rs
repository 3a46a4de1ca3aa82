//! Messages to bytes and back; bytes that are no messages.
#![allow(clippy::unwrap_used)]

use bytes::{BufMut, Bytes, BytesMut};
use dworker::error::Code;
use dworker::ids::{Epoch, WorkerId};
use dworker::wire::call_chain::{Chain, Link};
use dworker::wire::codec::*;
use dworker::wire::message::{Encoding, Envelope, EnvelopeRef, Message, Payload, PayloadRef};
use proptest::collection::vec;
use proptest::prelude::*;

const MAX: usize = 64 * 1024;

fn bytes(range: std::ops::Range<usize>) -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), range).prop_map(Bytes::from)
}

/// Text of at most `max` bytes.
fn text(max: usize) -> impl Strategy<Value = String> {
    any::<String>().prop_map(move |mut text| {
        while text.len() > max {
            text.pop();
        }
        text
    })
}

fn payloads() -> impl Strategy<Value = Payload> {
    let encodings = vec![Encoding::Json, Encoding::Packed, Encoding::Bytes, Encoding::Structured];
    let some = (proptest::sample::select(encodings), bytes(0..5000));
    prop_oneof![Just(Payload::ABSENT), some.prop_map(|(encoding, bytes)| Payload { encoding, bytes })]
}

fn codes() -> impl Strategy<Value = Code> {
    proptest::sample::select(Code::ALL)
}

fn chains() -> impl Strategy<Value = Chain> {
    let links = (text(MAX_WORKER_BYTES), any::<u64>());
    vec(links.prop_map(|(worker, turn)| Link { worker: WorkerId::new(worker), turn }), 0..70).prop_map(Chain::new)
}

fn envelopes() -> impl Strategy<Value = Envelope> {
    (text(MAX_WORKER_BYTES), any::<(u64, u32)>(), text(MAX_METHOD_BYTES), chains(), payloads()).prop_map(
        |(worker, (epoch, sequence), method, chain, payload)| Envelope {
            worker: WorkerId::new(worker),
            epoch: Epoch(epoch),
            sequence,
            method: Bytes::from(method),
            chain,
            payload,
        },
    )
}

fn messages() -> impl Strategy<Value = Message> {
    let number = any::<u64>;
    prop_oneof![
        (number(), any::<u32>(), envelopes()).prop_map(|(call, time_left, envelope)| Message::Ask {
            call,
            time_left,
            envelope
        }),
        envelopes().prop_map(|envelope| Message::Tell { envelope }),
        (number(), payloads()).prop_map(|(call, payload)| Message::Reply { call, payload }),
        (number(), codes(), bytes(0..300), bytes(0..3000)).prop_map(|(call, code, message, body)| Message::Failure {
            call,
            code,
            message,
            body
        }),
        (number(), codes(), envelopes()).prop_map(|(call, code, envelope)| Message::Bounce { call, code, envelope }),
        (number(), any::<u32>(), text(MAX_WORKER_BYTES), chains()).prop_map(|(call, time_left, worker, chain)| {
            Message::Create { call, time_left, worker: WorkerId::new(worker), chain }
        }),
        (number(), text(MAX_WORKER_BYTES))
            .prop_map(|(call, worker)| Message::Sync { call, worker: WorkerId::new(worker) }),
        number().prop_map(|call| Message::Synced { call }),
        number().prop_map(|call| Message::Cancel { call }),
        (codes(), bytes(0..300)).prop_map(|(code, message)| Message::Close { code, message }),
        number().prop_map(|token| Message::Ping { token }),
        number().prop_map(|token| Message::Pong { token }),
        (13..=255u8, number()).prop_map(|(kind, call)| Message::Unknown { kind, call }),
        number().prop_map(|call| Message::Unknown { kind: 0, call }),
    ]
}

/// What a reader of a socket does: `stream` arrives in pieces, cut where `cuts` says.
fn read(stream: &[u8], cuts: &[usize], max: usize) -> (Vec<Message>, Option<DecodeError>, usize) {
    let mut decoder = Decoder::new(max);
    let mut buffer = BytesMut::new();
    let (mut messages, mut largest, mut cuts) = (Vec::new(), 0, cuts.iter().cycle());
    let mut rest = stream;
    while !rest.is_empty() {
        decoder.make_room(&mut buffer);
        largest = largest.max(buffer.capacity());
        let room = buffer.capacity() - buffer.len();
        let piece = (*cuts.next().unwrap()).clamp(1, room).min(rest.len());
        buffer.put_slice(&rest[..piece]);
        assert!(buffer.capacity() <= largest, "read beyond the room");
        rest = &rest[piece..];
        loop {
            match decoder.next(&mut buffer) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Some(error), largest),
            }
            assert!(buffer.capacity() <= largest, "decoding makes no room");
        }
    }
    (messages, None, largest)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn every_message_comes_out_as_it_went_in_however_the_stream_is_cut(
        sent in vec(messages(), 1..20),
        cuts in vec(prop_oneof![1..10usize, 1..5000usize], 1..20),
    ) {
        let mut stream = BytesMut::new();
        for message in &sent {
            encode(message, MAX, &mut stream).unwrap();
        }
        let (received, error, _) = read(&stream, &cuts, MAX);
        prop_assert_eq!(error, None);
        prop_assert_eq!(received, sent);
    }

    #[test]
    fn any_bytes_are_read_without_panic_and_without_room_beyond_the_limit(
        stream in vec(any::<u8>(), 0..5000),
        cuts in vec(1..3000usize, 1..20),
    ) {
        let (_, _, largest) = read(&stream, &cuts, MAX);
        prop_assert!(largest <= MAX + 4 + 2 * READ_CHUNK, "{} bytes", largest);
    }

    #[test]
    fn a_frame_with_some_bytes_changed_is_read_without_panic(
        sent in vec(messages(), 1..5),
        changes in vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8),
        cuts in vec(1..3000usize, 1..20),
    ) {
        let mut stream = BytesMut::new();
        for message in &sent {
            encode(message, MAX, &mut stream).unwrap();
        }
        for (index, byte) in changes {
            let index = index.index(stream.len());
            stream[index] = byte;
        }
        let (_, _, largest) = read(&stream, &cuts, MAX);
        prop_assert!(largest <= MAX + 4 + 2 * READ_CHUNK, "{} bytes", largest);
    }

    #[test]
    fn the_short_ways_write_what_the_long_way_writes(
        envelope in envelopes(), call in any::<u64>(), time_left in any::<u32>(), before in vec(any::<u8>(), 0..20),
    ) {
        let (mut long, mut short) = (BytesMut::from(&before[..]), BytesMut::from(&before[..]));
        encode(&Message::Ask { call, time_left, envelope: envelope.clone() }, MAX, &mut long).unwrap();
        encode(&Message::Tell { envelope: envelope.clone() }, MAX, &mut long).unwrap();
        encode(&Message::Reply { call, payload: envelope.payload.clone() }, MAX, &mut long).unwrap();
        encode_ask(&mut short, MAX, call, time_left, envelope.as_ref()).unwrap();
        encode_tell(&mut short, MAX, envelope.as_ref()).unwrap();
        encode_reply(&mut short, MAX, call, PayloadRef::from(&envelope.payload)).unwrap();
        prop_assert_eq!(long, short);
        prop_assert_eq!(envelope.as_ref().copied(), envelope);
    }

    #[test]
    fn a_message_over_the_limit_is_refused_and_leaves_nothing(message in messages(), max in 0..600usize) {
        let mut whole = BytesMut::new();
        encode(&message, MAX, &mut whole).unwrap();
        let mut out = BytesMut::from(&b"before"[..]);
        match encode(&message, max, &mut out) {
            Ok(()) => prop_assert!(whole.len() - 4 <= max),
            Err(refused) => {
                prop_assert_eq!(refused, TooLarge { length: whole.len() - 4, max });
                prop_assert!(refused.length > max);
                prop_assert_eq!(&out[..], b"before");
            }
        }
    }

    #[test]
    fn a_bounce_is_no_longer_than_the_message_that_it_brings_back(envelope in envelopes()) {
        let (mut ask, mut tell, mut bounce) = (BytesMut::new(), BytesMut::new(), BytesMut::new());
        encode(&Message::Ask { call: 1, time_left: 2, envelope: envelope.clone() }, MAX, &mut ask).unwrap();
        encode(&Message::Tell { envelope: envelope.clone() }, MAX, &mut tell).unwrap();
        encode(&Message::Bounce { call: 1, code: Code::NoBroker, envelope }, MAX, &mut bounce).unwrap();
        prop_assert!(bounce.len() <= ask.len() && bounce.len() <= tell.len());
    }
}

fn decode(frame: &[u8]) -> Result<Option<Message>, DecodeError> {
    Decoder::new(MAX).next(&mut BytesMut::from(frame))
}

/// A frame with this kind and what follows the header.
fn frame(kind: u8, encoding: u8, code: u8, rest: &[u8]) -> BytesMut {
    let mut frame = BytesMut::new();
    frame.put_u32(12 + rest.len() as u32);
    frame.put_slice(&[kind, 0, encoding, code]);
    frame.put_u64(77);
    frame.put_slice(rest);
    frame
}

#[test]
fn a_payload_of_an_unknown_encoding_fails_no_stream() {
    let mut stream = frame(3, 9, 0, b"later");
    stream.extend_from_slice(&frame(3, 1, 0, b"1"));
    let mut decoder = Decoder::new(MAX);
    let unknown = Payload { encoding: Encoding::Unknown, bytes: Bytes::from_static(b"later") };
    assert_eq!(decoder.next(&mut stream), Ok(Some(Message::Reply { call: 77, payload: unknown })));
    let known = Payload::json(Bytes::from_static(b"1"));
    assert_eq!(decoder.next(&mut stream), Ok(Some(Message::Reply { call: 77, payload: known })));
}

#[test]
fn a_length_over_the_limit_is_refused_before_any_room_is_made() {
    let mut buffer = BytesMut::with_capacity(16);
    buffer.put_u32(u32::MAX);
    let mut decoder = Decoder::new(MAX);
    decoder.make_room(&mut buffer);
    assert!(buffer.capacity() <= 4 + 2 * READ_CHUNK);
    assert_eq!(decoder.next(&mut buffer), Err(DecodeError::TooLarge { length: u32::MAX as usize, max: MAX }));
    let mut exact = frame(2, 0, 0, &vec![0; MAX - 12 + 1]);
    assert_eq!(decoder.next(&mut exact), Err(DecodeError::TooLarge { length: MAX + 1, max: MAX }));
}

#[test]
fn a_claimed_length_takes_room_only_as_its_bytes_come() {
    let decoder = Decoder::new(MAX_FRAME_DEFAULT);
    let mut buffer = BytesMut::new();
    buffer.put_u32(MAX_FRAME_DEFAULT as u32);
    while buffer.len() < MAX_FRAME_DEFAULT + 4 {
        decoder.make_room(&mut buffer);
        let held = buffer.len();
        assert!(buffer.capacity() <= 2 * held + 2 * READ_CHUNK, "{} for {held}", buffer.capacity());
        assert!(buffer.capacity() <= MAX_FRAME_DEFAULT + 4 + 2 * READ_CHUNK, "{} for {held}", buffer.capacity());
        let step = (buffer.capacity() - held).min(MAX_FRAME_DEFAULT + 4 - held);
        buffer.put_bytes(0, step);
    }
}

#[test]
fn an_unknown_kind_is_reported_with_its_call_and_the_next_frame_is_read() {
    let mut stream = frame(99, 7, 200, b"whatever a later build puts here");
    encode(&Message::Ping { token: 5 }, MAX, &mut stream).unwrap();
    stream.put_slice(&[0, 0, 0, 1, 100]);
    let (messages, error, _) = read(&stream, &[5], MAX);
    let expected =
        [Message::Unknown { kind: 99, call: 77 }, Message::Ping { token: 5 }, Message::Unknown { kind: 100, call: 0 }];
    assert_eq!((&messages[..], error), (&expected[..], None));
}

#[test]
fn flags_that_this_build_does_not_know_are_ignored() {
    let mut ping = frame(11, 0, 0, b"");
    ping[5] = 0xff;
    assert_eq!(decode(&ping), Ok(Some(Message::Ping { token: 77 })));
}

#[test]
fn a_malformed_frame_is_named_and_never_accepted() {
    let names = |worker: &[u8], worker_length: u16, method: &[u8], method_length: u16| {
        let mut rest = BytesMut::new();
        rest.put_u64(1); // epoch
        rest.put_u32(2); // sequence
        rest.put_u16(worker_length);
        rest.put_u16(method_length);
        rest.put_slice(worker);
        rest.put_slice(method);
        rest
    };
    let (ends_early, goes_on) = ("a frame that ends early", "a frame that goes on behind its end");
    let (long_worker, long_method) = ("a worker id that is too long", "a method that is too long");
    let (bad_worker, bad_method) = ("a worker id that is no UTF-8", "a method that is no UTF-8");
    let cases: &[(&str, BytesMut)] = &[
        ("an empty frame", BytesMut::from(&[0, 0, 0, 0][..])),
        (ends_early, BytesMut::from(&[0, 0, 0, 3, 1, 0, 0][..])),
        (ends_early, frame(1, 1, 0, b"")),
        (ends_early, frame(1, 1, 0, &[0; 4])),
        (ends_early, frame(2, 1, 0, &names(b"w", 1, b"m", 200))),
        (ends_early, frame(2, 1, 0, &names(b"w", 200, b"m", 1))),
        (long_worker, frame(2, 1, 0, &names(&[b'w'; 513], 513, b"m", 1))),
        (long_method, frame(2, 1, 0, &names(b"w", 1, &[b'm'; 257], 257))),
        (bad_worker, frame(2, 1, 0, &names(b"\xff", 1, b"m", 1))),
        (bad_method, frame(2, 1, 0, &names(b"w", 1, b"\xc3", 1))),
        // A name that is cut inside a character.
        (bad_worker, frame(2, 1, 0, &names("wé".as_bytes(), 2, b"\xa9", 1))),
        ("bytes where the payload is absent", frame(3, 0, 0, b"1")),
        ("an unknown error code", frame(4, 0, 0, &[0; 4])),
        (ends_early, frame(4, 0, 1, &[0, 0, 0, 9, 1])),
        (goes_on, frame(10, 0, 1, &[0, 0, 0, 0, 1])),
        (ends_early, frame(6, 0, 0, &[0; 3])),
        (goes_on, frame(11, 0, 0, b"1")),
    ];
    for (reason, bytes) in cases {
        assert_eq!(decode(bytes), Err(DecodeError::Malformed(reason)), "{bytes:?}");
    }
}

#[test]
fn names_over_their_limits_are_not_sent() {
    let mut out = BytesMut::new();
    let long = "w".repeat(513);
    assert_eq!(
        encode_tell(&mut out, MAX, EnvelopeRef::new(&long, "m", PayloadRef::ABSENT)),
        Err(TooLarge { length: 513, max: 512 })
    );
    assert_eq!(
        encode_tell(&mut out, MAX, EnvelopeRef::new("w", &long[..257], PayloadRef::ABSENT)),
        Err(TooLarge { length: 257, max: 256 })
    );
    let create = Message::Create { call: 1, time_left: 1, worker: WorkerId::new(&long), chain: Chain::EMPTY };
    assert_eq!(encode(&create, MAX, &mut out), Err(TooLarge { length: 513, max: 512 }));
    assert!(out.is_empty());
}

#[test]
fn names_of_exactly_their_limits_are_sent_and_read() {
    let (mut out, worker, method) = (BytesMut::new(), "w".repeat(512), "m".repeat(256));
    encode_tell(&mut out, MAX, EnvelopeRef::new(&worker, &method, PayloadRef::ABSENT)).unwrap();
    let Ok(Some(Message::Tell { envelope })) = decode(&out) else { panic!("no tell") };
    assert_eq!((envelope.worker.as_str(), &envelope.method[..]), (&worker[..], method.as_bytes()));
}

#[test]
fn a_payload_is_a_slice_of_what_was_read() {
    let mut stream = BytesMut::new();
    encode_tell(&mut stream, MAX, EnvelopeRef::new("w", "method", PayloadRef::json(b"[1,2,3]"))).unwrap();
    let range = stream.as_ptr_range();
    let Ok(Some(Message::Tell { envelope })) = Decoder::new(MAX).next(&mut stream) else { panic!("no tell") };
    assert!(range.contains(&envelope.payload.bytes.as_ptr()));
    assert!(range.contains(&envelope.method.as_ptr()));
}
