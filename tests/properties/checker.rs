//! What must hold of everything that is seen, whoever implements it.

use super::operation::{Answer, Operation};
use super::world::View;
use dworker::coordination::*;
use dworker::ids::*;
use std::collections::{BTreeMap, BTreeSet};

/// Knows every answer, those that the brokers never got included.
#[derive(Clone, Default)]
pub struct Checker {
    loads: BTreeMap<WorkerId, u64>,
    epochs: BTreeMap<WorkerId, Epoch>,
    highest: Epoch,
    restarts: u64,
    /// The highest n of each class that was given out or announced.
    counters: BTreeMap<ClassName, u64>,
    /// Ids that may exist.
    pub ids: BTreeSet<WorkerId>,
}

impl Checker {
    /// Everything is gone: nothing that was said before counts.
    pub fn wipe(&mut self) {
        *self = Self { ids: std::mem::take(&mut self.ids), ..Self::default() };
    }

    /// What was said since is forgotten.
    pub fn roll_back(&mut self, to: &Self) {
        let mut ids = std::mem::take(&mut self.ids);
        ids.extend(to.ids.iter().cloned());
        *self = Self { ids, ..to.clone() };
    }

    pub fn note(&mut self, operation: &Operation, answer: &Answer) {
        match (operation, answer) {
            (Operation::Signals(inner), answer) => self.note(inner, answer),
            (Operation::Place(request), Answer::Placement(Placement::Reserved { id, epoch, .. })) => {
                self.activated(id, *epoch);
                if request.id.is_none() {
                    let (class, n) = numbered(id).expect("placement counts");
                    let highest = self.counters.entry(class).or_default();
                    assert!(n > *highest, "{id} may have been given out before: {highest} was");
                    *highest = n;
                }
            }
            (Operation::Announce(announcement), Answer::Registration(Registration::Joined(joined))) => {
                self.highest = self.highest.max(announcement.epoch);
                self.restarts = self.restarts.max(announcement.restart_number);
                assert_eq!(joined.restart_number, self.restarts);
                for (class, n) in &announcement.counters {
                    let highest = self.counters.entry(class.clone()).or_default();
                    *highest = (*highest).max(*n);
                }
            }
            (Operation::Restore(_, held), Answer::Restoration(Restoration::Restored(stand))) => {
                for (held, stands) in held.iter().zip(stand) {
                    self.highest = self.highest.max(held.entry.epoch);
                    if *stands {
                        self.epochs.insert(held.entry.id.clone(), held.entry.epoch);
                        self.loads.insert(held.entry.id.clone(), held.load.min(MAX_LOAD));
                        self.ids.insert(held.entry.id.clone());
                    }
                }
            }
            (_, Answer::Claim(Claim::Claimed { entries, .. })) => {
                for entry in entries {
                    self.activated(&entry.id, entry.epoch);
                }
            }
            (Operation::SetLoad(_, changes), Answer::Flags(set)) => {
                for (change, _) in changes.iter().zip(set).filter(|(_, set)| **set) {
                    self.loads.insert(change.id.clone(), change.load.min(MAX_LOAD));
                }
            }
            (_, Answer::Number(number)) => {
                self.restarts += 1;
                assert_eq!(*number, self.restarts, "a restart was not counted");
            }
            _ => {}
        }
    }

    fn activated(&mut self, id: &WorkerId, epoch: Epoch) {
        assert!(epoch > self.highest, "epoch {epoch} of {id} after {}", self.highest);
        self.highest = epoch;
        self.epochs.insert(id.clone(), epoch);
        self.loads.insert(id.clone(), RESERVED_LOAD);
        self.ids.insert(id.clone());
    }

    /// Own sets = entries, one owner an id, load = sum, epochs as they were given.
    pub fn check(&mut self, view: &View) {
        let mut owners: BTreeMap<&WorkerId, (&Incarnation, Epoch)> = BTreeMap::new();
        let mut sums: BTreeMap<&Incarnation, u64> = BTreeMap::new();
        for (owner, workers) in &view.holdings {
            for Owned { id, epoch, .. } in workers {
                let other = owners.insert(id, (owner, *epoch));
                assert_eq!(other, None, "{id} has two owners: {owner} is one");
                *sums.entry(owner).or_default() += self.loads.get(id).copied().unwrap_or_default();
            }
        }
        for (id, place) in &view.places {
            let held = owners.remove(id);
            match place {
                Location::Owned { owner, epoch, .. } => {
                    assert_eq!(held, Some((&owner.incarnation, *epoch)), "{id} stands elsewhere than under its owner");
                    assert_eq!(self.epochs.get(id), Some(epoch), "{id} has an epoch that nobody was given");
                }
                Location::Asleep { .. }
                | Location::Pending { .. }
                | Location::Suspected { .. }
                | Location::Quarantined { .. } => {
                    assert_eq!(held, None, "{id} waits and has an owner");
                }
                Location::None | Location::Unsettled => assert_eq!(held, None, "{id} is gone and has an owner"),
            }
        }
        assert!(owners.is_empty(), "owned, but never placed: {owners:?}");
        let members = &view.membership.members;
        for member in members {
            let sum = sums.get(&member.record.incarnation).copied().unwrap_or_default();
            assert_eq!(member.load, sum, "load of {}", member.record.incarnation);
        }
        assert!(
            members.windows(2).all(|pair| pair[0].record.incarnation < pair[1].record.incarnation),
            "members out of order"
        );
        for (id, place) in &view.places {
            if let Location::Owned { owner, .. } = place {
                let member = members.iter().find(|member| member.record.incarnation == owner.incarnation);
                let address = member.map(|member| member.record.address.clone());
                assert_eq!(owner.address, address, "address of the owner of {id}");
            }
        }
        assert_eq!(view.membership.restart_number, self.restarts);
        self.ids = view
            .places
            .iter()
            .filter(|(_, place)| !matches!(place, Location::None | Location::Unsettled))
            .map(|(id, _)| id.clone())
            .collect();
    }
}
