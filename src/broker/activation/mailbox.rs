//! What waits for a worker, bounded in number and bytes; whose turn it is at one that takes one message at a time.

use crate::broker::js::delivery::{Delivery, Origin};
use crate::clock::boot_millis;
use crate::ids::WorkerId;
use crate::limits::{WAITING_BYTES, WAITING_MESSAGES};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

/// Messages that one worker's mailbox holds at most while it takes none: `Worker.maxQueue`'s default.
pub(crate) const MAX_MAILBOX: usize = WAITING_MESSAGES;
/// Bytes that one worker's mailbox holds at most: as much as one peer's outbox.
const MAX_BYTES: usize = WAITING_BYTES;

/// The messages that wait for one worker, bounded in number and bytes.
#[derive(Default)]
pub struct Mailbox {
    queue: VecDeque<Delivery>,
    bytes: usize,
}

impl Mailbox {
    /// Gives the message back where it does not fit: `limit` messages at most, and no more bytes of one peer's than it
    /// may let wait in all mailboxes together.
    pub fn push(&mut self, mut delivery: Delivery, limit: usize) -> Option<Delivery> {
        let bytes = delivery.envelope.held_bytes();
        if self.queue.len() >= limit || self.bytes + bytes > MAX_BYTES {
            return Some(delivery);
        }
        if let Origin::Remote { connection, .. } = &delivery.origin {
            if !connection.reserve_waiting(bytes) {
                return Some(delivery);
            }
            delivery.envelope.detach();
        }
        self.bytes += bytes;
        self.queue.push_back(delivery);
        None
    }

    /// Puts a message in that was let in before: the limits do not count.
    pub fn put_back(&mut self, mut delivery: Delivery) {
        let bytes = delivery.envelope.held_bytes();
        if let Origin::Remote { connection, .. } = &delivery.origin {
            connection.add_waiting(bytes);
            delivery.envelope.detach();
        }
        self.bytes += bytes;
        self.queue.push_back(delivery);
    }

    pub fn pop(&mut self) -> Option<Delivery> {
        let delivery = self.queue.pop_front()?;
        let bytes = delivery.envelope.held_bytes();
        self.bytes -= bytes;
        if let Origin::Remote { connection, .. } = &delivery.origin {
            connection.release_waiting(bytes);
        }
        Some(delivery)
    }

    /// Everything, in order.
    pub fn take_all(&mut self) -> VecDeque<Delivery> {
        self.bytes = 0;
        std::mem::take(&mut self.queue)
    }

    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// The messages that come out first.
    pub fn first(&self, count: usize) -> impl Iterator<Item = &Delivery> {
        self.queue.iter().take(count)
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        while self.pop().is_some() {}
    }
}

/// The turns of a worker that takes one message at a time.
pub struct Turns {
    /// Messages that wait at most.
    pub max_queue: usize,
    /// The number of the message that it is at; 0: of none.
    pub current: u64,
    /// When that one began, on the local clock.
    began: u64,
    /// How long the last turn took, and how long a turn takes: the shorter of the last two, so that one long turn makes
    /// nobody believe that the next will be. ms
    took: u64,
    usual: u64,
}

impl Turns {
    pub fn new(max_queue: usize) -> Self {
        Self { max_queue, current: 0, began: 0, took: 0, usual: 0 }
    }

    /// This message is the worker's from now on. A tell gets its number here, an ask has one.
    pub fn begin(&mut self, delivery: &mut Delivery, last_inbound: &AtomicU64) {
        self.began = boot_millis();
        if delivery.inbound == 0 {
            delivery.inbound = last_inbound.fetch_add(1, Ordering::Relaxed) + 1;
        }
        delivery.turn = true;
        self.current = delivery.inbound;
    }

    /// The worker is done with the message of this number: its handler ended, or did not begin.
    pub fn end(&mut self, ended: u64, handled: bool) {
        if self.current != ended {
            return;
        }
        self.current = 0;
        if handled {
            let took = boot_millis().saturating_sub(self.began);
            self.usual = took.min(self.took);
            self.took = took;
        }
    }

    /// How long a turn takes, ms.
    pub fn usual(&self) -> u64 {
        self.usual
    }

    /// Whether the message that the worker is at waits for this one.
    pub fn is_waited_for(&self, worker: &WorkerId, delivery: &Delivery) -> bool {
        self.current > 0 && delivery.envelope.chain.holds(worker, self.current)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Epoch;
    use crate::wire::call_chain::Chain;
    use crate::wire::message::{Envelope, Payload};
    use bytes::Bytes;

    fn delivery(bytes: usize) -> Delivery {
        Delivery {
            handle: 1,
            inbound: 0,
            turn: false,
            origin: Origin::Local { slot: 0 },
            deadline: u64::MAX,
            envelope: Envelope {
                worker: WorkerId::new("w"),
                epoch: Epoch(1),
                sequence: 0,
                method: Bytes::new(),
                chain: Chain::EMPTY,
                payload: Payload::json(Bytes::from(vec![b' '; bytes])),
            },
        }
    }

    #[test]
    fn a_mailbox_is_limited_in_number_and_in_bytes_that_are_held() {
        let mut mailbox = Mailbox::default();
        assert!(mailbox.push(delivery(1), 2).is_none() && mailbox.push(delivery(1), 2).is_none());
        assert!(mailbox.push(delivery(1), 2).is_some());
        assert!(mailbox.bytes > 2 * 100, "a message takes more than its payload");
        let large = MAX_BYTES / 4;
        assert!(mailbox.push(delivery(large), 100).is_none());
        assert!(mailbox.push(delivery(large), 100).is_some(), "its buffer may have twice its length");
        while mailbox.pop().is_some() {}
        assert_eq!((mailbox.bytes, mailbox.is_empty()), (0, true));
        mailbox.put_back(delivery(MAX_BYTES));
        assert!(!mailbox.is_empty());
    }
}
