//! Lists of brokers and workers of the embedded coordinator: workers in the order of their ids, so that a page begins after the last one.

use super::super::*;
use super::tables::{Place, Tables, Worker};
use super::MemoryCoordinator;
use crate::ids::{ServerTime, WorkerId};
use async_trait::async_trait;

fn listed_brokers(tables: &Tables) -> Vec<ListedBroker> {
    let listed = tables.members.iter().map(|(incarnation, member)| ListedBroker {
        member: Member {
            record: member.record.clone(),
            lease_expires: member.lease_expires,
            load: tables.load(incarnation),
        },
        workers: tables.holdings.get(incarnation).map_or(0, |holding| holding.workers.len() as u64),
    });
    let mut brokers: Vec<ListedBroker> = listed.collect();
    brokers.sort_by(|a, b| a.member.record.broker.cmp(&b.member.record.broker));
    brokers
}

fn listed(tables: &Tables, worker: &Worker) -> ListedWorker {
    let (state, load, owner) = match &worker.place {
        Place::Held(hold) => {
            let broker = tables.members.get(&hold.owner).map(|member| member.record.broker.clone());
            let state = match hold.state {
                EntryState::Placing => WorkerState::Placing,
                EntryState::Active => WorkerState::Active,
            };
            (state, hold.load, Some((hold.owner.clone(), broker)))
        }
        Place::Pending(_) => (WorkerState::Pending, 0, None),
        Place::Asleep(_) => (WorkerState::Asleep, 0, None),
        Place::Quarantined => (WorkerState::Quarantined, 0, None),
    };
    ListedWorker { entry: worker.entry.clone(), state, load, owner }
}

fn page(tables: &Tables, filter: &WorkerFilter, after: &str, limit: usize) -> WorkerPage {
    let mut ids: Vec<&WorkerId> = tables.workers.keys().filter(|id| id.as_str() > after).collect();
    ids.sort_unstable();
    let wanted = ids.into_iter().map(|id| listed(tables, &tables.workers[id])).filter(|worker| filter.accepts(worker));
    let mut workers: Vec<ListedWorker> = wanted.take(limit + 1).collect();
    let more = workers.len() > limit;
    workers.truncate(limit);
    for worker in &mut workers {
        worker.entry.attributes.clear();
    }
    let last = workers.last().filter(|_| more).map(|worker| Cursor(format!(":{}", worker.entry.id)));
    WorkerPage { workers, cursor: last }
}

#[async_trait]
impl Inventory for MemoryCoordinator {
    async fn list_brokers(&self) -> CoordinationResult<(ServerTime, Vec<ListedBroker>)> {
        self.step(|tables, now| (now, listed_brokers(tables)))
    }

    async fn list_workers(
        &self,
        filter: &WorkerFilter,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> CoordinationResult<Option<WorkerPage>> {
        let after = match cursor.map(|cursor| cursor.0.strip_prefix(':')) {
            None => "",
            Some(None) => return Ok(None),
            Some(Some(after)) => after,
        };
        self.step(|tables, _| Some(page(tables, filter, after, limit)))
    }

    async fn describe(&self, id: &WorkerId) -> CoordinationResult<Option<ListedWorker>> {
        self.step(|tables, _| tables.workers.get(id).map(|worker| listed(tables, worker)))
    }
}
