//! Micro-benchmarks of what a message passes in the core, and of the script that places a worker: `npm run bench:micro`.

#[path = "../../tests/support/redis_server.rs"]
mod redis_server;

mod batch;
mod codec;
mod lanes;
mod placement;

fn main() {
    divan::main();
}
