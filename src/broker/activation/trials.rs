//! Suspects: workers whose owners died shortly after they were activated. This broker tries one at a time.
//!
//! A trial ends when the event loop has gone on for a moment after `onCreate`, or when the worker goes. A suspect that has
//! passed such a trial before and whose owner died nevertheless is tried for as long as a death would count against it.

use crate::broker::context::shared::Context;
use crate::broker::js::delivery::Handle;
use crate::broker::js::event::Event;
use crate::broker::membership::members::Members;
use crate::coordination::history::{FREE_RETURNS, SUSPECT, YOUNG};
use crate::coordination::Entry;
use crate::error::{Code, Failure};
use crate::ids::{ClassName, WorkerId};
use crate::level::Level;
use crate::lock::lock;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;

/// The suspects that this broker tries, one at a time.
pub struct Trials {
    pub(super) context: Arc<Context>,
    pub(super) members: Arc<Members>,
    running: Mutex<HashMap<Handle, ClassName>>,
    /// A trial ended.
    ended: Notify,
}

impl Trials {
    pub(super) fn new(context: &Arc<Context>, members: &Arc<Members>) -> Arc<Self> {
        Arc::new(Self {
            context: context.clone(),
            members: members.clone(),
            running: Mutex::default(),
            ended: Notify::new(),
        })
    }

    /// Whether this broker may take another suspect.
    pub fn are_over(&self) -> bool {
        lock(&self.running).is_empty()
    }

    /// Waits until a trial ends.
    pub async fn ended(&self) {
        self.ended.notified().await;
    }

    /// A worker begins to live here: a suspect's trial begins, and a troubled past is warned of.
    pub fn judge_past(self: &Arc<Self>, handle: Handle, entry: &Entry) {
        let history = entry.history;
        if history.returns > FREE_RETURNS {
            let (returns, wait) = (history.returns, history.wait() / 1000);
            let text = format!(
                "handed itself over {returns} times in a row, each within {} s of its activation",
                YOUNG / 1000
            );
            self.context.log(
                Level::Warn,
                format!("Worker \"{}\" {text}; it was recovered after a wait of {wait} s.", entry.id),
            );
        }
        if !history.is_suspect() {
            return;
        }
        let text = format!("its process ended {} times shortly after the worker was activated", history.deaths);
        self.context.log(Level::Warn, format!("Worker \"{}\" is recovered alone: {text}.", entry.id));
        lock(&self.running).insert(handle, entry.class.clone());
        let trials = self.clone();
        self.context.spawn("trial", async move {
            tokio::time::sleep(Duration::from_millis(YOUNG)).await;
            trials.end_trial(handle);
        });
    }

    /// `onCreate` of this worker ended. What it left behind in the event loop comes before the event that is sent here.
    pub fn created_on_trial(&self, handle: Handle, deaths: u32) {
        if deaths == SUSPECT && lock(&self.running).contains_key(&handle) {
            self.context.inbox.push(Event::Trial { handle });
        }
    }

    /// The trial of this worker is over, if it was on trial.
    pub fn end_trial(&self, handle: Handle) {
        let ended = lock(&self.running).remove(&handle);
        if let Some(class) = ended {
            // Also where none waits: the registry is told so.
            self.members.claim(class);
            self.ended.notify_one();
        }
    }

    /// Frees a quarantined worker; answers under `slot` with `true`, or `false` where it is not held back.
    pub fn pardon(self: &Arc<Self>, slot: u64, id: WorkerId) {
        let trials = self.clone();
        self.context.operate("pardon", slot, async move {
            match trials.context.coordinator.pardon(&id).await {
                Ok(freed) => Event::done_json(slot, freed.to_string()),
                Err(error) => Event::failed(slot, Failure::new(Code::Redis, error.to_string())),
            }
        });
    }
}
