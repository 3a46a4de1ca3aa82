//! Whom a broker watches: its neighbours, who it talks to, and who fell silent.

use crate::broker::membership::death::Sign;
use crate::broker::membership::heartbeat::{Watch, PING};
use crate::broker::membership::ranking::Members;
use crate::coordination::BrokerRecord;
use crate::error::Code;
use crate::ids::{Endpoint, Incarnation};
use crate::lock::lock;
use crate::transport::ConnectError;
use std::collections::HashMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

/// Incarnations that each broker watches: with two, a death is seen also when one watcher dies with it.
const NEIGHBOURS: usize = 2;

/// The members that come after `own` in the order of incarnations, around the end.
fn neighbours<'a>(members: &'a Members, own: &'a Incarnation) -> impl Iterator<Item = &'a BrokerRecord> {
    let after = members.range::<Incarnation, _>((Excluded(own), Unbounded));
    let around = members.range::<Incarnation, _>(..own);
    after.chain(around).map(|(_, record)| record).take(NEIGHBOURS)
}

impl Watch {
    /// Keeps a connection to everybody who is to be watched, as long as the life goes on.
    pub async fn keep_watch(self: Arc<Self>) {
        loop {
            // What broke without a death, or could not be reached, is tried again.
            let _ = tokio::time::timeout(PING, self.members.changes.watch_wanted()).await;
            let wanted = self.to_watch();
            self.drop_unwanted(&wanted);
            for (incarnation, address) in wanted {
                self.watch_peer(incarnation, address);
            }
        }
    }

    /// Neighbours, whom messages go to, and who fell silent, with their addresses.
    fn to_watch(&self) -> HashMap<Incarnation, Endpoint> {
        let remembered = lock(&self.members.remembered);
        let members = &remembered.members;
        let mut wanted: HashMap<_, _> = neighbours(members, &self.context.incarnation)
            .map(|record| (record.incarnation.clone(), record.address.clone()))
            .collect();
        for incarnation in self.members.peers.silent_members(|incarnation| members.contains_key(incarnation)) {
            let address = members.get(&incarnation).map(|record| record.address.clone());
            wanted.extend(address.map(|address| (incarnation, address)));
        }
        drop(remembered);
        for (incarnation, target) in self.members.peers.targets() {
            wanted.entry(incarnation).or_insert(target);
        }
        wanted
    }

    /// Those that this broker made and needs no more; the other side sees to its own.
    fn drop_unwanted(&self, wanted: &HashMap<Incarnation, Endpoint>) {
        for connection in self.members.peers.take_unwanted(|incarnation| wanted.contains_key(incarnation)) {
            connection.close(Code::Unreachable, "nobody talks any more");
        }
    }

    fn watch_peer(self: &Arc<Self>, incarnation: Incarnation, address: Endpoint) {
        if !self.members.peers.begin_dialing(&incarnation) {
            return;
        }
        let watch = self.clone();
        self.context.spawn("control connection", async move {
            let dialed = match watch.members.transports.connect_control(&address, &incarnation).await {
                Some(dialed) => dialed.map(drop),
                None => Ok(()),
            };
            watch.members.peers.end_dialing(&incarnation);
            match dialed {
                // It is well, and says so, or the reason is on this side: nobody is dead here.
                Ok(())
                | Err(
                    ConnectError::Unauthorized(_)
                    | ConnectError::PeerFull
                    | ConnectError::Full(_)
                    | ConnectError::NoDescriptor
                    | ConnectError::Closed,
                ) => {}
                Err(error) => {
                    let connection = watch.members.peers.last_connection(&incarnation);
                    if let Some(connection) = connection.filter(|_| error == ConnectError::Timeout) {
                        watch.lose(&connection);
                    }
                    // It died between the look and now, or it cannot be reached from here: a proof tells which.
                    watch.deaths.suspect(&incarnation, Sign::Unreachable);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn record(incarnation: &str) -> BrokerRecord {
        BrokerRecord {
            incarnation: incarnation.into(),
            broker: incarnation.into(),
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

    fn members(names: &[&str]) -> Members {
        names.iter().map(|name| ((*name).into(), record(name))).collect()
    }

    #[test]
    fn everybody_is_watched_by_two_others_where_there_are_three_or_more() {
        let names = ["d", "a", "c", "b"];
        let all = members(&names);
        let mut watchers = HashMap::new();
        for name in names {
            for watched in neighbours(&all, &name.into()) {
                assert_ne!(watched.incarnation.as_str(), name);
                *watchers.entry(watched.incarnation.to_string()).or_insert(0) += 1;
            }
        }
        assert_eq!(watchers.len(), 4);
        assert!(watchers.values().all(|count| *count == 2), "{watchers:?}");
        assert_eq!(neighbours(&members(&["d"]), &"d".into()).count(), 0);
        assert_eq!(neighbours(&members(&["d", "a"]), &"d".into()).count(), 1);
    }
}
