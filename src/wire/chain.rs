//! Who waits for an ask: the turn-based workers whose handlers led to it, so that one that is asked again can tell.

use crate::ids::WorkerId;
use std::fmt;
use std::sync::Arc;

/// Workers that a chain names at most: what nests deeper is a mistake that its deadline ends.
pub const MAX_LINKS: usize = 64;
/// Bytes that a chain takes in a frame at most.
pub const MAX_CHAIN_BYTES: usize = 4096;
/// Turn, and the length of the worker's id.
pub(super) const LINK_BYTES: usize = 10;

/// A worker that takes one message at a time, and the message that it is at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    pub worker: WorkerId,
    /// The worker's broker numbers turns: a worker that has gone on to another one does not wait any more.
    pub turn: u64,
}

impl Link {
    fn bytes(&self) -> usize {
        LINK_BYTES + self.worker.as_str().len()
    }
}

/// See the module. Mostly empty, which costs nothing.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Chain(Option<Arc<Vec<Link>>>);

impl Chain {
    pub const EMPTY: Chain = Chain(None);

    /// Keeps to the limits: the oldest links go first.
    pub fn new(links: Vec<Link>) -> Self {
        let mut bytes = 0;
        let fit = links.iter().rev().take(MAX_LINKS).take_while(|link| {
            bytes += link.bytes();
            bytes <= MAX_CHAIN_BYTES
        });
        let first = links.len() - fit.count();
        if first == links.len() {
            return Self::EMPTY;
        }
        Self(Some(Arc::new(links.into_iter().skip(first).collect())))
    }

    /// One worker more waits.
    pub fn with(&self, link: Link) -> Self {
        Self::new(self.links().iter().cloned().chain([link]).collect())
    }

    pub fn links(&self) -> &[Link] {
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Whether this worker waits in that turn.
    pub fn holds(&self, worker: &WorkerId, turn: u64) -> bool {
        self.links().iter().any(|link| link.turn == turn && link.worker == *worker)
    }

    /// What it takes in a frame.
    pub(super) fn bytes(&self) -> usize {
        self.links().iter().map(Link::bytes).sum()
    }
}

/// `"a" → "b"`
impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, link) in self.links().iter().enumerate() {
            let arrow = if index > 0 { " → " } else { "" };
            write!(f, "{arrow}\"{}\"", link.worker)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(worker: &str, turn: u64) -> Link {
        Link { worker: WorkerId::new(worker), turn }
    }

    #[test]
    fn a_worker_waits_in_the_turn_that_led_here_and_in_no_other() {
        let chain = Chain::EMPTY.with(link("a", 1)).with(link("b", 2));
        assert!(chain.holds(&WorkerId::new("a"), 1));
        assert!(!chain.holds(&WorkerId::new("a"), 2));
        assert_eq!(chain.to_string(), "\"a\" → \"b\"");
    }

    #[test]
    fn a_chain_beyond_its_limits_forgets_its_beginning() {
        let mut chain = Chain::EMPTY;
        for turn in 0..=MAX_LINKS as u64 {
            chain = chain.with(link("a", turn));
        }
        assert_eq!(chain.links().len(), MAX_LINKS);
        assert_eq!(chain.links()[0].turn, 1);
        let long = "x".repeat(512);
        for turn in 0..20 {
            chain = chain.with(link(&long, turn));
            assert!(chain.bytes() <= MAX_CHAIN_BYTES);
        }
        assert_eq!(chain.links().len(), MAX_CHAIN_BYTES / (512 + LINK_BYTES));
    }
}
