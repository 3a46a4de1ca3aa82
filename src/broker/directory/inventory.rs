//! What people ask about the cluster: its brokers, its workers, and one worker. The answers are JSON text for JavaScript.

use crate::broker::context::shared::Context;
use crate::broker::js::event::Event;
use crate::broker::membership::members::Members;
use crate::broker::membership::quarantine;
use crate::coordination::{CoordinationError, Cursor, ListedBroker, ListedWorker, WorkerFilter, WorkerState};
use crate::error::{Code, Failure};
use crate::ids::{ServerTime, WorkerId};
use serde::Serialize;
use std::sync::Arc;

/// A broker as `broker.listBrokers()` shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BrokerView<'a> {
    id: &'a str,
    incarnation: &'a str,
    cluster: &'a str,
    address: String,
    classes: Vec<&'a str>,
    load: u64,
    workers: u64,
    /// Milliseconds; below zero once it has expired.
    lease_expires_in: i64,
    cordoned: bool,
    version: &'a str,
    host: &'a str,
    pid: u32,
}

impl<'a> BrokerView<'a> {
    fn of(now: ServerTime, listed: &'a ListedBroker) -> Self {
        let record = &listed.member.record;
        let until = |time: ServerTime| i64::try_from(time.0).unwrap_or(i64::MAX);
        Self {
            id: record.broker.as_str(),
            incarnation: record.incarnation.as_str(),
            cluster: record.cluster.as_str(),
            address: record.address.to_string(),
            classes: record.classes.iter().map(|class| class.as_str()).collect(),
            load: listed.member.load,
            workers: listed.workers,
            lease_expires_in: until(listed.member.lease_expires) - until(now),
            cordoned: record.draining,
            version: &record.process.version,
            host: &record.process.host,
            pid: record.process.pid,
        }
    }
}

/// A worker as `broker.listWorkers()` and `broker.inspect()` show it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WorkerView<'a> {
    id: &'a str,
    class: &'a str,
    cluster: &'a str,
    /// Absent while it has no owner, and where the owner has no record any more.
    broker: Option<&'a str>,
    /// Decimal digits, as `worker.epoch`.
    epoch: String,
    state: &'static str,
    /// Why it has no owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    created_at: u64,
    load: u64,
    recoverable: bool,
    /// JSON text; in lists absent.
    #[serde(skip_serializing_if = "str::is_empty")]
    attributes: &'a str,
}

impl<'a> WorkerView<'a> {
    fn of(members: &Members, worker: &'a ListedWorker) -> Self {
        let entry = &worker.entry;
        Self {
            id: entry.id.as_str(),
            class: entry.class.as_str(),
            cluster: entry.cluster.as_str(),
            broker: worker.owner.as_ref().and_then(|(_, broker)| broker.as_ref()).map(|broker| broker.as_str()),
            epoch: entry.epoch.to_string(),
            state: worker.state.as_str(),
            reason: reason(members, worker),
            created_at: entry.created.0,
            load: worker.load,
            recoverable: entry.recoverable,
            attributes: &entry.attributes,
        }
    }
}

/// Why a worker has no owner.
fn reason(members: &Members, worker: &ListedWorker) -> Option<String> {
    let (class, cluster, history) = (&worker.entry.class, &worker.entry.cluster, worker.entry.history);
    match worker.state {
        WorkerState::Placing | WorkerState::Active => None,
        WorkerState::Asleep => Some("it is asleep: the next message to it wakes it".to_owned()),
        WorkerState::Quarantined => Some(quarantine::reason(history.deaths)),
        WorkerState::Pending if history.is_suspect() => {
            let deaths = history.deaths;
            Some(format!(
                "{deaths} processes ended shortly after they activated it: it is retried alone, after a pause"
            ))
        }
        WorkerState::Pending if !members.is_hosted(class, cluster) => {
            Some(format!("no broker of the cluster \"{cluster}\" hosts the class \"{class}\""))
        }
        WorkerState::Pending => Some("it is being recovered".to_owned()),
    }
}

#[derive(Serialize)]
struct PageView<'a> {
    workers: Vec<WorkerView<'a>>,
    /// Absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<&'a str>,
}

fn answer(slot: u64, view: &impl Serialize) -> Event {
    Event::done_json(slot, serde_json::to_string(view).expect("texts and numbers can be written as JSON"))
}

fn failed(slot: u64, error: &CoordinationError) -> Event {
    Event::failed(slot, Failure::new(Code::Redis, error.to_string()))
}

/// Answers under `slot` with all brokers of the namespace.
pub(crate) fn list_brokers(context: &Arc<Context>, slot: u64) {
    let coordinator = context.coordinator.clone();
    context.operate("list brokers", slot, async move {
        match coordinator.list_brokers().await {
            Ok((now, brokers)) => {
                answer(slot, &brokers.iter().map(|broker| BrokerView::of(now, broker)).collect::<Vec<_>>())
            }
            Err(error) => failed(slot, &error),
        }
    });
}

/// Answers under `slot` with a page of workers.
pub(crate) fn list_workers(
    context: &Arc<Context>,
    members: &Arc<Members>,
    slot: u64,
    filter: WorkerFilter,
    cursor: Option<Cursor>,
    limit: usize,
) {
    let (coordinator, members) = (context.coordinator.clone(), members.clone());
    context.operate("list workers", slot, async move {
        match coordinator.list_workers(&filter, cursor.as_ref(), limit).await {
            Ok(Some(page)) => {
                let workers = page.workers.iter().map(|worker| WorkerView::of(&members, worker)).collect();
                answer(slot, &PageView { workers, cursor: page.cursor.as_ref().map(|cursor| cursor.0.as_str()) })
            }
            Ok(None) => {
                let text =
                    "Expected option.cursor of listWorkers() to be one that listWorkers() returned for this namespace";
                Event::failed(slot, Failure::new(Code::Config, text))
            }
            Err(error) => failed(slot, &error),
        }
    });
}

/// Answers under `slot` with one worker and its attributes, or `null`.
pub(crate) fn inspect(context: &Arc<Context>, members: &Arc<Members>, slot: u64, id: WorkerId) {
    let (coordinator, members) = (context.coordinator.clone(), members.clone());
    context.operate("inspect", slot, async move {
        match coordinator.describe(&id).await {
            Ok(worker) => answer(slot, &worker.as_ref().map(|worker| WorkerView::of(&members, worker))),
            Err(error) => failed(slot, &error),
        }
    });
}
