//! Brokers that do anything at all: which operation comes next, and what they remember of the answers they got.

use super::operation::{Answer, Operation};
use super::random::Random;
use dworker::coordination::history::History;
use dworker::coordination::*;
use dworker::ids::*;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// Two lives of each of three brokers, one of them in another cluster. The last is nobody's.
const LIVES: [(&str, &str, &str); 7] = [
    ("a1", "a", "main"),
    ("a2", "a", "main"),
    ("b1", "b", "main"),
    ("b2", "b", "main"),
    ("c1", "c", "side"),
    ("c2", "c", "side"),
    ("stranger", "x", "main"),
];
const CLASSES: [&str; 3] = ["Room", "Hall", "a:b,{c}"];
/// Some of these are the names that placement counts out.
const IDS: [&str; 9] = ["Room#1", "Room#2", "Hall#1", "static", "a", "a:b", "{x} y", "é", "w:a"];
const ATTRIBUTES: [&str; 4] = ["", "{}", r#"{"a":[],"n":12345678901234567890}"#, "nul\0\n\"é"];
const TTLS: [u64; 4] = [0, 1, 1_000, 60_000];
const LEASES: [u64; 5] = [1, 1_000, 5_000, 60_000, 7_200_000];
const PATIENCES: [u64; 4] = [1, 500, 5_000, 60_000];
const RECORD_TTLS: [u64; 4] = [1_000, 5_000, 60_000, 7_200_000];
const OVERFLOWS: [u64; 4] = [0, 1, 2, 4];
/// States of the members that are remembered.
const STATES: usize = 4;
const LIMITS: [usize; 7] = [0, 0, 1, 1, 2, 10, CHUNK];
const LOADS: [u64; 6] = [0, 1, 2, 50, MAX_LOAD, u64::MAX];

const COMPLAINTS: [Complaint; 3] = [Complaint::Unreachable, Complaint::Refused, Complaint::Silent];

/// How often each operation is drawn, against the others: so many of each are in the bag that they are drawn from.
const WEIGHTS: [(&str, usize); 37] = [
    ("open", 4),
    ("close", 4),
    ("local_host", 4),
    ("warning", 4),
    ("signals", 4),
    ("time", 4),
    ("server", 4),
    ("secret", 2),
    ("register", 16),
    ("announce", 5),
    ("restore", 5),
    ("settle", 5),
    ("renew", 7),
    ("update", 5),
    ("look", 4),
    ("find_member", 4),
    ("scan", 4),
    ("place", 22),
    ("activate", 8),
    ("confirm", 6),
    ("release", 8),
    ("withdraw", 6),
    ("set_load", 6),
    ("locate", 4),
    ("claim", 8),
    ("evict", 6),
    ("leave", 4),
    ("pardon", 4),
    ("commit", 6),
    ("erase", 3),
    ("sleep", 5),
    ("ring", 5),
    ("owned", 4),
    ("request_restart", 4),
    ("complain", 4),
    ("is_listening", 4),
    ("listen_as", 4),
];

/// What the brokers know: only what reached them.
#[derive(Default)]
pub struct Brokers {
    /// Who owns what, as they last heard.
    book: BTreeMap<WorkerId, (Incarnation, Epoch)>,
    leases: BTreeMap<Incarnation, ServerTime>,
    /// States of the members that somebody saw; the last ones.
    known: VecDeque<Known>,
    /// What each was told when it joined last, and all generations that anybody was told of.
    joined: BTreeMap<Incarnation, Joined>,
    generations: BTreeSet<String>,
    /// The clock as it was last seen.
    now: ServerTime,
    bag: Vec<&'static str>,
}

/// Operations until the bag is empty.
pub fn bag_size() -> usize {
    WEIGHTS.iter().map(|(_, count)| count).sum()
}

/// The rarest operation's share of the bag.
pub fn least_in_bag() -> usize {
    WEIGHTS.iter().map(|(_, count)| *count).min().unwrap_or_default()
}

pub fn incarnations() -> Vec<Incarnation> {
    LIVES.iter().map(|(incarnation, ..)| Incarnation::new(incarnation)).collect()
}

impl Brokers {
    pub fn note(&mut self, operation: &Operation, answer: &Answer) {
        match (operation, answer) {
            (Operation::Signals(inner), answer) => self.note(inner, answer),
            (
                _,
                Answer::Placement(
                    Placement::Reserved { id, owner, epoch, .. } | Placement::Existing { id, owner, epoch, .. },
                ),
            ) => {
                self.book.insert(id.clone(), (owner.incarnation.clone(), *epoch));
            }
            (Operation::Locate(id), Answer::Location(Location::Owned { owner, epoch, .. })) => {
                self.book.insert(id.clone(), (owner.incarnation.clone(), *epoch));
            }
            (Operation::Claim(request), Answer::Claim(Claim::Claimed { entries, .. })) => {
                for entry in entries {
                    self.book.insert(entry.id.clone(), (request.by.clone(), entry.epoch));
                }
            }
            (Operation::Owned(owner, ..), Answer::Owned(owned, _)) => {
                for Owned { id, epoch, .. } in owned {
                    self.book.insert(id.clone(), (owner.clone(), *epoch));
                }
            }
            (Operation::Release(_, releases), Answer::Flags(_)) => {
                for release in releases {
                    self.book.remove(&release.id);
                }
            }
            (Operation::Register(record, _), Answer::Registration(Registration::Joined(joined))) => {
                self.note_joined(&record.incarnation, joined);
            }
            (Operation::Announce(announcement), Answer::Registration(Registration::Joined(joined))) => {
                self.note_joined(&announcement.record.incarnation, joined);
            }
            (_, Answer::Renewal(Renewal::Renewed { now, .. } | Renewal::Evicted { now, .. })) => self.now = *now,
            (Operation::Restore(owner, held), Answer::Restoration(Restoration::Restored(_))) => {
                for held in held {
                    self.book.insert(held.entry.id.clone(), (owner.clone(), held.entry.epoch));
                }
            }
            (_, Answer::Look(look)) => {
                self.known.push_front(look.known.clone());
                self.known.truncate(STATES);
            }
            (_, Answer::Membership(seen)) => {
                self.now = seen.now;
                self.leases = seen
                    .members
                    .iter()
                    .map(|member| (member.record.incarnation.clone(), member.lease_expires))
                    .collect();
            }
            _ => {}
        }
    }

    fn note_joined(&mut self, incarnation: &Incarnation, joined: &Joined) {
        self.now = joined.now;
        self.leases.insert(incarnation.clone(), joined.lease_expires);
        self.generations.insert(joined.generation.clone());
        self.joined.insert(incarnation.clone(), joined.clone());
    }

    /// Some who lived there find out by their next renewal.
    pub fn first_signs(&self, random: &mut Random) -> Vec<Operation> {
        (0..3).map(|_| Operation::Renew(self.member(random), Duration::from_millis(60_000))).collect()
    }

    /// All who ever joined come and put back what they held, as far as they know.
    pub fn survivors(&self, random: &mut Random) -> Vec<Operation> {
        let mut operations = Vec::new();
        for incarnation in self.joined.keys() {
            operations.push(Operation::Announce(self.announcement(incarnation, random)));
            let book = self.book.iter().filter(|(_, (owner, _))| owner == incarnation);
            let held = book.map(|(id, (_, epoch))| held(id, *epoch, random)).collect();
            operations.push(Operation::Restore(incarnation.clone(), held));
        }
        operations
    }

    /// All who joined have put back everything.
    pub fn settlements(&self) -> Vec<Operation> {
        self.joined.iter().map(|(life, joined)| Operation::Settle(life.clone(), joined.clone())).collect()
    }

    fn announcement(&self, incarnation: &Incarnation, random: &mut Random) -> Announcement {
        let joined = self.joined.get(incarnation);
        let generations: Vec<_> = self.generations.iter().collect();
        let known = joined.map(|joined| &joined.generation).filter(|_| random.percent(80));
        let generation = match known {
            Some(generation) => generation.clone(),
            None if generations.is_empty() || random.percent(20) => "never told".into(),
            None => (*random.of(&generations)).clone(),
        };
        let highest = self.book.values().map(|(_, epoch)| *epoch).max().unwrap_or_default();
        let (name, broker, cluster) =
            *LIVES.iter().find(|(name, ..)| *name == incarnation.as_str()).unwrap_or(&LIVES[0]);
        Announcement {
            record: record_of(name, broker, cluster, random),
            ttl: Duration::from_millis(*random.of(&LEASES)),
            generation,
            secret: joined.map_or("a secret".into(), |joined| joined.secret.clone()),
            epoch: if random.percent(80) { highest } else { Epoch(random.below(3)) },
            counters: CLASSES.iter().map(|class| ((*class).into(), random.below(9))).take(2).collect(),
            restart_number: joined.map_or(0, |joined| joined.restart_number) + random.below(2),
            remembered: LIVES.iter().filter(|_| random.percent(40)).map(|(life, ..)| Incarnation::new(life)).collect(),
            patience: Duration::from_millis(*random.of(&PATIENCES)),
        }
    }

    pub fn next(&mut self, random: &mut Random) -> Operation {
        if self.bag.is_empty() {
            self.bag = WEIGHTS.iter().flat_map(|(name, count)| vec![*name; *count]).collect();
            random.shuffle(&mut self.bag);
        }
        let name = self.bag.pop().expect("the bag was filled");
        self.draw(name, random)
    }

    /// Everybody leaves; one comes back and finds itself alone.
    pub fn silence(&self, random: &mut Random) -> Vec<Operation> {
        let mut operations: Vec<_> =
            incarnations().into_iter().map(|life| Operation::Leave(life, fate(random), CHUNK)).collect();
        let one = record(random);
        operations.push(Operation::Scan(one.incarnation.clone()));
        operations.push(Operation::Register(one.clone(), Duration::from_millis(60_000)));
        operations.push(Operation::Renew(one.incarnation, Duration::from_millis(60_000)));
        operations
    }

    /// Two brokers of one cluster that host all classes join.
    pub fn two_hosts(&self) -> Vec<Operation> {
        let host = |(incarnation, broker): (&str, &str)| {
            let record = BrokerRecord {
                incarnation: incarnation.into(),
                broker: broker.into(),
                cluster: "main".into(),
                address: Endpoint { host: "::1".into(), port: 1 },
                classes: CLASSES.iter().map(ClassName::new).collect(),
                protocol: (1, 1),
                lease_ttl: Duration::from_millis(60_000),
                strict: false,
                draining: false,
                process: Default::default(),
            };
            Operation::Register(record, Duration::from_millis(60_000))
        };
        [("a1", "a"), ("b1", "b")].map(host).into()
    }

    pub fn poison(&self, by: &Incarnation) -> PlaceRequest {
        PlaceRequest {
            purpose: Default::default(),
            exclude: Vec::new(),
            by: by.clone(),
            id: Some(IDS[3].into()),
            class: CLASSES[0].into(),
            cluster: "main".into(),
            recoverable: true,
            attributes: ATTRIBUTES[1].into(),
            ttl: Duration::ZERO,
        }
    }

    pub fn first_suspect(&self, by: &Incarnation) -> Operation {
        Operation::Claim(ClaimRequest {
            by: by.clone(),
            cluster: "main".into(),
            classes: [ClassName::new(CLASSES[0])].into(),
            limit: 0,
            overflow: 0,
            ttl: Duration::ZERO,
            trial_over: true,
        })
    }

    pub fn succession(&self, dead: &Incarnation) -> Option<Death> {
        let lease_expires = *self.leases.get(dead)?;
        Some(Death::Succeeded { lease_expires })
    }

    /// What a handle that must refuse it may be asked.
    pub fn refusable(&self, random: &mut Random) -> Operation {
        loop {
            let name = random.of(&WEIGHTS).0;
            if !matches!(name, "close" | "local_host" | "warning" | "signals" | "server") {
                return self.draw(name, random);
            }
        }
    }

    /// Mostly one that is said to be registered.
    fn member(&self, random: &mut Random) -> Incarnation {
        let known: Vec<_> = self.leases.keys().cloned().collect();
        if known.is_empty() || random.percent(15) {
            return anybody(random);
        }
        random.of(&known).clone()
    }

    fn known_state(&self, random: &mut Random) -> Option<Known> {
        let states: Vec<_> = self.known.iter().collect();
        let known = (!states.is_empty() && random.percent(85)).then(|| (*random.of(&states)).clone())?;
        let version = known.version + u64::from(random.percent(5));
        Some(Known { version, ..known })
    }

    fn draw(&self, name: &str, random: &mut Random) -> Operation {
        match name {
            "open" => Operation::Open,
            "close" => Operation::Close,
            "local_host" => Operation::LocalHost,
            "warning" => Operation::Warning,
            "signals" => {
                let loud = [
                    "register",
                    "update",
                    "release",
                    "withdraw",
                    "evict",
                    "leave",
                    "pardon",
                    "request_restart",
                    "announce",
                    "restore",
                    "restore",
                    "settle",
                    "renew",
                ];
                let inner = *random.of(&loud);
                Operation::Signals(Box::new(self.draw(inner, random)))
            }
            "time" => Operation::Time,
            "server" => Operation::Server,
            "secret" => Operation::Secret,
            "announce" => Operation::Announce(self.announcement(&Incarnation::new(random.of(&LIVES[..6]).0), random)),
            "restore" => {
                let (owner, items) = self.items(random);
                // Now and then somebody else holds them too, mostly since later.
                let other = random.percent(40).then(|| self.member(random));
                let later = u64::from(other.is_some() && random.percent(70));
                let held = |(id, epoch): (WorkerId, Epoch)| held(&id, Epoch(epoch.0 + later), random);
                Operation::Restore(other.unwrap_or(owner), items.into_iter().map(held).collect())
            }
            "settle" => {
                let joined: Vec<_> = self.joined.values().collect();
                let life = self.member(random);
                let own = self.joined.get(&life).filter(|_| random.percent(80));
                let told = own.cloned().unwrap_or_else(|| match joined.is_empty() {
                    true => never_joined(),
                    false => (*random.of(&joined)).clone(),
                });
                Operation::Settle(life, told)
            }
            "register" => Operation::Register(record(random), Duration::from_millis(*random.of(&LEASES))),
            "renew" => Operation::Renew(self.member(random), Duration::from_millis(*random.of(&LEASES))),
            "update" => Operation::Update(record(random)),
            "look" => Operation::Look(anybody(random), self.known_state(random)),
            "find_member" => Operation::FindMember(anybody(random)),
            "scan" => Operation::Scan(anybody(random)),
            "place" if random.percent(80) => {
                let purpose = *random.of(&[Purpose::Create, Purpose::Create, Purpose::Keep, Purpose::Wake]);
                let id = Some(id(random));
                Operation::Place(PlaceRequest { id, purpose, ..self.request(random) })
            }
            "place" => Operation::Place(self.request(random)),
            "activate" => {
                let (owner, items) = self.items(random);
                Operation::Activate(owner, items.into_iter().map(|(id, _)| id).collect())
            }
            "confirm" => {
                let (owner, items) = self.items(random);
                Operation::Confirm(owner, items)
            }
            "release" => {
                let (owner, items) = self.items(random);
                let release = |(id, epoch)| Release { id, epoch, fate: fate(random) };
                Operation::Release(owner, items.into_iter().map(release).collect())
            }
            "withdraw" => {
                let (owner, id, epoch) = self.item(random);
                Operation::Withdraw(owner, id, epoch)
            }
            "set_load" => {
                let (owner, items) = self.items(random);
                let change = |(id, epoch)| LoadChange { id, epoch, load: *random.of(&LOADS) };
                Operation::SetLoad(owner, items.into_iter().map(change).collect())
            }
            "pardon" => Operation::Pardon(self.item(random).1),
            "commit" => {
                let (owner, items) = self.items(random);
                let commit = |(id, epoch)| {
                    let revision = random.below(4);
                    Commit {
                        id,
                        epoch,
                        data: Stored {
                            version: 1,
                            revision,
                            text: random.below(100).to_string(),
                            timers: timers(self.now, random),
                        },
                    }
                };
                Operation::Commit(owner, items.into_iter().map(commit).collect())
            }
            "sleep" => {
                let (owner, items) = self.items(random);
                Operation::Sleep(owner, items.into_iter().map(|(id, epoch)| Sleep { id, epoch }).collect())
            }
            "ring" => {
                let by = self.member(random);
                let home = LIVES.iter().find(|(incarnation, ..)| *incarnation == by.as_str());
                let cluster = home.map_or("main", |(_, _, cluster)| cluster).into();
                Operation::Ring(RingRequest {
                    by,
                    cluster,
                    classes: classes(random),
                    limit: *random.of(&[1, CHUNK, CHUNK]),
                })
            }
            "erase" => {
                let (_, id, epoch) = self.item(random);
                Operation::Erase(id, random.percent(50).then_some(epoch))
            }
            "locate" => Operation::Locate(self.item(random).1),
            "claim" => {
                let by = self.member(random);
                let home = LIVES.iter().find(|(incarnation, ..)| *incarnation == by.as_str());
                Operation::Claim(ClaimRequest {
                    cluster: home.map_or("main", |(_, _, cluster)| cluster).into(),
                    by,
                    classes: classes(random),
                    limit: *random.of(&LIMITS),
                    overflow: *random.of(&OVERFLOWS),
                    ttl: Duration::from_millis(*random.of(&TTLS)),
                    trial_over: random.percent(80),
                })
            }
            "evict" => {
                let dead = anybody(random);
                let seen = self.leases.get(&dead).filter(|_| random.percent(50));
                let servers: Vec<_> = self.joined.values().map(|joined| joined.server.clone()).collect();
                let death = match seen {
                    Some(lease_expires) if servers.is_empty() || random.percent(30) => {
                        Death::Succeeded { lease_expires: *lease_expires }
                    }
                    Some(lease_expires) => {
                        Death::Proven { lease_expires: *lease_expires, server: random.of(&servers).clone() }
                    }
                    None => {
                        let off = if random.percent(80) { 0 } else { random.below(1_100) };
                        Death::Expired { expected: ServerTime(self.now.0 + off) }
                    }
                };
                Operation::Evict(self.member(random), dead, death, *random.of(&LIMITS))
            }
            "leave" => Operation::Leave(self.member(random), fate(random), *random.of(&LIMITS)),
            "owned" => Operation::Owned(anybody(random), random.below(3) as usize, *random.of(&LIMITS)),
            "request_restart" => Operation::RequestRestart,
            "complain" => Operation::Complain(anybody(random), anybody(random), *random.of(&COMPLAINTS)),
            "is_listening" => Operation::IsListening(anybody(random)),
            "listen_as" => Operation::ListenAs(random.percent(70).then(|| anybody(random))),
            other => unreachable!("{other} is not an operation"),
        }
    }

    /// A placement of a worker without an id.
    fn request(&self, random: &mut Random) -> PlaceRequest {
        PlaceRequest {
            purpose: Purpose::Create,
            exclude: if random.percent(30) { vec![anybody(random)] } else { Vec::new() },
            by: self.member(random),
            id: None,
            class: class(random),
            cluster: if random.percent(80) { "main".into() } else { "side".into() },
            recoverable: random.percent(70),
            attributes: (*random.of(&ATTRIBUTES)).into(),
            ttl: Duration::from_millis(*random.of(&TTLS)),
        }
    }

    /// A worker, its owner and its epoch: mostly as known, sometimes wrong in one of them.
    fn item(&self, random: &mut Random) -> (Incarnation, WorkerId, Epoch) {
        if self.book.is_empty() || random.percent(10) {
            return (anybody(random), id(random), Epoch(random.below(3)));
        }
        let at = random.below(self.book.len() as u64) as usize;
        let (id, (owner, epoch)) = self.book.iter().nth(at).expect("the index is below the length");
        match random.below(12) {
            0 => (anybody(random), id.clone(), *epoch),
            1 => (owner.clone(), id.clone(), Epoch(epoch.0 + 1)),
            2 => (owner.clone(), id.clone(), Epoch(epoch.0.saturating_sub(1))),
            _ => (owner.clone(), id.clone(), *epoch),
        }
    }

    /// Some workers, most of them of one owner.
    fn items(&self, random: &mut Random) -> (Incarnation, Vec<(WorkerId, Epoch)>) {
        let (owner, id, epoch) = self.item(random);
        let mut items = vec![(id, epoch)];
        let mates: Vec<_> = self.book.iter().filter(|(_, (other, _))| *other == owner).collect();
        for _ in 0..random.below(4) {
            if !mates.is_empty() && random.percent(80) {
                let (id, (_, epoch)) = *random.of(&mates);
                items.push((id.clone(), *epoch));
            } else {
                let (_, id, epoch) = self.item(random);
                items.push((id, epoch));
            }
        }
        (owner, items)
    }
}

fn anybody(random: &mut Random) -> Incarnation {
    Incarnation::new(random.of(&LIVES).0)
}

fn id(random: &mut Random) -> WorkerId {
    WorkerId::new(random.of(&IDS))
}

fn class(random: &mut Random) -> ClassName {
    ClassName::new(random.of(&CLASSES))
}

fn classes(random: &mut Random) -> BTreeSet<ClassName> {
    CLASSES.iter().filter(|_| random.percent(75)).map(ClassName::new).collect()
}

/// Timers, mostly some that are due soon.
fn timers(now: ServerTime, random: &mut Random) -> Timers {
    if random.percent(30) {
        return Timers::default();
    }
    let next = (now.0 + random.below(60_000)).saturating_sub(random.below(10_000));
    Timers { next: ServerTime(next), text: format!("[{next}]") }
}

fn fate(random: &mut Random) -> Fate {
    *random.of(&[
        Fate::Recover,
        Fate::Return,
        Fate::Crash,
        Fate::Delete,
        Fate::Delete,
        Fate::Delete,
        Fate::End,
        Fate::Fail,
    ])
}

/// What a broker says of itself; the stranger never registers.
fn record(random: &mut Random) -> BrokerRecord {
    let (incarnation, broker, cluster) = LIVES[random.below(LIVES.len() as u64 - 1) as usize];
    record_of(incarnation, broker, cluster, random)
}

/// A worker as its owner remembers it; mostly under the epoch that it was given.
fn held(id: &WorkerId, epoch: Epoch, random: &mut Random) -> Held {
    Held {
        entry: Entry {
            lasting: Default::default(),
            id: id.clone(),
            class: class(random),
            cluster: if random.percent(80) { "main".into() } else { "side".into() },
            epoch,
            cause: if random.percent(50) { Cause::New } else { Cause::Recovery },
            attempt: random.below(3) as u32,
            created: ServerTime(random.below(1_000)),
            recoverable: random.percent(70),
            attributes: (*random.of(&ATTRIBUTES)).into(),
            history: History { deaths: random.below(4) as u32, returns: random.below(6) as u32 },
        },
        state: if random.percent(80) { EntryState::Active } else { EntryState::Placing },
        load: *random.of(&LOADS),
    }
}

/// What nobody was ever told.
fn never_joined() -> Joined {
    Joined {
        now: ServerTime(0),
        lease_expires: ServerTime(0),
        restart_number: 0,
        generation: "never told".into(),
        secret: "never told".into(),
        server: "never told".into(),
    }
}

fn record_of(incarnation: &str, broker: &str, cluster: &str, random: &mut Random) -> BrokerRecord {
    BrokerRecord {
        incarnation: incarnation.into(),
        broker: broker.into(),
        cluster: cluster.into(),
        address: Endpoint { host: "::1".into(), port: random.below(3) as u16 },
        classes: classes(random),
        protocol: (1, 1 + random.below(2) as u16),
        lease_ttl: Duration::from_millis(*random.of(&RECORD_TTLS)),
        strict: random.percent(20),
        draining: random.percent(10),
        process: Default::default(),
    }
}
