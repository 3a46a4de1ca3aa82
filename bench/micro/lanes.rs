//! The table of routes: a look-up for each message, and what waits for a route.

use divan::{black_box, Bencher};
use dworker::broker::directory::lane::Outgoing;
use dworker::broker::directory::lanes::Lanes;
use dworker::wire::message::{EnvelopeRef, PayloadRef};

fn message(sequence: u32) -> Outgoing {
    let envelope =
        EnvelopeRef { sequence, ..EnvelopeRef::new("Room#1", "move", PayloadRef::json(b"{\"x\":1}")) }.copied();
    Outgoing { envelope, slot: u64::from(sequence), is_ask: true, deadline: u64::MAX, makes: false }
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
