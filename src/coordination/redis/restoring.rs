//! What brokers put back on a server that lost it.

use super::answer;
use super::client::Client;
use super::question;
use super::reply;
use super::schema;
use super::script::{self, Arguments};
use crate::coordination::{Announcement, CoordinationResult, Held, Joined, Registration, Restoration};
use crate::ids::Incarnation;

impl Client {
    pub(super) async fn announce(&self, announcement: &Announcement) -> CoordinationResult<Registration> {
        let answer = self.run(&script::ANNOUNCE, question::announce(announcement)).await?;
        match self.read("announce", answer::registered(answer))? {
            Ok(registration) => Ok(registration),
            Err(version) => Err(schema::foreign_version(self, &version)),
        }
    }

    pub(super) async fn restore(&self, owner: &Incarnation, held: &[Held]) -> CoordinationResult<Restoration> {
        let mut done = Vec::with_capacity(held.len());
        let mut left = held;
        while !left.is_empty() {
            let (chunk, rest) = left.split_at(question::restorable(left));
            left = rest;
            let mut arguments = Arguments::of([owner.to_string()]).key(self.keys.own(owner));
            chunk.iter().for_each(|held| arguments.values.extend(question::restore(owner, held)));
            let answer = self.run(&script::RESTORE, arguments).await?;
            match self.read("restore", answer::restored(answer, chunk.len()))? {
                Some(stand) => done.extend(stand),
                None => return Ok(Restoration::NotMember),
            }
        }
        Ok(Restoration::Restored(done))
    }

    pub(super) async fn settle(&self, owner: &Incarnation, joined: &Joined) -> CoordinationResult<bool> {
        let arguments = Arguments::of([owner.to_string(), joined.server.to_string(), joined.generation.clone()]);
        let answer = self.run(&script::SETTLE, arguments).await?;
        self.read("settle", reply::number(answer)).map(|number| number == 1)
    }
}
