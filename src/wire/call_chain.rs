//! Who waits for an ask or a creation: the workers whose handlers, `onCreate` or `onDestroy` led to it, so that one that is asked
//! again can tell.
//!
//! A link that says which turn waits refers to a worker that takes one message at a time. The links of parallel workers block
//! nothing. They are there so that an error can name every hop, and go first where a chain is too long.

use crate::ids::{Epoch, WorkerId};
use std::fmt;
use std::sync::Arc;

/// Workers that a chain names at most: what nests deeper is a mistake that its deadline ends.
pub const MAX_LINKS: usize = 64;
/// Links of several chains that are looked at when they become one: what exceeds a chain's own limits is dropped after that.
const MAX_MERGED: usize = 4 * MAX_LINKS;
/// Bytes that a chain takes in a frame at most.
pub const MAX_CHAIN_BYTES: usize = 4096;
/// Turn, and the length of the worker's id.
pub(super) const LINK_BYTES: usize = 10;

/// The turn of a worker that takes other messages meanwhile.
const THROUGH: u64 = 0;
/// Set in the turn of a worker that is in `onCreate` or `onDestroy`; the rest of it is the epoch. Numbers of messages and epochs (µs)
/// never get that far.
const STEP: u64 = 1 << 63;
/// Set beside [`STEP`] where it is `onDestroy`.
const ENDING: u64 = 1 << 62;

/// A worker, and what of it waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    pub worker: WorkerId,
    /// The worker's broker numbers turns: a worker that has gone on to another one does not wait any more.
    pub turn: u64,
}

impl Link {
    /// A handler of a worker that takes other messages meanwhile.
    pub fn through(worker: WorkerId) -> Self {
        Self { worker, turn: THROUGH }
    }

    /// `onCreate` of this activation.
    pub fn creating(worker: WorkerId, epoch: Epoch) -> Self {
        Self { worker, turn: STEP | epoch.0 }
    }

    /// `onDestroy` of this activation.
    pub fn ending(worker: WorkerId, epoch: Epoch) -> Self {
        Self { worker, turn: STEP | ENDING | epoch.0 }
    }

    fn is_ending(&self) -> bool {
        self.turn & (STEP | ENDING) == STEP | ENDING
    }

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
        let mut links: Vec<Link> = self.links().iter().cloned().chain([link]).collect();
        if links.len() > MAX_LINKS || links.iter().map(Link::bytes).sum::<usize>() > MAX_CHAIN_BYTES {
            links.retain(|link| link.turn != THROUGH);
        }
        Self::new(links)
    }

    /// The workers of all of these wait. Each link is named once, in the order in which it comes first.
    pub fn merged<'a>(chains: impl IntoIterator<Item = &'a Chain>) -> Self {
        let mut links: Vec<Link> = Vec::new();
        for link in chains.into_iter().flat_map(Chain::links) {
            if links.len() == MAX_MERGED {
                break;
            }
            if !links.contains(link) {
                links.push(link.clone());
            }
        }
        Self::new(links)
    }

    /// Whether `onCreate` or `onDestroy` of this activation waits.
    pub fn waits_in_step(&self, worker: &WorkerId, epoch: Epoch) -> bool {
        self.holds(worker, STEP | epoch.0) || self.holds(worker, STEP | ENDING | epoch.0)
    }

    /// Whether an `onDestroy` waits.
    pub fn has_ending(&self) -> bool {
        self.links().iter().any(Link::is_ending)
    }

    pub fn links(&self) -> &[Link] {
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Whether a handler of this worker waits that takes other messages meanwhile.
    pub fn passes_through(&self, worker: &WorkerId) -> bool {
        self.holds(worker, THROUGH)
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
            let step = match link.turn {
                turn if turn & STEP == 0 => "",
                _ if link.is_ending() => " (onDestroy)",
                _ => " (onCreate)",
            };
            write!(f, "{arrow}\"{}\"{step}", link.worker)?;
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
    fn a_chain_says_who_waits_in_which_step_and_names_every_hop() {
        let (a, b, c) = (WorkerId::new("a"), WorkerId::new("b"), WorkerId::new("c"));
        let creating = Chain::EMPTY.with(Link::creating(a.clone(), Epoch(7))).with(Link::through(b.clone()));
        assert!(creating.waits_in_step(&a, Epoch(7)) && !creating.waits_in_step(&a, Epoch(8)));
        assert!(!creating.waits_in_step(&b, Epoch(7)) && !creating.has_ending());
        assert!(creating.passes_through(&b) && !creating.passes_through(&a), "only b takes other messages meanwhile");
        assert!(Chain::EMPTY.is_empty() && !creating.is_empty());
        let ending = creating.with(Link::ending(c.clone(), Epoch(9)));
        assert!(ending.waits_in_step(&c, Epoch(9)) && ending.has_ending());
        assert_eq!(ending.to_string(), "\"a\" (onCreate) → \"b\" → \"c\" (onDestroy)");
    }

    #[test]
    fn of_several_chains_each_link_is_named_once() {
        let shared = Chain::EMPTY.with(link("a", 1));
        let chains = [shared.with(link("b", 2)), Chain::EMPTY, shared.with(link("c", 3))];
        assert_eq!(Chain::merged(&chains).to_string(), "\"a\" → \"b\" → \"c\"");
        assert!(Chain::merged(&[]).is_empty());
        let many: Vec<Chain> = (0..1000).map(|turn| Chain::EMPTY.with(link("a", turn))).collect();
        assert!(Chain::merged(&many).links().len() <= MAX_LINKS);
    }

    #[test]
    fn links_that_block_nothing_go_first() {
        let mut chain = Chain::EMPTY.with(link("a", 1));
        for _ in 0..3 * MAX_LINKS {
            chain = chain.with(Link::through(WorkerId::new("b")));
        }
        assert!(chain.holds(&WorkerId::new("a"), 1) && chain.links().len() <= MAX_LINKS);
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

    #[test]
    fn a_chain_at_its_limits_forgets_nothing_and_one_beyond_them_forgets_the_links_that_block_nothing() {
        let through = |name: String| Link::through(WorkerId::new(name));
        let first = Chain::EMPTY.with(link("a", 1));
        let full = (1..MAX_LINKS).fold(first, |chain, number| chain.with(through(format!("p{number}"))));
        assert_eq!(full.links().len(), MAX_LINKS);
        assert_eq!(full.with(link("b", 2)).to_string(), "\"a\" → \"b\"");
        // As many links of this length fill a chain to its last byte.
        let count = 8;
        let name = "x".repeat(MAX_CHAIN_BYTES / count - LINK_BYTES);
        let first = Chain::EMPTY.with(link(&name, 1)).with(through(name.clone()));
        let full = (2..count as u64).fold(first, |chain, turn| chain.with(link(&name, turn)));
        assert_eq!((full.bytes(), full.links().len()), (MAX_CHAIN_BYTES, count));
        let beyond = full.with(link("b", 9));
        assert!(beyond.holds(&WorkerId::new(&name), 1) && !beyond.passes_through(&WorkerId::new(&name)));
        assert_eq!(beyond.links().len(), count);
    }
}
