//! The run: draws operations, steps the clock, loses replies, and compares.

use super::brokers::{incarnations, Brokers};
use super::checker::Checker;
use super::operation::{Answer, Operation};
use super::random::Random;
use super::world::{hear, heard, View, World, HANDLES};
use crate::disturbance::Disturbance;
use dworker::coordination::history::SUSPECT;
use dworker::coordination::*;
use dworker::ids::Incarnation;
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

const HOUR: u64 = 3_600_000;
/// Everything is compared after so many operations.
const COMPARE_EVERY: usize = 24;
/// Everybody leaves after so many operations.
const SILENCE_EVERY: usize = 500;
/// Something befalls the server after so many operations.
const DISTURB_EVERY: usize = 300;
/// Operations that a failure tells of.
const REMEMBERED: usize = 12;
/// How long a server may take to notice that a listener is gone.
const PATIENCE: Duration = Duration::from_secs(10);

pub struct Driver {
    seed: u64,
    random: Random,
    clock: Arc<AtomicU64>,
    worlds: [World; 2],
    brokers: Brokers,
    checker: Checker,
    /// What the checker knew at the last snapshot.
    snapshot: Option<Checker>,
    disturbances: BTreeMap<String, u64>,
    steps: usize,
    recent: VecDeque<String>,
    drawn: BTreeMap<&'static str, usize>,
    variants: BTreeMap<(&'static str, &'static str), u64>,
    clock_steps: BTreeMap<&'static str, u64>,
    lost: u64,
    repeated: u64,
    compared: u64,
}

impl Driver {
    pub fn new(seed: u64, clock: Arc<AtomicU64>, worlds: [World; 2]) -> Self {
        Self {
            seed,
            random: Random::new(seed),
            clock,
            worlds,
            brokers: Brokers::default(),
            checker: Checker::default(),
            snapshot: None,
            disturbances: BTreeMap::new(),
            steps: 0,
            recent: VecDeque::new(),
            drawn: BTreeMap::new(),
            variants: BTreeMap::new(),
            clock_steps: BTreeMap::new(),
            lost: 0,
            repeated: 0,
            compared: 0,
        }
    }

    pub fn drawn(&self, name: &str) -> usize {
        self.drawn.get(name).copied().unwrap_or_default()
    }

    pub fn seen(&self, name: &'static str, variant: &'static str) -> u64 {
        self.variants.get(&(name, variant)).copied().unwrap_or_default()
    }

    pub fn summary(&self) -> String {
        let mut text = String::new();
        for (name, drawn) in &self.drawn {
            let answers = self.variants.iter().filter(|((operation, _), _)| operation == name);
            let answers: Vec<_> = answers.map(|((_, variant), count)| format!("{variant} {count}")).collect();
            let _ = writeln!(text, "{name:>16} {drawn:>6}  {}", answers.join(", "));
        }
        let _ = writeln!(text, "clock steps {:?}", self.clock_steps);
        let _ = writeln!(text, "disturbances {:?}", self.disturbances);
        let _ = write!(
            text,
            "lost replies {}, repeated {}, everything compared {} times",
            self.lost, self.repeated, self.compared
        );
        text
    }

    pub async fn step(&mut self) {
        self.steps += 1;
        self.move_clock();
        let operation = self.brokers.next(&mut self.random);
        let index = self.random.below(HANDLES as u64) as usize;
        *self.drawn.entry(operation.name()).or_default() += 1;
        let lost = self.random.percent(15);
        let answer = self.perform(index, &operation).await;
        if lost {
            self.lost += 1;
            self.repeat(&operation).await;
        } else {
            self.brokers.note(&operation, &answer);
        }
        if self.steps.is_multiple_of(COMPARE_EVERY) {
            self.compare_everything().await;
        }
        if self.steps.is_multiple_of(SILENCE_EVERY) {
            for operation in self.brokers.silence(&mut self.random) {
                self.perform(0, &operation).await;
            }
            self.end_a_process_again_and_again().await;
        }
        if self.steps.is_multiple_of(DISTURB_EVERY) {
            self.disturb().await;
        }
    }

    /// Everybody leaves, two come back, and one worker ends the process of each owner that it gets.
    async fn end_a_process_again_and_again(&mut self) {
        for life in incarnations() {
            self.perform(0, &Operation::Leave(life, Fate::Delete, CHUNK)).await;
        }
        let (owner, other) = (Incarnation::new("a1"), Incarnation::new("b1"));
        for operation in self.brokers.two_hosts() {
            self.perform_and_note(&operation).await;
        }
        let request = self.brokers.poison(&owner);
        for _ in 0..SUSPECT {
            let placed = self.perform(0, &Operation::Place(request.clone())).await;
            if let Answer::Placement(Placement::Reserved { id, owner, epoch, .. }) = placed {
                let release = Release { id, epoch, fate: Fate::Crash };
                self.perform_and_note(&Operation::Release(owner.incarnation, vec![release])).await;
            }
        }
        self.perform_and_note(&self.brokers.first_suspect(&owner)).await;
        let Some(death) = self.brokers.succession(&owner) else { return };
        self.perform_and_note(&Operation::Evict(other, owner, death, CHUNK)).await;
        let id = request.id.clone().expect("it has a name");
        self.perform_and_note(&Operation::Locate(id.clone())).await;
        self.perform_and_note(&Operation::Place(PlaceRequest { by: "b1".into(), ..request })).await;
        self.compare_everything().await;
        self.perform_and_note(&Operation::Pardon(id)).await;
        self.compare_everything().await;
    }

    /// Something befalls the servers. Often those who lived there then come and put back what they held.
    async fn disturb(&mut self) {
        let disturbance = match (self.random.below(4), &self.snapshot) {
            (0, _) => Disturbance::Wipe,
            (1, _) => Disturbance::Restart,
            (2, Some(snapshot)) => {
                self.checker.roll_back(snapshot);
                Disturbance::RollBack
            }
            _ => {
                self.snapshot = Some(self.checker.clone());
                Disturbance::Snapshot
            }
        };
        self.remember(format!("{}: {disturbance:?}", self.steps));
        *self.disturbances.entry(format!("{disturbance:?}")).or_default() += 1;
        if matches!(disturbance, Disturbance::Wipe) {
            self.checker.wipe();
        }
        for world in &mut self.worlds {
            world.disturb(disturbance).await;
        }
        self.compare_everything().await;
        for operation in self.brokers.first_signs(&mut self.random) {
            self.perform_and_note(&operation).await;
        }
        if self.random.percent(75) {
            for operation in self.brokers.survivors(&mut self.random) {
                self.perform_and_note(&operation).await;
            }
            for operation in self.brokers.settlements() {
                self.perform_and_note(&operation).await;
            }
            self.compare_everything().await;
        }
    }

    async fn perform_and_note(&mut self, operation: &Operation) {
        let answer = self.perform(0, operation).await;
        self.brokers.note(operation, &answer);
    }

    /// Often the one that got no reply asks again, at once or later, on the same handle or another.
    async fn repeat(&mut self, operation: &Operation) {
        if !self.random.percent(75) {
            return;
        }
        self.repeated += 1;
        let again = self.random.below(HANDLES as u64) as usize;
        if self.random.percent(75) {
            self.move_clock();
            let answer = self.perform(again, operation).await;
            self.brokers.note(operation, &answer);
            return;
        }
        let by = self.random.of(&incarnations()).clone();
        let before = self.compare_everything_as(&by).await;
        let answer = self.perform(again, operation).await;
        self.brokers.note(operation, &answer);
        let after = self.compare_everything_as(&by).await;
        if operation.leaves_the_same_when_repeated() && before != after {
            self.fail(&format!("repeating {operation:?} did harm:\n{before:?}\n{after:?}"));
        }
    }

    fn move_clock(&mut self) {
        let (name, forward, back) = match self.random.below(400) {
            0..=199 => ("still", 0, 0),
            200..=279 => ("a moment forward", self.random.below(3), 0),
            280..=359 => ("a little forward", self.random.below(30), 0),
            360..=379 => ("past some leases", self.random.below(8_000), 0),
            380..=393 => ("a little back", 0, self.random.below(500)),
            394..=396 => ("up to an hour back", 0, self.random.below(HOUR)),
            _ => ("up to an hour forward", self.random.below(HOUR), 0),
        };
        *self.clock_steps.entry(name).or_default() += 1;
        let now = self.clock.load(Ordering::SeqCst);
        self.clock.store(now + forward - back, Ordering::SeqCst);
    }

    /// Does it everywhere; the answer that all gave.
    async fn perform(&mut self, index: usize, operation: &Operation) -> Answer {
        let at = self.clock.load(Ordering::SeqCst);
        self.remember(format!("{} at {at} on handle {index}: {operation:?}", self.steps));
        let answer = match operation {
            Operation::Signals(inner) => self.listen_while(index, inner).await,
            Operation::IsListening(_) => self.agree_in_time(index, operation).await,
            Operation::LocalHost => self.local_hosts(index),
            _ => self.agree(index, operation).await,
        };
        if matches!(operation, Operation::Close) {
            self.try_closed_handles(index).await;
        }
        self.remember(format!("    {answer:?}"));
        self.count(operation, &answer);
        self.checker.note(operation, &answer);
        answer
    }

    async fn agree(&mut self, index: usize, operation: &Operation) -> Answer {
        let [memory, redis] = &mut self.worlds;
        let ours = memory.perform(index, operation).await;
        let theirs = redis.perform(index, operation).await;
        if ours != theirs {
            self.fail(&format!("{operation:?} is answered\n  memory {ours:?}\n  redis  {theirs:?}"));
        }
        ours
    }

    /// A server sees a connection end a little later.
    async fn agree_in_time(&mut self, index: usize, operation: &Operation) -> Answer {
        let until = Instant::now() + PATIENCE;
        let ours = self.worlds[0].perform(index, operation).await;
        while self.worlds[1].perform(index, operation).await != ours {
            if Instant::now() > until {
                self.fail(&format!("{operation:?} is answered {ours:?} by memory and never so by redis"));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        ours
    }

    /// Only one of them has an address on the way to it.
    fn local_hosts(&mut self, index: usize) -> Answer {
        let hosts = [0, 1].map(|world: usize| self.worlds[world].handle(index).local_host());
        let is_address =
            |host: &Option<String>| host.as_ref().is_some_and(|host| host.parse::<std::net::IpAddr>().is_ok());
        if hosts[0].is_some() || !is_address(&hosts[1]) {
            self.fail(&format!("local addresses {hosts:?}"));
        }
        Answer::Host(false)
    }

    /// What memory tells everybody at once is heard from Redis as well.
    async fn listen_while(&mut self, index: usize, operation: &Operation) -> Answer {
        let listener = self.random.below(HANDLES as u64) as usize;
        let [mut ours, mut theirs] = [0, 1].map(|world: usize| self.worlds[world].handle(listener).signals());
        let answer = self.agree(index, operation).await;
        let told = heard(&mut ours);
        hear(&mut theirs, &told).await;
        for hint in &told {
            let name = match hint {
                Signal::Members => "members",
                Signal::Pending { .. } => "pending",
                Signal::Dead { .. } => "dead",
                Signal::Restart => "restart",
                Signal::Settled => "settled",
                Signal::Overruled(_) => "overruled",
                Signal::Foreign(_) => "foreign",
                Signal::Unreadable(_) => "unreadable",
                Signal::Claimed => "claimed",
                Signal::Timer { .. } => "timer",
                Signal::Unusable { .. } => "unusable",
                Signal::Resync => "resync",
            };
            *self.variants.entry(("signals", name)).or_default() += 1;
        }
        answer
    }

    /// New handles take the place of the closed ones, which refuse whatever they are asked.
    async fn try_closed_handles(&mut self, index: usize) {
        let operation = self.brokers.refusable(&mut self.random);
        for world in 0..2 {
            let closed = self.worlds[world].replace(index).await;
            let answer = operation.perform(closed.as_ref()).await;
            if answer != Answer::Failed("unavailable") {
                self.fail(&format!(
                    "a closed handle of {} answered {answer:?} to {operation:?}",
                    self.worlds[world].name
                ));
            }
        }
        self.count(&operation, &Answer::Failed("unavailable"));
    }

    fn count(&mut self, operation: &Operation, answer: &Answer) {
        let operation = match operation {
            Operation::Signals(inner) => inner,
            operation => operation,
        };
        for variant in answer.variants() {
            *self.variants.entry((operation.name(), variant)).or_default() += 1;
        }
    }

    /// Compares all that can be seen, and checks it.
    pub async fn compare_everything(&mut self) {
        let by = self.random.of(&incarnations()).clone();
        self.compare_everything_as(&by).await;
    }

    async fn compare_everything_as(&mut self, by: &Incarnation) -> View {
        self.compared += 1;
        let owners = incarnations();
        let mut ours = self.worlds[0].view(by, &self.checker.ids, &owners).await;
        let theirs = self.worlds[1].view(by, &self.checker.ids, &owners).await;
        if ours != theirs {
            self.fail(&format!("what {by} sees differs:\n  memory {ours:?}\n  redis  {theirs:?}"));
        }
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.checker.check(&ours)));
        if told.is_err() {
            self.fail(&format!("an invariant is broken in {ours:?}"));
        }
        // The next look leaves out what is gone.
        ours.places.retain(|_, place| !matches!(place, Location::None | Location::Unsettled));
        ours
    }

    fn remember(&mut self, line: String) {
        self.recent.push_back(line);
        if self.recent.len() > 2 * REMEMBERED {
            self.recent.pop_front();
        }
    }

    fn fail(&self, why: &str) -> ! {
        panic!("seed {}, operation {}: {why}", self.seed, self.steps);
    }
}

impl Drop for Driver {
    /// Whatever made the run end: how it came to that.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let recent: Vec<&str> = self.recent.iter().map(String::as_str).collect();
            eprintln!("\nseed {}, the last operations:\n{}\n", self.seed, recent.join("\n"));
        }
    }
}
