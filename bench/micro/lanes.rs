//! The table of routes: a look-up for each message, and what waits for a route.

use bytes::Bytes;
use divan::{black_box, Bencher};
use dworker::broker::directory::lane::Parked;
use dworker::broker::directory::lanes::Lanes;
use dworker::wire::call_chain::Chain;
use dworker::wire::message::Payload;

fn message(sequence: u32) -> Parked {
    Parked {
        sequence,
        call: u64::from(sequence),
        tell_slot: 0,
        deadline: u64::MAX,
        method: Bytes::from_static(b"move"),
        chain: Chain::EMPTY,
        payload: Payload::json(Bytes::from_static(b"{\"x\":1}")),
        makes: false,
    }
}

#[divan::bench(args = [16, 1_000, 100_000])]
fn look_up(bencher: Bencher<'_, '_>, workers: usize) {
    let names: Vec<String> = (0..workers).map(|number| format!("Room#{number}")).collect();
    let mut lanes = Lanes::new(workers, u64::MAX);
    for name in &names {
        lanes.lane(name, 0);
    }
    let mut next = 0;
    bencher.bench_local(|| {
        next = (next + 7919) % names.len();
        black_box(lanes.lane(&names[next], 1).next_sequence())
    });
}

/// 100 messages wait in one lane and are taken out, in order.
#[divan::bench]
fn park_and_take_100(bencher: Bencher<'_, '_>) {
    let mut lanes = Lanes::new(16, u64::MAX);
    lanes.lane("Room#1", 0);
    bencher.bench_local(|| {
        (0..100).for_each(|sequence| lanes.park("Room#1", message(sequence)));
        black_box(lanes.take("Room#1").len())
    });
}
