//! Who waits until a worker is there, and what they are told.

use crate::broker::activation::catalog::{Activated, Creator, Requester, State};
use crate::broker::activation::workers::Workers;
use crate::broker::output::gate::Output;
use crate::error::{Code, Failure, Outcome};
use crate::ids::WorkerId;
use crate::lock::lock;
use crate::wire::message::Message;
use bytes::Bytes;
use std::sync::Arc;

/// Answers those who wait until a worker is there.
pub struct Creators {
    pub(super) output: Arc<Output>,
    pub(super) workers: Arc<Workers>,
}

impl Creators {
    pub(super) fn new(workers: &Arc<Workers>) -> Arc<Self> {
        Arc::new(Self { output: workers.output.clone(), workers: workers.clone() })
    }

    /// Waits with those who wait for a resident's creation; one that is there already is answered at once.
    pub fn join_creators(&self, worker: &WorkerId, creator: Creator) {
        let mut residents = lock(&self.workers.residents);
        let result = match residents.by_id_mut(worker.as_str()) {
            Some((_, resident)) if resident.waits_for_creator(&creator.chain) => {
                let text = format!("The call would wait for itself: {} → createWorker \"{worker}\".", creator.chain);
                Err(Failure::new(Code::Cycle, text))
            }
            Some((_, resident)) if resident.state == State::Activating || resident.making.confirming => {
                resident.making.creators.push(creator);
                return;
            }
            Some((_, resident)) if resident.state == State::Active => Ok(Activated::default()),
            Some((_, resident)) => {
                resident.making.late_creators.push(creator);
                return;
            }
            None => Err(Failure::new(Code::WorkerNotFound, format!("The worker \"{worker}\" is not here any more."))),
        };
        drop(residents);
        self.tell_creators(vec![creator], &result);
    }

    pub fn tell_creators(&self, creators: Vec<Creator>, result: &Outcome<Activated>) {
        for Creator { requester, .. } in creators {
            match requester {
                // Nobody waits any more: it timed out.
                Requester::Internal(sender) => drop(sender.send(result.clone())),
                Requester::Remote { place, call, .. } => {
                    let message = match result {
                        Ok(activated) => Message::Reply { call, payload: activated.payload() },
                        Err(failure) => Message::Failure {
                            call,
                            code: failure.code,
                            message: Bytes::copy_from_slice(failure.message.as_bytes()),
                            body: failure.body.clone(),
                        },
                    };
                    self.output.reply_to(place.connection(), &message);
                }
            }
        }
    }
}
