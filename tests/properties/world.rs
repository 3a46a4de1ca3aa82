//! An implementation under test: its handles, and everything that can be seen through one.

use super::operation::{Answer, Operation};
use crate::disturbance::Disturbance;
use dworker::coordination::*;
use dworker::ids::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::Receiver;

/// Handles in use at a time.
pub const HANDLES: usize = 3;
/// How long a hint may take.
const PATIENCE: Duration = Duration::from_secs(10);

pub type Handle = Arc<dyn Coordinator>;

pub struct World {
    pub name: &'static str,
    connect: Box<dyn Fn() -> Handle>,
    disturb: Box<dyn FnMut(Disturbance)>,
    handles: Vec<Handle>,
    /// The members as somebody has them who looks now and then and takes in what changed.
    followed: (Option<Known>, BTreeMap<Incarnation, BrokerRecord>),
    /// Random texts in the order in which they came up: what is compared is their place in it.
    told: Vec<String>,
}

/// All that can be seen of an implementation at a point of time.
#[derive(Clone, PartialEq, Debug)]
pub struct View {
    pub membership: Membership,
    pub places: BTreeMap<WorkerId, Location>,
    pub holdings: BTreeMap<Incarnation, Vec<Owned>>,
}

impl World {
    pub async fn new(
        name: &'static str,
        connect: Box<dyn Fn() -> Handle>,
        disturb: Box<dyn FnMut(Disturbance)>,
    ) -> Self {
        let mut world =
            Self { name, connect, disturb, handles: Vec::new(), followed: Default::default(), told: Vec::new() };
        for _ in 0..HANDLES {
            let handle = world.open().await;
            world.handles.push(handle);
        }
        world
    }

    async fn open(&self) -> Handle {
        let handle = (self.connect)();
        handle.open().await.unwrap_or_else(|error| panic!("{} does not open: {error}", self.name));
        handle
    }

    pub fn handle(&self, index: usize) -> &Handle {
        &self.handles[index]
    }

    /// A new handle in the place of one that was closed; the closed one.
    pub async fn replace(&mut self, index: usize) -> Handle {
        let fresh = self.open().await;
        std::mem::replace(&mut self.handles[index], fresh)
    }

    /// Lets something befall the server, and waits until every handle is served again.
    pub async fn disturb(&mut self, disturbance: Disturbance) {
        (self.disturb)(disturbance);
        let until = tokio::time::Instant::now() + PATIENCE;
        for handle in &self.handles {
            // At first a handle may still take the old connection for a good one.
            while handle.time().await.is_err()
                || handle.open().await.is_err()
                || handle.server() != self.handles[0].server()
            {
                assert!(tokio::time::Instant::now() < until, "{} does not come back", self.name);
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
    }

    pub async fn perform(&mut self, index: usize, operation: &Operation) -> Answer {
        let operation = self.with_own_texts(operation);
        let answer = operation.perform(self.handles[index].as_ref()).await;
        self.with_common_texts(answer)
    }

    /// The place of a random text among all that came up.
    fn common(&mut self, text: &str) -> String {
        assert!(!text.is_empty(), "{}: no server, generation or secret", self.name);
        let place = self.told.iter().position(|told| told == text).unwrap_or_else(|| {
            self.told.push(text.to_owned());
            self.told.len() - 1
        });
        format!("text {place}")
    }

    fn common_server(&mut self, server: &mut ServerId) {
        *server = ServerId::new(self.common(server.as_str()));
    }

    fn common_joined(&mut self, joined: &mut Joined) {
        joined.generation = self.common(&joined.generation);
        joined.secret = self.common(&joined.secret);
        self.common_server(&mut joined.server);
    }

    fn with_common_texts(&mut self, mut answer: Answer) -> Answer {
        match &mut answer {
            Answer::Secret(secret) => *secret = self.common(secret),
            Answer::Server(Some(server)) => self.common_server(server),
            Answer::Registration(Registration::Joined(joined)) => self.common_joined(joined),
            Answer::Renewal(Renewal::Renewed { generation, server, .. }) => {
                *generation = self.common(generation);
                self.common_server(server);
            }
            Answer::Renewal(Renewal::Evicted { generation, server, .. }) => {
                *generation = generation.take().map(|generation| self.common(&generation));
                self.common_server(server);
            }
            Answer::Membership(membership) => self.common_membership(membership),
            Answer::Look(look) => self.common_known(&mut look.known),
            Answer::Sighting(sighting) if !sighting.generation.is_empty() => {
                sighting.generation = self.common(&sighting.generation);
            }
            _ => {}
        }
        answer
    }

    fn common_known(&mut self, known: &mut Known) {
        if !known.generation.is_empty() {
            known.generation = self.common(&known.generation);
        }
        self.common_server(&mut known.server);
    }

    /// A namespace that nobody has joined has no generation.
    fn common_membership(&mut self, membership: &mut Membership) {
        if !membership.generation.is_empty() {
            membership.generation = self.common(&membership.generation);
        }
    }

    /// This world's text for the place of one; a text that names no place is everybody's.
    fn own(&self, text: &str) -> String {
        let place = text.strip_prefix("text ").and_then(|place| place.parse::<usize>().ok());
        place.and_then(|place| self.told.get(place)).cloned().unwrap_or_else(|| text.to_owned())
    }

    fn with_own_texts(&self, operation: &Operation) -> Operation {
        let mut operation = operation.clone();
        match &mut operation {
            Operation::Signals(inner) => **inner = self.with_own_texts(inner),
            Operation::Announce(announcement) => {
                announcement.generation = self.own(&announcement.generation);
                announcement.secret = self.own(&announcement.secret);
            }
            Operation::Look(_, Some(known)) => {
                known.generation = self.own(&known.generation);
                known.server = ServerId::new(self.own(known.server.as_str()));
            }
            Operation::Settle(_, joined) => {
                joined.generation = self.own(&joined.generation);
                joined.server = ServerId::new(self.own(joined.server.as_str()));
            }
            Operation::Evict(_, _, Death::Proven { server, .. }, _) => {
                *server = ServerId::new(self.own(server.as_str()))
            }
            _ => {}
        }
        operation
    }

    /// Whoever takes in all changes has the members as they are.
    async fn follow(&mut self, handle: &Handle, by: &Incarnation, membership: &Membership) {
        let (known, members) = &mut self.followed;
        let look = handle.look(by, known.as_ref()).await.expect("look");
        if look.changes.complete {
            members.clear();
        }
        for (departed, _) in &look.changes.departed {
            members.remove(departed);
        }
        members.extend(look.changes.records.iter().map(|record| (record.incarnation.clone(), record.clone())));
        let all: BTreeMap<_, _> = membership
            .members
            .iter()
            .map(|member| (member.record.incarnation.clone(), member.record.clone()))
            .collect();
        assert_eq!(*members, all, "{}: the members as followed differ from those that are there", self.name);
        *known = Some(look.known);
    }

    pub async fn view(&mut self, by: &Incarnation, ids: &BTreeSet<WorkerId>, owners: &[Incarnation]) -> View {
        let handle = self.handles[0].clone();
        let mut membership = handle.scan(by).await.expect("scan");
        self.follow(&handle, by, &membership).await;
        self.common_membership(&mut membership);
        let mut looks = tokio::task::JoinSet::new();
        for id in ids.iter().cloned() {
            let handle = handle.clone();
            looks.spawn(async move { (handle.locate(&id).await.expect("locate"), id) });
        }
        let places = looks.join_all().await.into_iter().map(|(place, id)| (id, place)).collect();
        let mut pages = tokio::task::JoinSet::new();
        for owner in owners.iter().cloned() {
            let handle = handle.clone();
            pages.spawn(async move { (handle.owned(&owner, 0, CHUNK).await.expect("owned"), owner) });
        }
        let holdings = pages.join_all().await.into_iter().map(|(page, owner)| (owner, page)).collect();
        View { membership, places, holdings }
    }
}

/// Hints that are there already.
pub fn heard(hints: &mut Receiver<Signal>) -> Vec<Signal> {
    std::iter::from_fn(|| hints.try_recv().ok()).collect()
}

/// Waits until these hints came, past any others.
pub async fn hear(hints: &mut Receiver<Signal>, wanted: &[Signal]) {
    let mut missing = wanted.to_vec();
    let all = async {
        while !missing.is_empty() {
            let hint = hints.recv().await.expect("the handle sends hints");
            missing.retain(|wanted| *wanted != hint);
        }
    };
    if tokio::time::timeout(PATIENCE, all).await.is_err() {
        panic!("hints that never came: {missing:?} of {wanted:?}");
    }
}
