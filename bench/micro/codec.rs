//! One frame to bytes, and back.

use bytes::BytesMut;
use divan::counter::{BytesCount, ItemsCount};
use divan::{black_box, Bencher};
use dworker::wire::codec::{encode_ask, Decoder, MAX_FRAME_DEFAULT};
use dworker::wire::message::{EnvelopeRef, PayloadRef};

const PAYLOADS: [usize; 3] = [16, 1024, 16 * 1024];

fn append(out: &mut BytesMut, json: &[u8]) {
    let envelope = EnvelopeRef::new("Room#1234", "move", PayloadRef::json(json));
    encode_ask(out, MAX_FRAME_DEFAULT, 42, 10_000, envelope).expect("it fits");
}

fn json(bytes: usize) -> Vec<u8> {
    format!("\"{}\"", "x".repeat(bytes - 2)).into_bytes()
}

#[divan::bench(args = PAYLOADS)]
fn encode(bencher: Bencher<'_, '_>, bytes: usize) {
    let payload = json(bytes);
    let mut out = BytesMut::with_capacity(2 * bytes + 1024);
    bencher.counter(BytesCount::new(bytes)).bench_local(|| {
        out.clear();
        append(black_box(&mut out), black_box(&payload));
    });
}

/// 64 frames in one buffer, as a busy socket reads them.
#[divan::bench(args = PAYLOADS)]
fn decode_64(bencher: Bencher<'_, '_>, bytes: usize) {
    let payload = json(bytes);
    let mut frames = BytesMut::new();
    (0..64).for_each(|_| append(&mut frames, &payload));
    let read = frames.freeze();
    bencher.counter(ItemsCount::new(64usize)).with_inputs(|| BytesMut::from(&read[..])).bench_local_values(
        |mut buffer| {
            let mut decoder = Decoder::new(MAX_FRAME_DEFAULT);
            while let Some(message) = decoder.next(&mut buffer).expect("the frames are sound") {
                black_box(message);
            }
        },
    );
}
