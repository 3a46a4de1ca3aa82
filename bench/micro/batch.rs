//! A batch of events as the one JSON text that JavaScript parses.

use bytes::Bytes;
use divan::counter::ItemsCount;
use divan::{black_box, Bencher};
use dworker::broker::js::batch::BatchWriter;
use dworker::broker::js::event::Event;
use dworker::wire::message::Payload;

/// 64 answers with payloads of this many bytes. From 512 bytes on a string is sent apart.
#[divan::bench(args = [16, 400, 16 * 1024])]
fn write_64_answers(bencher: Bencher<'_, '_>, bytes: usize) {
    let json = Bytes::from(format!("\"{}\"", "x".repeat(bytes - 2)));
    let events: Vec<Event> = (0..64).map(|slot| Event::Done { slot, value: Payload::json(json.clone()) }).collect();
    let mut writer = BatchWriter::default();
    bencher.counter(ItemsCount::new(events.len())).bench_local(|| {
        writer.write(black_box(&events));
        black_box(writer.text.len())
    });
}
