//! An implementation under test: its handles, and everything that can be seen through one.

use super::operation::{Answer, Operation};
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
    handles: Vec<Handle>,
    /// The secret and the generation that the first broker was told.
    told: Option<(String, String)>,
}

/// All that can be seen of an implementation at a point of time.
#[derive(Clone, PartialEq, Debug)]
pub struct View {
    pub membership: Membership,
    pub places: BTreeMap<WorkerId, Location>,
    pub holdings: BTreeMap<Incarnation, Vec<(WorkerId, Epoch)>>,
}

impl World {
    pub async fn new(name: &'static str, connect: Box<dyn Fn() -> Handle>) -> Self {
        let mut world = Self { name, connect, handles: Vec::new(), told: None };
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

    pub async fn perform(&mut self, index: usize, operation: &Operation) -> Answer {
        let answer = operation.perform(self.handles[index].as_ref()).await;
        self.without_secrets(answer)
    }

    /// Secret and generation are random: they must stay what they were, and are then left out.
    pub fn without_secrets(&mut self, mut answer: Answer) -> Answer {
        match &mut answer {
            Answer::Registration(Registration::Joined(joined)) => {
                let now = (std::mem::take(&mut joined.secret), std::mem::take(&mut joined.generation));
                assert!(!now.0.is_empty() && !now.1.is_empty(), "{}: no secret or generation", self.name);
                let before = self.told.get_or_insert_with(|| now.clone());
                assert_eq!(*before, now, "{}: the secret or the generation changed", self.name);
            }
            Answer::Membership(membership) => self.check_generation(membership),
            _ => {}
        }
        answer
    }

    fn check_generation(&self, membership: &mut Membership) {
        let generation = std::mem::take(&mut membership.generation);
        if let Some((_, told)) = &self.told {
            assert_eq!(generation, *told, "{}: the generation changed", self.name);
        }
    }

    pub async fn view(&self, by: &Incarnation, ids: &BTreeSet<WorkerId>, owners: &[Incarnation]) -> View {
        let handle = &self.handles[0];
        let mut membership = handle.scan(by).await.expect("scan");
        self.check_generation(&mut membership);
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
