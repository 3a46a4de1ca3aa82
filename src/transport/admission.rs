//! How many peers may stand at the door unproven: at a limit the one that came first goes.

use super::lock;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;

/// Who shares one limit: an IPv4 address, or an IPv6 network of 64 bits (whoever has one address there has them all).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Group(IpAddr);

impl From<IpAddr> for Group {
    fn from(address: IpAddr) -> Self {
        Group(match address.to_canonical() {
            IpAddr::V6(v6) if !v6.is_loopback() => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
            other => other,
        })
    }
}

struct Waiting {
    number: u64,
    group: Group,
    /// Dropped: this peer has to go.
    _stay: oneshot::Sender<()>,
}

#[derive(Default)]
struct Queue {
    next: u64,
    /// In order of arrival.
    waiting: Vec<Waiting>,
}

pub(super) struct Admission {
    total: usize,
    per_address: usize,
    queue: Arc<Mutex<Queue>>,
}

impl Admission {
    pub(crate) fn new(total: usize, per_address: usize) -> Self {
        Self { total, per_address, queue: Arc::default() }
    }

    /// Lets a peer wait. The receiver fires when it has to go for a newer one.
    pub(crate) fn admit(&self, address: IpAddr) -> (Ticket, oneshot::Receiver<()>) {
        let group = Group::from(address);
        let (stay, leave) = oneshot::channel();
        let mut queue = lock(&self.queue);
        let same = queue.waiting.iter().filter(|peer| peer.group == group).count();
        let oldest = if same >= self.per_address {
            queue.waiting.iter().position(|peer| peer.group == group)
        } else {
            (queue.waiting.len() >= self.total && !queue.waiting.is_empty()).then_some(0)
        };
        if let Some(index) = oldest {
            queue.waiting.remove(index);
        }
        let number = queue.next;
        queue.next += 1;
        queue.waiting.push(Waiting { number, group, _stay: stay });
        (Ticket { number, queue: self.queue.clone() }, leave)
    }
}

/// The place of one peer at the door; dropped when it is proven or gone.
pub(super) struct Ticket {
    number: u64,
    queue: Arc<Mutex<Queue>>,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        lock(&self.queue).waiting.retain(|peer| peer.number != self.number);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_oldest_of_an_address_goes_for_its_ninth() {
        let admission = Admission::new(64, 8);
        let (_other, mut other_leaves) = admission.admit(address("10.0.0.2"));
        let mut peers: Vec<_> = (0..8).map(|_| admission.admit(address("10.0.0.1"))).collect();
        assert!(peers.iter_mut().all(|(_, leave)| leave.try_recv() == Err(oneshot::error::TryRecvError::Empty)));
        let _ninth = admission.admit(address("10.0.0.1"));
        assert_eq!(peers[0].1.try_recv(), Err(oneshot::error::TryRecvError::Closed));
        assert_eq!(peers[1].1.try_recv(), Err(oneshot::error::TryRecvError::Empty));
        assert_eq!(other_leaves.try_recv(), Err(oneshot::error::TryRecvError::Empty));
    }

    #[test]
    fn the_oldest_of_all_goes_for_the_sixty_fifth() {
        let admission = Admission::new(64, 8);
        let mut peers: Vec<_> = (0..64u8).map(|n| admission.admit(IpAddr::from([10, 0, 0, n]))).collect();
        let _last = admission.admit(address("10.1.0.0"));
        assert_eq!(peers[0].1.try_recv(), Err(oneshot::error::TryRecvError::Closed));
        assert_eq!(peers[1].1.try_recv(), Err(oneshot::error::TryRecvError::Empty));
    }

    #[test]
    fn a_proven_peer_makes_room() {
        let admission = Admission::new(2, 1);
        let (ticket, _) = admission.admit(address("10.0.0.1"));
        drop(ticket);
        let (_ticket, mut leave) = admission.admit(address("10.0.0.1"));
        let _other = admission.admit(address("10.0.0.2"));
        assert_eq!(leave.try_recv(), Err(oneshot::error::TryRecvError::Empty));
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address_and_a_mapped_ipv4_as_itself() {
        assert_eq!(Group::from(address("2001:db8::1")), Group::from(address("2001:db8::ffff:2")));
        assert_ne!(Group::from(address("2001:db8::1")), Group::from(address("2001:db8:0:1::1")));
        assert_eq!(Group::from(address("::ffff:10.0.0.1")), Group::from(address("10.0.0.1")));
    }
}
