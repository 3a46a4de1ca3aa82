//! The names of keys and channels: the only place that builds one (scripts add to the prefix what they find out).
//!
//! All keys of a namespace carry one hash tag, so that a script's keys stand in one slot of a Redis Cluster.
//!
//! | key | what |
//! | --- | --- |
//! | `{ns}:meta` | hash: `schema`, `generation`, `server` (the one agreed on), `secret`, `epoch` (highest), `restart`, `n:<class>` (counters), `left:<incarnation>` (loads of what an incarnation without record owns), `version` (of the members), `horizon` (of the last departure that was forgotten), `hinted` (when it was last told that workers were claimed while more of them waited, ms); after a wipe `was:<generation>` (the ones before); while some are awaited `healing` (until when at the latest, ms), `patience` (ms) |
//! | `{ns}:awaited` | hash: incarnation → 1 awaited, 0 it has put back everything. Only while `healing` |
//! | `{ns}:leases` | zset: incarnation → expiry in ms of the server's clock |
//! | `{ns}:brokers` | hash: incarnation → record ([`super::redis`] writes it) |
//! | `{ns}:changes` | zset: incarnation → version of the members at which it came or last changed its record |
//! | `{ns}:departed` | zset: incarnation:dead or incarnation:left → version of the members at which it went. The last 1 000, none while nobody is a member |
//! | `{ns}:hosts:<cluster>:<class>` | zset: incarnation → load, as in `load`, of the brokers that host the class and are not draining |
//! | `{ns}:sums` | hash: cluster:class → the sum of the loads in `hosts:<cluster>:<class>`, absent = 0 |
//! | `{ns}:ids` | hash: broker id → the incarnation that has it, its lease valid or expired |
//! | `{ns}:load:<cluster>` | zset: incarnation → load, reservations included |
//! | `{ns}:w:<worker id>` | text: state, cause (0: no activation has ended well yet), recoverable, epoch, load, created (ms), activated (ms), attempt (activations since the last one that ended well), deaths and returns (`history.rs`), owner, class, cluster, attributes (`lua/entry.lua` says where) |
//! | `{ns}:own:<incarnation>` | zset: worker id → created |
//! | `{ns}:dead` | hash: incarnation → fate (`lua/salvage.lua`). Gone while workers of it are left |
//! | `{ns}:trials` | hash: incarnation → the suspect that it activated last (`lua/trial.lua`) |
//! | `{ns}:pending:<cluster>:<class>` | zset: worker id → created. One a class, so that a claim touches only what its claimer hosts |
//! | `{ns}:timers:<cluster>:<class>` | zset: worker id → when its next timer is due (ms): workers that are asleep (`lua/timers.lua`) |
//! | `{ns}:later:<cluster>:<class>` | zset: worker id → when it may be claimed (ms): suspects, and workers that came back by themselves too often |
//!
//! Names of namespaces, clusters and classes are escaped; incarnations are hex, worker ids come last: no two things share a key.

use crate::ids::{ClassName, ClusterName, Incarnation, WorkerId};
use std::fmt::Write;

/// What a connection that listens subscribes to.
#[derive(Clone, Debug)]
pub struct Channels {
    /// Heard all the time.
    pub heard: String,
    alive: String,
}

impl Channels {
    /// The channel on which only this incarnation listens.
    pub fn alive(&self, incarnation: &Incarnation) -> String {
        format!("{}{incarnation}", self.alive)
    }
    /// The incarnation whose channel this is.
    pub fn alive_incarnation(&self, channel: &str) -> Option<Incarnation> {
        channel.strip_prefix(&self.alive).map(Incarnation::new)
    }
}

/// The names of one namespace in one database.
#[derive(Clone, Debug)]
pub struct Keys {
    prefix: String,
    hints: String,
    db: u32,
    old_brokers: String,
}

impl Keys {
    /// Pub/sub ignores the database, so the channels carry its number.
    pub fn new(namespace: &str, db: u32) -> Self {
        let prefix = format!("{{{}}}:", escape(namespace));
        Self { hints: format!("{prefix}hints:{db}"), db, old_brokers: format!("{namespace}:bh"), prefix }
    }
    /// What every key begins with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
    pub fn meta(&self) -> String {
        format!("{}meta", self.prefix)
    }
    pub fn leases(&self) -> String {
        format!("{}leases", self.prefix)
    }
    pub fn brokers(&self) -> String {
        format!("{}brokers", self.prefix)
    }
    pub fn worker(&self, id: &WorkerId) -> String {
        format!("{}w:{id}", self.prefix)
    }
    pub fn own(&self, owner: &Incarnation) -> String {
        format!("{}own:{owner}", self.prefix)
    }
    pub fn pending(&self, cluster: &ClusterName, class: &ClassName) -> String {
        format!("{}pending:{}:{}", self.prefix, escape(cluster.as_str()), escape(class.as_str()))
    }
    /// Of the pending ones those that wait for their time, and suspects.
    pub fn later(&self, cluster: &ClusterName, class: &ClassName) -> String {
        format!("{}later:{}:{}", self.prefix, escape(cluster.as_str()), escape(class.as_str()))
    }
    /// Workers that are asleep, by their next timers.
    pub fn timers(&self, cluster: &ClusterName, class: &ClassName) -> String {
        format!("{}timers:{}:{}", self.prefix, escape(cluster.as_str()), escape(class.as_str()))
    }
    /// The channel of hints.
    pub fn hints(&self) -> &str {
        &self.hints
    }
    /// What a broker listens to: the hints, and its own channel.
    pub fn signal_channels(&self) -> Channels {
        Channels { heard: self.hints.clone(), alive: format!("{}alive:{}:", self.prefix, self.db) }
    }
    /// What a lease's thread listens to: nothing that is ever said, and its own channel.
    pub fn lease_channels(&self) -> Channels {
        Channels {
            heard: format!("{}lease:{}", self.prefix, self.db),
            alive: format!("{}lease:{}:", self.prefix, self.db),
        }
    }
    /// Where dworker 0.9 keeps its brokers.
    pub fn old_brokers(&self) -> &str {
        &self.old_brokers
    }
}

/// Bytes that separate names in keys and records, hash-tag braces, and the escape itself.
fn is_special(byte: u8) -> bool {
    byte < 0x20 || matches!(byte, b'%' | b':' | b',' | b'{' | b'}')
}

/// Replaces what separates names by `%XX`; [`unescape`] undoes it.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match u8::try_from(character) {
            Ok(byte) if is_special(byte) => {
                let _ = write!(out, "%{byte:02X}");
            }
            _ => out.push(character),
        }
    }
    out
}

/// The text before [`escape`]; `None` when it is none that `escape` writes.
pub fn unescape(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut out = String::with_capacity(text.len());
    out.push_str(parts.next()?);
    for part in parts {
        let byte = u8::from_str_radix(part.get(..2)?, 16).ok()?;
        out.push(char::from(byte));
        out.push_str(&part[2..]);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaping_is_undone_and_leaves_no_separator() {
        for text in ["", "main", "a:b", "50%", "{x}", ",,", "tab\tnew\nline\0", "größe漢字", "%3A"] {
            let escaped = escape(text);
            assert!(!escaped.contains([':', ',', '{', '}', '\n']), "{escaped}");
            assert_eq!(unescape(&escaped).as_deref(), Some(text));
        }
        assert_eq!(unescape("%"), None);
        assert_eq!(unescape("%zz"), None);
        assert_eq!(unescape("%é"), None);
    }

    #[test]
    fn namespaces_never_share_keys_or_hash_tags() {
        let plain = Keys::new("a", 0);
        let tricky = Keys::new("a}:w:x", 0);
        assert_eq!(plain.meta(), "{a}:meta");
        assert!(!tricky.meta().starts_with(plain.prefix()));
        assert!(Keys::new("}", 0).prefix().starts_with("{%7D}"));
    }

    #[test]
    fn clusters_and_classes_never_share_a_pending_key() {
        let keys = Keys::new("dw", 0);
        assert_ne!(keys.pending(&"a:b".into(), &"c".into()), keys.pending(&"a".into(), &"b:c".into()));
    }

    #[test]
    fn channels_carry_the_database_and_the_incarnation() {
        let (zero, one) = (Keys::new("dw", 0), Keys::new("dw", 1));
        let incarnation = Incarnation::random();
        assert_ne!(zero.hints(), one.hints());
        let (signals, lease, other) = (zero.signal_channels(), zero.lease_channels(), one.signal_channels());
        assert_eq!(signals.alive_incarnation(&signals.alive(&incarnation)), Some(incarnation.clone()));
        assert_eq!(lease.alive_incarnation(&lease.alive(&incarnation)), Some(incarnation.clone()));
        assert_eq!(other.alive_incarnation(&signals.alive(&incarnation)), None);
        assert_eq!(signals.alive_incarnation(&lease.alive(&incarnation)), None);
        assert_eq!(signals.alive_incarnation(zero.hints()), None);
        assert_eq!(lease.alive_incarnation(&lease.heard), None);
    }
}
