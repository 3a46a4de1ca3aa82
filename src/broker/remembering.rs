//! What this broker remembers of the namespace, for a coordinator that may forget it. Pure.

use crate::coordination::{Joined, Member};
use crate::ids::{numbered, ClassName, Epoch, Incarnation, ServerId, WorkerId};
use std::collections::HashMap;

/// The database that this incarnation has put itself into.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Home {
    generation: String,
    server: ServerId,
}

/// See the module.
#[derive(Default)]
pub struct Remembered {
    /// `None` before the first registration.
    home: Option<Home>,
    /// The namespace's, the newest first; the others may still be in use somewhere.
    pub secrets: Vec<String>,
    pub restart_number: u64,
    /// The highest epoch that was seen.
    pub epoch: Epoch,
    /// The highest n of `Class#n` that was seen of each class.
    counters: HashMap<ClassName, u64>,
    /// The members at the last look at a database that was whole.
    pub members: Vec<Member>,
}

impl Remembered {
    /// This database has everything that this broker knows of.
    pub fn settled_in(&mut self, joined: &Joined) {
        self.home = Some(Home { generation: joined.generation.clone(), server: joined.server.clone() });
        self.replace_secret(&joined.secret);
        self.restart_number = self.restart_number.max(joined.restart_number);
    }

    /// `false`: it is the one that was known.
    pub fn replace_secret(&mut self, secret: &str) -> bool {
        let other = self.secrets.first().is_none_or(|known| known != secret);
        if other {
            self.secrets.retain(|known| known != secret);
            self.secrets.insert(0, secret.to_owned());
        }
        other
    }

    /// Unless another came since.
    pub fn forget_secrets_before(&mut self, secret: &str) {
        if self.secrets.first().is_some_and(|known| known == secret) {
            self.secrets.truncate(1);
        }
    }

    pub fn generation(&self) -> &str {
        self.home.as_ref().map_or("", |home| &home.generation)
    }

    pub fn is_server(&self, server: &ServerId) -> bool {
        self.home.as_ref().is_some_and(|home| home.server == *server)
    }

    /// Whether this is the database that everything was put into.
    pub fn is_home(&self, generation: &str, server: &ServerId) -> bool {
        self.is_server(server) && self.generation() == generation
    }

    /// This id stands, or stood, under this epoch.
    pub fn saw(&mut self, id: &WorkerId, epoch: Epoch) {
        self.epoch = self.epoch.max(epoch);
        if let Some((class, n)) = numbered(id) {
            let highest = self.counters.entry(class).or_default();
            *highest = n.max(*highest);
        }
    }

    pub fn counters(&self) -> Vec<(ClassName, u64)> {
        self.counters.iter().map(|(class, n)| (class.clone(), *n)).collect()
    }

    /// A look at a database that may not be whole: who is missing may be on the way.
    pub fn met(&mut self, members: &[Member]) {
        for member in members {
            match self.members.iter_mut().find(|known| known.record.incarnation == member.record.incarnation) {
                Some(known) => *known = member.clone(),
                None => self.members.push(member.clone()),
            }
        }
    }

    /// A look at a whole one: who of the others went since the last.
    pub fn look(&mut self, members: &[Member]) -> Vec<Member> {
        let before = std::mem::replace(&mut self.members, members.to_vec());
        let gone = |member: &Member| !members.iter().any(|other| other.record.incarnation == member.record.incarnation);
        before.into_iter().filter(gone).collect()
    }

    /// `false`: it was not known (any more).
    pub fn forget(&mut self, incarnation: &Incarnation) -> Option<Member> {
        let place = self.members.iter().position(|member| member.record.incarnation == *incarnation)?;
        Some(self.members.swap_remove(place))
    }
}
