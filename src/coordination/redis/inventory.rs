//! Lists of brokers and workers, read page by page.
//!
//! Workers are found by `SCAN`, which returns whatever is there from its first page to its last, also while workers change their owners and states.
//! A page may end inside what one `SCAN` returned: the cursor then names that `SCAN` and the last worker that was taken of its sorted answer.

use super::client::Client;
use super::reply::{text, Parts};
use super::script::{self, Arguments};
use super::{entry, question, record, RedisCoordinator};
use crate::coordination::{
    CoordinationResult, Cursor, Inventory, ListedBroker, ListedWorker, Member, WorkerFilter, WorkerPage, CHUNK,
};
use crate::ids::{Incarnation, ServerTime, WorkerId};
use async_trait::async_trait;
use redis::Value;
use std::collections::BTreeMap;

/// Keys that one `SCAN` looks at: about 0.45 ms on Redis 7.0. The same always, so that a repeated `SCAN` sees the same keys.
const SCANNED: usize = 500;
/// A page ends after so many of them, so that a namespace among many other keys is read in steps too.
const SCANS: usize = 100;

/// Where a list goes on: the server, its cursor, and the last worker that was taken of what it returns there.
struct Position {
    server: String,
    scan: u64,
    after: Option<String>,
}

impl Position {
    fn read(cursor: &Cursor) -> Option<Self> {
        let mut parts = cursor.0.splitn(3, ':');
        let (server, scan) = (parts.next()?.to_owned(), parts.next()?.parse().ok()?);
        Some(Self { server, scan, after: parts.next().map(str::to_owned) })
    }

    fn write(&self) -> Cursor {
        let after = self.after.as_ref().map(|id| format!(":{id}")).unwrap_or_default();
        Cursor(format!("{}:{}{after}", self.server, self.scan))
    }
}

/// The pattern of exactly these letters, as `SCAN` and `KEYS` read it.
fn literal(prefix: &str) -> String {
    let mut pattern = String::with_capacity(prefix.len());
    for letter in prefix.chars() {
        if matches!(letter, '*' | '?' | '[' | ']' | '\\' | '^') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern
}

impl Client {
    /// A step of `SCAN`, sorted; the next cursor is 0 at the end.
    async fn scan_workers(&self, scan: u64) -> CoordinationResult<(u64, Vec<WorkerId>)> {
        let prefix = self.keys.worker(&WorkerId::new(""));
        let mut command = redis::cmd("SCAN");
        command.arg(scan).arg("MATCH").arg(literal(&prefix) + "*").arg("COUNT").arg(SCANNED);
        let answer = self.command(&command, "SCAN").await?;
        let (next, keys) = self.read("SCAN", scanned(answer))?;
        let ids = keys.iter().filter_map(|key| key.strip_prefix(&prefix)).filter(|id| !id.is_empty());
        let mut ids: Vec<WorkerId> = ids.map(WorkerId::new).collect();
        ids.sort_unstable();
        ids.dedup();
        Ok((next, ids))
    }

    async fn describe(&self, ids: &[WorkerId], whole: bool) -> CoordinationResult<Vec<ListedWorker>> {
        let mut workers = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(CHUNK) {
            let mut arguments = Arguments::of([question::flag(whole)]);
            arguments.keys.extend(chunk.iter().map(|id| self.keys.worker(id)));
            let answer = self.run(&script::DESCRIBE, arguments).await?;
            workers.extend(self.read("describe", described(answer, chunk))?.into_iter().flatten());
        }
        Ok(workers)
    }

    async fn incarnations(&self) -> CoordinationResult<Vec<Incarnation>> {
        let (mut scan, mut found) = (0, BTreeMap::new());
        loop {
            let mut command = redis::cmd("HSCAN");
            command.arg(self.keys.brokers()).arg(scan).arg("COUNT").arg(CHUNK);
            let answer = self.command(&command, "HSCAN").await?;
            let (next, fields) = self.read("HSCAN", scanned(answer))?;
            found.extend(fields.iter().step_by(2).map(|incarnation| (Incarnation::new(incarnation), ())));
            scan = next;
            if scan == 0 {
                return Ok(found.into_keys().collect());
            }
        }
    }
}

/// The next cursor, and what was found.
fn scanned(answer: Value) -> Option<(u64, Vec<String>)> {
    let mut parts = Parts::of(answer)?;
    // A cursor has 64 bits.
    let next = parts.text()?.parse().ok()?;
    let mut items = parts.parts()?;
    let mut found = Vec::with_capacity(items.left());
    while let Some(item) = items.value() {
        // A key that is not UTF-8 is none of ours; a field stays in its place.
        found.push(text(item).unwrap_or_default());
    }
    Some((next, found))
}

/// One a worker; `None` inside where there is no entry that can be read.
fn described(answer: Value, ids: &[WorkerId]) -> Option<Vec<Option<ListedWorker>>> {
    let mut parts = Parts::of(answer).filter(|parts| parts.left() == 2 * ids.len())?;
    let mut workers = Vec::with_capacity(ids.len());
    for id in ids {
        let (written, record) = (text(parts.value()?), text(parts.value()?));
        let mut worker = written.and_then(|written| entry::decode_listed(id.clone(), &written));
        if let Some((owner, broker)) = worker.as_mut().and_then(|worker| worker.owner.as_mut()) {
            *broker = record.and_then(|record| record::decode(owner.clone(), &record)).map(|record| record.broker);
        }
        workers.push(worker);
    }
    Some(workers)
}

fn brokers(answer: Value, incarnations: &[Incarnation]) -> Option<(ServerTime, Vec<ListedBroker>)> {
    let mut parts = Parts::of(answer).filter(|parts| parts.left() == 1 + 4 * incarnations.len())?;
    let now = parts.time()?;
    let mut brokers = Vec::with_capacity(incarnations.len());
    for incarnation in incarnations {
        let written = text(parts.value()?).unwrap_or_default();
        let (lease_expires, load, workers) = (parts.time()?, parts.number()?, parts.number()?);
        if let Some(record) = record::decode(incarnation.clone(), &written) {
            brokers.push(ListedBroker { member: Member { record, lease_expires, load }, workers });
        }
    }
    Some((now, brokers))
}

#[async_trait]
impl Inventory for RedisCoordinator {
    async fn list_brokers(&self) -> CoordinationResult<(ServerTime, Vec<ListedBroker>)> {
        let incarnations = self.client.incarnations().await?;
        let (mut latest, mut all) = (ServerTime(0), Vec::with_capacity(incarnations.len()));
        // Without a broker the answer still says what time it is.
        let chunks = incarnations.chunks(CHUNK).chain(incarnations.is_empty().then_some(&[][..]));
        for chunk in chunks {
            let mut arguments = Arguments::default();
            arguments.values.extend(chunk.iter().map(Incarnation::to_string));
            let answer = self.client.run(&script::BROKERS, arguments).await?;
            let (now, listed) = self.client.read("brokers", brokers(answer, chunk))?;
            latest = latest.max(now);
            all.extend(listed);
        }
        all.sort_by(|a, b| a.member.record.broker.cmp(&b.member.record.broker));
        Ok((latest, all))
    }

    async fn list_workers(
        &self,
        filter: &WorkerFilter,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> CoordinationResult<Option<WorkerPage>> {
        let server = self.client.commands.live()?.server.to_string();
        let mut position = Position { server, scan: 0, after: None };
        if let Some(cursor) = cursor {
            let Some(given) = Position::read(cursor) else { return Ok(None) };
            // The cursor of another server means nothing here: the list begins again.
            if given.server == position.server {
                position = given;
            }
        }
        let mut workers = Vec::new();
        for _ in 0..SCANS {
            let (next, mut ids) = self.client.scan_workers(position.scan).await?;
            if let Some(after) = position.after.take() {
                ids.retain(|id| id.as_str() > after.as_str());
            }
            for chunk in ids.chunks(CHUNK) {
                for worker in self.client.describe(chunk, false).await? {
                    if !filter.accepts(&worker) {
                        continue;
                    }
                    if workers.len() == limit {
                        return Ok(Some(WorkerPage { workers, cursor: Some(position.write()) }));
                    }
                    position.after = Some(worker.entry.id.to_string());
                    workers.push(worker);
                }
            }
            if next == 0 {
                return Ok(Some(WorkerPage { workers, cursor: None }));
            }
            position = Position { scan: next, after: None, ..position };
            if workers.len() == limit {
                break;
            }
        }
        Ok(Some(WorkerPage { workers, cursor: Some(position.write()) }))
    }

    async fn describe(&self, id: &WorkerId) -> CoordinationResult<Option<ListedWorker>> {
        Ok(self.client.describe(std::slice::from_ref(id), true).await?.pop())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_the_way_there_and_back() {
        for (scan, after) in [(0, None), (u64::MAX, Some("a:b:c")), (7, Some(""))] {
            let position = Position { server: "0af".into(), scan, after: after.map(str::to_owned) };
            let read = Position::read(&position.write()).expect("it is a cursor");
            assert_eq!((read.server, read.scan, read.after.as_deref()), ("0af".to_owned(), scan, after));
        }
        for text in ["", "x", "x:", "x:y", ":-1"] {
            assert!(Position::read(&Cursor(text.into())).is_none(), "{text}");
        }
    }

    #[test]
    fn a_pattern_matches_nothing_but_the_prefix() {
        assert_eq!(literal("{a*b?[c]\\^}:w:"), "{a\\*b\\?\\[c\\]\\\\\\^}:w:");
    }
}
