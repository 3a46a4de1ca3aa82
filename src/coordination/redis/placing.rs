//! Placements that are asked for at the same time go to the server together, one batch after the other, which saves
//! both sides a command each: a fifth more creates a second (`npm run bench -- --only creates`, 64 in flight).

use super::answer;
use super::client::Client;
use super::question::{self, SCRIPT_BYTES};
use super::script::{self, Arguments};
use crate::coordination::{CoordinationError, CoordinationResult, PlaceRequest, Placement, CHUNK, RESERVED_LOAD};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use tokio::sync::oneshot;

/// Placements in one script, which take up to 37 µs where one goes alone; Redis serves nobody meanwhile.
const AT_ONCE: usize = 32;

/// `None`: the counter went past ids that are taken, ask again.
type Answer = CoordinationResult<Option<Placement>>;

struct Waiting {
    request: PlaceRequest,
    answer: oneshot::Sender<Answer>,
}

/// See the module.
#[derive(Default)]
pub(super) struct Placements {
    waiting: Mutex<VecDeque<Waiting>>,
    /// Held by who asks for a batch.
    turn: tokio::sync::Mutex<()>,
}

impl Placements {
    pub(super) async fn place(&self, client: &Client, request: &PlaceRequest) -> CoordinationResult<Placement> {
        loop {
            if let Some(placement) = self.ask(client, request).await? {
                return Ok(placement);
            }
        }
    }

    fn with_waiting<T>(&self, work: impl FnOnce(&mut VecDeque<Waiting>) -> T) -> T {
        work(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until somebody asked for this one too, or does so.
    async fn ask(&self, client: &Client, request: &PlaceRequest) -> Answer {
        let (sender, mut receiver) = oneshot::channel();
        self.with_waiting(|waiting| waiting.push_back(Waiting { request: request.clone(), answer: sender }));
        loop {
            tokio::select! {
                biased;
                answer = &mut receiver => return answer.unwrap_or_else(|_| Err(given_up())),
                _turn = self.turn.lock() => self.ask_for_next(client).await,
            }
        }
    }

    async fn ask_for_next(&self, client: &Client) {
        let batch = self.with_waiting(next);
        if batch.is_empty() {
            return;
        }
        let mut arguments = Arguments::of([RESERVED_LOAD.to_string(), CHUNK.to_string()]);
        batch.iter().for_each(|waiting| arguments.values.extend(question::place(&waiting.request)));
        let placed = client.run(&script::PLACE, arguments).await;
        match placed.and_then(|answer| client.read("place", answer::placed(answer, batch.len()))) {
            Ok(placements) => batch.into_iter().zip(placements).for_each(|(waiting, placement)| {
                let _ = waiting.answer.send(placement.ok_or_else(|| unreadable(client, &waiting.request)));
            }),
            Err(error) => batch.into_iter().for_each(|waiting| {
                let _ = waiting.answer.send(Err(error.clone()));
            }),
        }
    }
}

/// What goes together, without those that nobody waits for any more.
fn next(waiting: &mut VecDeque<Waiting>) -> Vec<Waiting> {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while let Some(first) = waiting.front() {
        bytes += first.request.attributes.len();
        if batch.len() == AT_ONCE || (bytes > SCRIPT_BYTES && !batch.is_empty()) {
            break;
        }
        batch.extend(waiting.pop_front().filter(|waiting| !waiting.answer.is_closed()));
    }
    batch
}

/// What stands under the id was written by another program. Nothing was changed: its owner may be alive.
fn unreadable(client: &Client, request: &PlaceRequest) -> CoordinationError {
    let key = request.id.as_ref().map_or_else(|| client.keys.meta(), |id| client.keys.worker(id));
    client.unreadable(&key)
}

/// Who asked was cut off in the midst of it.
fn given_up() -> CoordinationError {
    CoordinationError::Unavailable("The placement was abandoned before Redis answered".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn waiting(attributes: usize) -> (Waiting, oneshot::Receiver<Answer>) {
        let request = PlaceRequest {
            purpose: Default::default(),
            exclude: Vec::new(),
            by: "a".into(),
            id: None,
            class: "C".into(),
            cluster: "main".into(),
            recoverable: false,
            attributes: "x".repeat(attributes),
            ttl: Duration::ZERO,
        };
        let (answer, receiver) = oneshot::channel();
        (Waiting { request, answer }, receiver)
    }

    fn sizes(attributes: &[usize]) -> Vec<usize> {
        let (mut queue, _receivers): (VecDeque<_>, Vec<_>) = attributes.iter().map(|bytes| waiting(*bytes)).unzip();
        std::iter::from_fn(|| Some(next(&mut queue).len()).filter(|count| *count > 0)).collect()
    }

    #[test]
    fn a_batch_is_limited_in_number_and_bytes_and_a_large_one_goes_alone() {
        assert_eq!(sizes(&[1; 70]), [32, 32, 6]);
        assert_eq!(sizes(&[SCRIPT_BYTES - 1, 1, 1]), [2, 1]);
        assert_eq!(sizes(&[SCRIPT_BYTES + 1, SCRIPT_BYTES + 1, 1]), [1, 1, 1]);
    }

    #[test]
    fn who_waits_no_more_is_not_placed() {
        let ((one, receiver), (two, _kept)) = (waiting(1), waiting(2));
        drop(receiver);
        let batch = next(&mut VecDeque::from([one, two]));
        assert_eq!(batch.iter().map(|waiting| waiting.request.attributes.len()).collect::<Vec<_>>(), [2]);
    }
}
