//! What events cost a fleet of any size, in simulated time: `npm run simulate` prints tables for up to 1 000 brokers.

#[path = "simulation/counted.rs"]
mod counted;
#[allow(dead_code)]
#[path = "support/host.rs"]
mod host;
#[path = "simulation/resp.rs"]
mod resp;
#[path = "simulation/world.rs"]
mod world;

use host::eventually;
use std::time::Duration;
use tokio::time::Instant;
use world::{bytes, commands, hints, Cost, World};

/// Everything that follows from an event has happened by then: a lease of 5 s has run out.
const AFTERMATH: Duration = Duration::from_secs(15);
/// Between two workers that move.
const APART: Duration = Duration::from_millis(50);

/// Brokers that notice a departure by their connections, in both directions.
const WATCHERS: u64 = 4;

fn simulate<T>(work: impl std::future::Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("the runtime starts").block_on(work)
}

/// How large the fleet is, and what happens in it.
#[derive(Clone, Copy)]
struct Plan {
    brokers: usize,
    workers: usize,
    /// Workers of the broker that is killed with workers.
    lost: usize,
    moves: usize,
}

/// What the events cost, each for itself.
struct Costs {
    cold_start: Cost,
    /// A second of it.
    idle: Cost,
    killed: Cost,
    silent: Cost,
    joined: Cost,
    restarted: Cost,
    moved: Cost,
    killed_with_workers: Cost,
    /// From that kill until all its workers live elsewhere.
    recovery: Duration,
}

async fn measure(plan: Plan) -> Costs {
    let mut world = World::start(plan.brokers).await;
    let (cold_start, idle) = (world.cold_start.clone(), world.idle.clone());

    let before = world.reading();
    drop(world.kill());
    let killed = world.cost(&before, AFTERMATH).await;
    world.every_broker_reported(1);

    let before = world.reading();
    let broker = world.silence();
    let silent = world.cost(&before, AFTERMATH).await;
    world.every_broker_reported(2);
    broker.host.crash();
    drop(broker);

    let before = world.reading();
    world.join(1).await;
    let joined = world.cost(&before, AFTERMATH).await;

    let all = world.brokers.len();
    world.populate(0..all - 1, plan.workers / all).await;
    world.populate(all - 1..all, plan.lost).await;
    let living = world.living();

    let before = world.reading();
    for number in 0..plan.moves {
        let host = &world.brokers[number % all].host;
        let worker = host.any().expect("it has a worker");
        assert!(host.hand_over(&worker));
        world.pass(APART).await;
    }
    let moved = world.cost(&before, AFTERMATH).await;
    assert_eq!(world.living(), living, "all that moved live again");

    let before = world.reading();
    let killed_at = Instant::now();
    drop(world.kill());
    eventually("all that were lost live again", || world.living() == living).await;
    let recovery = killed_at.elapsed();
    let killed_with_workers = world.cost(&before, AFTERMATH).await;

    let before = world.reading();
    world.restart_one().await;
    let restarted = world.cost(&before, AFTERMATH).await;
    Costs { cold_start, idle, killed, silent, joined, restarted, moved, killed_with_workers, recovery }
}

impl Costs {
    fn print(&self, plan: Plan) {
        let Plan { brokers, workers, lost, moves } = plan;
        println!("\n{brokers} brokers, {workers} workers");
        let events = [
            (format!("all {brokers} start at once"), &self.cold_start),
            ("an idle second".into(), &self.idle),
            ("an empty broker is killed".into(), &self.killed),
            ("an empty broker falls silent".into(), &self.silent),
            ("a broker joins".into(), &self.joined),
            ("a broker restarts".into(), &self.restarted),
            (format!("{moves} workers move"), &self.moved),
            (format!("a broker with {lost} workers is killed"), &self.killed_with_workers),
        ];
        println!("  all lost workers live again after {} ms", self.recovery.as_millis());
        for (event, cost) in events {
            let (commands, hints, bytes) = (commands(cost), hints(cost), bytes(cost));
            println!("  {event}: {commands} commands, {hints} hints, {bytes} bytes");
            for (kind, tally) in cost {
                println!("    {kind}: {}, {} bytes each", tally.commands, tally.bytes / tally.commands.max(1));
            }
        }
    }
}

#[test]
fn no_event_costs_a_broker_more_in_a_larger_fleet() {
    let plan = Plan { brokers: 12, workers: 120, lost: 100, moves: 20 };
    let larger = Plan { brokers: 36, workers: 360, ..plan };
    for plan in [plan, larger] {
        let costs = simulate(measure(plan));
        costs.print(plan);
        let brokers = plan.brokers as u64;
        for (event, cost) in [
            ("an empty broker is killed", &costs.killed),
            ("an empty broker falls silent", &costs.silent),
            ("a broker joins", &costs.joined),
        ] {
            assert!(commands(cost) <= 4 * brokers, "{event}: {} commands for {brokers} brokers", commands(cost));
            assert!(hints(cost) <= 2, "{event}: {} hints", hints(cost));
        }
        let watching = costs.restarted.get("find_member").map_or(0, |tally| tally.commands);
        assert!(watching <= WATCHERS * 4, "{watching} proofs for a broker that leaves");
        assert!(commands(&costs.moved) <= 12 * plan.moves as u64, "{} commands for moves", commands(&costs.moved));
        let lost = commands(&costs.killed_with_workers);
        assert!(lost <= 8 * brokers + 4 * plan.lost as u64, "{lost} commands for a broker with workers");
        let told = hints(&costs.killed_with_workers);
        assert!(told <= 20, "{told} hints for a broker with workers, each to every broker");
        assert!(commands(&costs.idle) <= 3 * brokers, "{} commands in an idle second", commands(&costs.idle));
        assert!(bytes(&costs.idle) <= 800 * brokers, "{} bytes in an idle second", bytes(&costs.idle));
    }
}

#[test]
#[ignore = "takes minutes: npm run simulate"]
fn fleets_of_up_to_a_thousand_brokers() {
    let sizes = std::env::var("DWORKER_SIMULATION").unwrap_or_else(|_| "32,64,128,1000".into());
    for brokers in sizes.split(',').map(|size| size.parse().expect("DWORKER_SIMULATION holds numbers of brokers")) {
        let plan = Plan { brokers, workers: 1000 * brokers, lost: 2000, moves: 100 };
        simulate(measure(plan)).print(plan);
    }
}
