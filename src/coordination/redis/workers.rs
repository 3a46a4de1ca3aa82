//! Workers' entries on the server.

use super::answer::{self, Found};
use super::client::Client;
use super::question::{self, fate, flag, millis};
use super::reply;
use super::script::{self, Arguments};
use super::stored;
use crate::coordination::{
    Activation, Claim, ClaimRequest, Commit, Committed, CoordinationResult, Erasure, LoadChange, Location, Owned,
    Release, CHUNK, MAX_LOAD, RESERVED_LOAD,
};
use crate::ids::{Epoch, Incarnation, WorkerId};
use tracing::warn;

impl Client {
    pub(super) async fn activate(&self, owner: &Incarnation, ids: &[WorkerId]) -> CoordinationResult<Activation> {
        let mut entries = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(CHUNK) {
            let mut arguments = Arguments::of([owner.to_string()]);
            arguments.keys.extend(chunk.iter().map(|id| self.keys.worker(id)));
            let answer = self.run(&script::ACTIVATE, arguments).await?;
            let Some(found) = self.read("activate", answer::activated(answer, chunk))? else {
                return Ok(Activation::Unsettled);
            };
            let mut unreadable = Vec::new();
            for (id, found) in chunk.iter().zip(found) {
                if found == Found::Unreadable {
                    unreadable.push(id.clone());
                }
                entries.push(if let Found::Entry(entry) = found { Some(entry) } else { None });
            }
            self.discard(owner, unreadable).await?;
        }
        Ok(Activation::Answers(entries))
    }

    pub(super) async fn confirm(
        &self,
        owner: &Incarnation,
        activations: &[(WorkerId, Epoch)],
    ) -> CoordinationResult<Vec<bool>> {
        let mut done = Vec::with_capacity(activations.len());
        for chunk in activations.chunks(CHUNK) {
            let mut arguments = Arguments::of([owner.to_string()]);
            for (id, epoch) in chunk {
                arguments.keys.push(self.keys.worker(id));
                arguments.values.push(epoch.to_string());
            }
            let answer = self.run(&script::CONFIRM, arguments).await?;
            done.extend(self.read("confirm", reply::flags(answer, chunk.len()))?);
        }
        Ok(done)
    }

    pub(super) async fn release(&self, owner: &Incarnation, releases: &[Release]) -> CoordinationResult<Vec<bool>> {
        let mut done = Vec::with_capacity(releases.len());
        for chunk in releases.chunks(CHUNK) {
            let mut arguments = Arguments::of([owner.to_string()]).key(self.keys.own(owner));
            for release in chunk {
                let (id, epoch) = (release.id.to_string(), release.epoch.to_string());
                arguments.values.extend([id, epoch, fate(release.fate)]);
            }
            let answer = self.run(&script::RELEASE, arguments).await?;
            done.extend(self.read("release", reply::flags(answer, chunk.len()))?);
        }
        Ok(done)
    }

    pub(super) async fn withdraw(&self, owner: &Incarnation, id: &WorkerId, epoch: Epoch) -> CoordinationResult<bool> {
        let arguments = Arguments::of([owner.to_string(), epoch.to_string(), id.to_string()])
            .key(self.keys.own(owner))
            .key(self.keys.worker(id));
        let answer = self.run(&script::WITHDRAW, arguments).await?;
        self.read("withdraw", reply::number(answer)).map(|number| number == 1)
    }

    pub(super) async fn set_load(&self, owner: &Incarnation, changes: &[LoadChange]) -> CoordinationResult<Vec<bool>> {
        let mut done = Vec::with_capacity(changes.len());
        for chunk in changes.chunks(CHUNK) {
            let mut arguments = Arguments::of([owner.to_string()]);
            for change in chunk {
                arguments.keys.push(self.keys.worker(&change.id));
                arguments.values.extend([change.epoch.to_string(), change.load.min(MAX_LOAD).to_string()]);
            }
            let answer = self.run(&script::SET_LOAD, arguments).await?;
            done.extend(self.read("set_load", reply::flags(answer, chunk.len()))?);
        }
        Ok(done)
    }

    pub(super) async fn locate(&self, id: &WorkerId) -> CoordinationResult<Location> {
        let answer = self.run(&script::LOCATE, Arguments::default().key(self.keys.worker(id))).await?;
        answer::location(answer).ok_or_else(|| self.unreadable(&self.keys.worker(id)))
    }

    pub(super) async fn claim(&self, request: &ClaimRequest) -> CoordinationResult<Claim> {
        let mut arguments = Arguments::of([
            request.by.to_string(),
            request.limit.min(CHUNK).to_string(),
            millis(request.ttl),
            CHUNK.to_string(),
            RESERVED_LOAD.to_string(),
            request.overflow.to_string(),
            flag(request.trial_over),
        ])
        .key(self.keys.own(&request.by));
        for class in &request.classes {
            let keys = &self.keys;
            arguments.keys.extend([keys.pending(&request.cluster, class), keys.later(&request.cluster, class)]);
        }
        let answer = self.run(&script::CLAIM, arguments).await?;
        let (claim, unreadable) = self.read("claim", answer::claim(answer))?;
        self.discard(&request.by, unreadable).await?;
        Ok(claim)
    }

    pub(super) async fn pardon(&self, id: &WorkerId) -> CoordinationResult<bool> {
        let arguments = Arguments::of([id.to_string()]).key(self.keys.worker(id));
        let answer = self.run(&script::PARDON, arguments).await?;
        self.read("pardon", reply::number(answer)).map(|number| number == 1)
    }

    pub(super) async fn commit(&self, owner: &Incarnation, commits: &[Commit]) -> CoordinationResult<Vec<Committed>> {
        let mut done = Vec::with_capacity(commits.len());
        let mut left = commits;
        while !left.is_empty() {
            let (chunk, rest) = left.split_at(question::storable(left));
            left = rest;
            let mut arguments = Arguments::of([owner.to_string()]);
            for commit in chunk {
                arguments.keys.push(self.keys.worker(&commit.id));
                let (epoch, revision) = (commit.epoch.to_string(), commit.data.revision.to_string());
                arguments.values.extend([epoch, revision, commit.id.to_string(), stored::encode(commit)]);
            }
            let answer = self.run(&script::COMMIT, arguments).await?;
            done.extend(self.read("commit", answer::committed(answer, chunk.len()))?);
        }
        Ok(done)
    }

    pub(super) async fn erase(&self, id: &WorkerId, epoch: Option<Epoch>) -> CoordinationResult<Erasure> {
        let epoch = epoch.map_or_else(String::new, |epoch| epoch.to_string());
        let arguments = Arguments::of([id.to_string(), epoch]).key(self.keys.worker(id));
        let answer = self.run(&script::ERASE, arguments).await?;
        self.read("erase", answer::erasure(answer))
    }

    pub(super) async fn owned(
        &self,
        owner: &Incarnation,
        offset: usize,
        limit: usize,
    ) -> CoordinationResult<Vec<Owned>> {
        if limit == 0 {
            return self.commands.live().map(|_| Vec::new());
        }
        let arguments = Arguments::of([owner.to_string(), offset.to_string(), limit.min(CHUNK).to_string()]);
        let answer = self.run(&script::OWNED, arguments.key(self.keys.own(owner))).await?;
        self.read("owned", answer::owned(answer))
    }

    /// Deletes entries of this owner that cannot be read: other programs wrote them.
    async fn discard(&self, owner: &Incarnation, ids: Vec<WorkerId>) -> CoordinationResult<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let mut arguments = Arguments::of([owner.to_string()]).key(self.keys.own(owner));
        for id in &ids {
            warn!(key = self.keys.worker(id), "an entry cannot be read: another program wrote it; it is deleted");
            arguments.values.extend([id.to_string(), String::new(), flag(false)]);
        }
        self.run(&script::RELEASE, arguments).await.map(drop)
    }
}
