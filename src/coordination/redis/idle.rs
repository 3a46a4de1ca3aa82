//! Idle workers' entries on the server.

use super::answer;
use super::client::Client;
use super::script::{self, Arguments};
use crate::coordination::keys::escape;
use crate::coordination::{CoordinationResult, Ring, RingRequest, Sleep, Slept, CHUNK};
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

    pub(super) async fn ring(&self, request: &RingRequest) -> CoordinationResult<Ring> {
        let mut arguments = Arguments::of([request.by.to_string(), request.limit.min(CHUNK).to_string()]);
        for class in &request.classes {
            arguments.keys.push(self.keys.timers(&request.cluster, class));
            arguments.values.push(format!("{}:{}", escape(request.cluster.as_str()), escape(class.as_str())));
        }
        let answer = self.run(&script::RING, arguments).await?;
        self.read("ring", answer::ring(answer, request.classes.len()))
    }
}
