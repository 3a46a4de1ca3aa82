//! What this broker remembers of the namespace, for a coordinator that may forget it. Pure.

use crate::broker::membership::ranking::Members;
use crate::coordination::{BrokerRecord, Departure, Joined, Known, Look};
use crate::ids::{numbered, ClassName, Epoch, Incarnation, ServerId, WorkerId};
use std::collections::HashMap;

/// The database that this incarnation has put itself into.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Home {
    generation: String,
    server: ServerId,
}

impl Home {
    fn of(joined: &Joined) -> Self {
        Self { generation: joined.generation.clone(), server: joined.server.clone() }
    }
}

/// What this broker knows of the namespace: its members, secrets, epochs and counters. Pure.
#[derive(Default)]
pub(crate) struct Remembered {
    /// `None` before the first registration.
    home: Option<Home>,
    /// The database into which it is being restored, announced before the lease of the one before ran out.
    restoring: Option<Home>,
    /// The namespace's, the newest first; the others may still be in use somewhere.
    pub secrets: Vec<String>,
    pub restart_number: u64,
    /// The highest epoch that was seen.
    pub epoch: Epoch,
    /// The highest n of `Class#n` that was seen of each class.
    counters: HashMap<ClassName, u64>,
    /// The members as the last looks and deaths left them.
    pub members: Members,
    /// The last whole state of the members that was read; `None`: none yet.
    known: Option<Known>,
    /// Who was found dead while a look may have been under way that saw it alive, each with its number in that order.
    buried: Vec<(u64, Incarnation)>,
    burials: u64,
}

impl Remembered {
    /// This database has everything that this broker knows of.
    pub(crate) fn settled_in(&mut self, joined: &Joined) {
        self.home = Some(Home::of(joined));
        self.restoring = None;
        self.replace_secret(&joined.secret);
        self.restart_number = self.restart_number.max(joined.restart_number);
    }

    /// `false`: it is the one that was known.
    pub(crate) fn replace_secret(&mut self, secret: &str) -> bool {
        let other = self.secrets.first().is_none_or(|known| known != secret);
        if other {
            self.secrets.retain(|known| known != secret);
            self.secrets.insert(0, secret.to_owned());
        }
        other
    }

    /// Unless another came since.
    pub(crate) fn forget_secrets_before(&mut self, secret: &str) {
        if self.secrets.first().is_some_and(|known| known == secret) {
            self.secrets.truncate(1);
        }
    }

    pub(crate) fn generation(&self) -> &str {
        self.home.as_ref().map_or("", |home| &home.generation)
    }

    /// This incarnation has announced itself there, and restores its workers now.
    pub(crate) fn restores_into(&mut self, joined: &Joined) {
        self.restoring = Some(Home::of(joined));
    }

    pub(crate) fn is_restored_into(&self, generation: &str, server: &ServerId) -> bool {
        self.restoring.as_ref().is_some_and(|home| home.generation == generation && home.server == *server)
    }

    pub(crate) fn is_server(&self, server: &ServerId) -> bool {
        self.home.as_ref().is_some_and(|home| home.server == *server)
    }

    /// Whether this is the database that everything was put into.
    pub(crate) fn is_home(&self, generation: &str, server: &ServerId) -> bool {
        self.is_server(server) && self.generation() == generation
    }

    /// This id stands, or stood, under this epoch.
    pub(crate) fn saw(&mut self, id: &WorkerId, epoch: Epoch) {
        self.epoch = self.epoch.max(epoch);
        if let Some((class, n)) = numbered(id) {
            let highest = self.counters.entry(class).or_default();
            *highest = n.max(*highest);
        }
    }

    pub(crate) fn counters(&self) -> Vec<(ClassName, u64)> {
        self.counters.iter().map(|(class, n)| (class.clone(), *n)).collect()
    }

    /// What the next look is compared with, and the number that [`Remembered::take_in`] gets with its answer.
    pub(crate) fn begin_look(&self) -> (Option<Known>, u64) {
        (self.known.clone(), self.burials)
    }

    /// A look: which of the others went since the last, and how. `None`: the database may not be whole, so who is missing may
    /// be on the way.
    pub(crate) fn take_in(&mut self, look: &Look, stamp: u64) -> Option<Vec<(BrokerRecord, Departure)>> {
        self.restart_number = self.restart_number.max(look.restart_number);
        self.buried.retain(|(number, _)| *number > stamp);
        let whole = look.settled && self.is_home(&look.known.generation, &look.known.server);
        let changes = &look.changes;
        let mut gone = Vec::new();
        if whole && changes.complete {
            let stays = |record: &BrokerRecord| {
                changes.records.binary_search_by(|other| other.incarnation.cmp(&record.incarnation)).is_ok()
            };
            // Departed so long ago that the coordinator does not remember how; or never came to this database, although
            // it was awaited.
            let unknown = if self.knows_state_of(&look.known) { Departure::Left } else { Departure::Dead };
            let how = |record: &BrokerRecord| {
                let found = changes.departed.iter().find(|(incarnation, _)| *incarnation == record.incarnation);
                found.map_or(unknown, |(_, departure)| *departure)
            };
            let missing: Vec<_> = self.members.values().filter(|record| !stays(record)).cloned().collect();
            for record in missing {
                self.members.remove(&record.incarnation);
                gone.push((record.clone(), how(&record)));
            }
        } else if whole {
            for (incarnation, departure) in &changes.departed {
                gone.extend(self.members.remove(incarnation).map(|record| (record, *departure)));
            }
        }
        let alive =
            changes.records.iter().filter(|record| !self.buried.iter().any(|(_, dead)| *dead == record.incarnation));
        self.members.extend(alive.map(|record| (record.incarnation.clone(), record.clone())));
        if whole {
            self.known = Some(look.known.clone());
        }
        whole.then_some(gone)
    }

    /// Whether the members are known as they were in this database.
    fn knows_state_of(&self, state: &Known) -> bool {
        self.known.as_ref().is_some_and(|known| known.generation == state.generation && known.server == state.server)
    }

    /// It was found dead; `None`: it was not known (any more).
    pub(crate) fn bury(&mut self, incarnation: &Incarnation) -> Option<BrokerRecord> {
        self.burials += 1;
        self.buried.push((self.burials, incarnation.clone()));
        self.members.remove(incarnation)
    }

    /// A change from one state of the members to the next was taken in without a look.
    pub(crate) fn advance(&mut self, before: u64, version: u64) {
        if let Some(known) = self.known.as_mut().filter(|known| known.version == before) {
            known.version = version;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coordination::Changes;
    use crate::ids::{Endpoint, ServerTime};
    use std::time::Duration;

    fn record(name: &str) -> BrokerRecord {
        BrokerRecord {
            incarnation: name.into(),
            broker: name.into(),
            cluster: "main".into(),
            address: Endpoint { host: "h".into(), port: 1 },
            classes: Default::default(),
            protocol: (1, 1),
            lease_ttl: Duration::from_secs(5),
            strict: false,
            draining: false,
            process: Default::default(),
        }
    }

    fn look(version: u64, complete: bool, records: &[&str], departed: &[(&str, Departure)]) -> Look {
        Look {
            now: ServerTime(0),
            known: Known { generation: "g".into(), server: ServerId::new("s"), version },
            changes: Changes {
                complete,
                records: records.iter().map(|name| record(name)).collect(),
                departed: departed.iter().map(|(name, how)| ((*name).into(), *how)).collect(),
            },
            overdue: Vec::new(),
            claimable: 0,
            load: 0,
            record: None,
            restart_number: 0,
            settled: true,
            unsalvaged: Vec::new(),
        }
    }

    fn at_home() -> Remembered {
        let home = Home { generation: "g".into(), server: ServerId::new("s") };
        Remembered { home: Some(home), ..Remembered::default() }
    }

    fn take_in(remembered: &mut Remembered, look: &Look) -> Option<Vec<(String, Departure)>> {
        let (_, stamp) = remembered.begin_look();
        let gone = remembered.take_in(look, stamp)?;
        Some(gone.into_iter().map(|(record, how)| (record.incarnation.to_string(), how)).collect())
    }

    fn names(remembered: &Remembered) -> Vec<&str> {
        remembered.members.keys().map(Incarnation::as_str).collect()
    }

    #[test]
    fn changes_are_taken_in_one_after_the_other() {
        let mut remembered = at_home();
        assert_eq!(take_in(&mut remembered, &look(1, true, &["a", "b"], &[])), Some(vec![]));
        let gone = take_in(&mut remembered, &look(3, false, &["c"], &[("a", Departure::Dead), ("x", Departure::Dead)]));
        assert_eq!(gone, Some(vec![("a".into(), Departure::Dead)]));
        assert_eq!(names(&remembered), ["b", "c"]);
        assert_eq!(remembered.begin_look().0.map(|known| known.version), Some(3));
        let gone = take_in(&mut remembered, &look(9, true, &["d"], &[("b", Departure::Dead)]));
        assert_eq!(gone, Some(vec![("b".into(), Departure::Dead), ("c".into(), Departure::Left)]));
    }

    #[test]
    fn who_is_missing_where_the_database_is_not_whole_is_not_gone() {
        let mut remembered = at_home();
        take_in(&mut remembered, &look(1, true, &["a"], &[]));
        let unsettled = Look { settled: false, ..look(2, true, &["b"], &[("a", Departure::Dead)]) };
        assert_eq!(take_in(&mut remembered, &unsettled), None);
        assert_eq!(names(&remembered), ["a", "b"]);
        assert_eq!(remembered.begin_look().0.map(|known| known.version), Some(1), "the departures are asked for again");
        let settled = look(3, false, &[], &[("a", Departure::Dead)]);
        assert_eq!(take_in(&mut remembered, &settled), Some(vec![("a".into(), Departure::Dead)]));
    }

    #[test]
    fn who_was_awaited_in_another_database_and_did_not_come_is_dead() {
        let mut remembered = at_home();
        take_in(&mut remembered, &look(1, true, &["a", "b", "c", "d"], &[]));
        let joined = Joined {
            now: ServerTime(0),
            lease_expires: ServerTime(0),
            restart_number: 0,
            generation: "h".into(),
            secret: "s".into(),
            server: ServerId::new("s"),
        };
        let of_new = |look: Look| Look { known: Known { generation: "h".into(), ..look.known.clone() }, ..look };
        let unsettled = Look { settled: false, ..of_new(look(2, true, &["a"], &[])) };
        assert_eq!(take_in(&mut remembered, &unsettled), None);
        remembered.settled_in(&joined);
        let settled = of_new(look(4, true, &["a"], &[("b", Departure::Left), ("c", Departure::Dead)]));
        let gone = [("b", Departure::Left), ("c", Departure::Dead), ("d", Departure::Dead)];
        let gone = gone.map(|(name, how)| (name.to_string(), how)).to_vec();
        assert_eq!(take_in(&mut remembered, &settled), Some(gone));
    }

    #[test]
    fn a_look_that_was_under_way_revives_nobody_who_was_buried_meanwhile() {
        let mut remembered = at_home();
        take_in(&mut remembered, &look(1, true, &["a", "b"], &[]));
        let (_, stamp) = remembered.begin_look();
        assert!(remembered.bury(&"b".into()).is_some());
        assert!(remembered.bury(&"b".into()).is_none(), "only once");
        assert_eq!(remembered.take_in(&look(1, true, &["a", "b"], &[]), stamp).map(|gone| gone.len()), Some(0));
        assert_eq!(names(&remembered), ["a"]);
        // The next look began later: what it sees counts.
        take_in(&mut remembered, &look(3, false, &["b"], &[]));
        assert_eq!(names(&remembered), ["a", "b"]);
    }

    #[test]
    fn a_death_that_was_heard_of_needs_no_look() {
        let mut remembered = at_home();
        take_in(&mut remembered, &look(5, true, &["a", "b"], &[]));
        remembered.advance(4, 7);
        assert_eq!(remembered.begin_look().0.map(|known| known.version), Some(5), "something else changed too");
        remembered.advance(5, 7);
        assert_eq!(remembered.begin_look().0.map(|known| known.version), Some(7));
    }
}
