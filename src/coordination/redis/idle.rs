//! Idle workers' entries on the server.

use super::answer;
use super::client::Client;
use super::script::{self, Arguments};
use crate::coordination::{CoordinationResult, Sleep, Slept, CHUNK};
use crate::ids::Incarnation;

impl Client {
    pub(super) async fn sleep(&self, owner: &Incarnation, sleeps: &[Sleep]) -> CoordinationResult<Vec<Slept>> {
        let mut done = Vec::with_capacity(sleeps.len());
        for chunk in sleeps.chunks(CHUNK) {
            let mut arguments = Arguments::of([owner.to_string()]).key(self.keys.own(owner));
            for sleep in chunk {
                arguments.values.extend([sleep.id.to_string(), sleep.epoch.to_string()]);
            }
            let answer = self.run(&script::SLEEP, arguments).await?;
            done.extend(self.read("sleep", answer::slept(answer, chunk.len()))?);
        }
        Ok(done)
    }
}
