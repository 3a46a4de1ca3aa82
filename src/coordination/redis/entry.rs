//! How a worker's entry is written: one text, which `lua/entry.lua` describes.
//!
//! The head has a fixed form, so that a script changes it in place: whatever the attributes are, they are written once.

use super::reply::MAX_NUMBER;
use crate::coordination::history::History;
use crate::coordination::keys::{escape, unescape};
use crate::coordination::{
    Cause, Entry, EntryState, Held, Lasting, ListedWorker, Loaded, Owned, WorkerState, MAX_LOAD,
};
use crate::ids::{ClassName, ClusterName, Epoch, Incarnation, ServerTime, WorkerId};

/// Letters before the names.
const HEAD: usize = 102;
/// What 13 digits can be.
const MAX_TIME: u64 = 9_999_999_999_999;
const MAX_ATTEMPTS: u32 = 999_999;
const MAX_COUNT: u32 = 9_999;

/// The entry of a worker that lives with its owner; when it was activated is for the script to fill in.
pub(super) fn encode(owner: &Incarnation, held: &Held) -> String {
    let entry = &held.entry;
    let state = match held.state {
        EntryState::Placing => 'p',
        EntryState::Active => 'a',
    };
    format!(
        "{state}{}{}{:016}{:010}{:013}{:013}{:06}{:04}{:04} {:<32}{}:{}:{}",
        entry.cause as u8,
        flags(entry),
        entry.epoch.0.min(MAX_NUMBER),
        held.load.min(MAX_LOAD),
        entry.created.0.min(MAX_TIME),
        0,
        entry.attempt.min(MAX_ATTEMPTS),
        entry.history.deaths.min(MAX_COUNT),
        entry.history.returns.min(MAX_COUNT),
        owner.as_str(),
        escape(entry.class.as_str()),
        escape(entry.cluster.as_str()),
        entry.attributes,
    )
}

fn cause_of(digit: u64) -> Cause {
    match digit {
        0 => Cause::New,
        2 => Cause::Handover,
        3 => Cause::Wake,
        _ => Cause::Recovery,
    }
}

fn flags(entry: &Entry) -> u8 {
    u8::from(entry.recoverable) + 2 * u8::from(entry.lasting.kept) + 4 * u8::from(entry.lasting.has_data)
}

/// `None` when the text is none that [`encode`] and the scripts write.
pub(super) fn decode(id: WorkerId, text: &str) -> Option<Entry> {
    let (head, rest) = (text.get(..HEAD)?, text.get(HEAD..)?);
    let digits = |from: usize, to: usize| -> Option<u64> { head.get(from..to)?.parse().ok() };
    let mut names = rest.splitn(3, ':');
    let mut name = || names.next().and_then(unescape).filter(|name| !name.is_empty());
    let (class, cluster) = (ClassName::new(name()?), ClusterName::new(name()?));
    let flags = digits(2, 3)?;
    Some(Entry {
        lasting: Lasting { kept: flags & 2 > 0, has_data: flags & 4 > 0, data: Loaded::Nothing },
        id,
        class,
        cluster,
        epoch: Epoch(digits(3, 19).filter(|epoch| *epoch <= MAX_NUMBER)?),
        cause: cause_of(digits(1, 2)?),
        attempt: u32::try_from(digits(55, 61)?).ok()?,
        created: ServerTime(digits(29, 42)?),
        recoverable: flags & 1 > 0,
        attributes: names.next()?.to_owned(),
        history: History {
            deaths: u32::try_from(digits(61, 65)?).ok()?,
            returns: u32::try_from(digits(65, 69)?).ok()?,
        },
    })
}

/// What `owned.lua` says of an entry: its head without the times, the deaths and the owner.
pub(super) fn decode_head(id: WorkerId, head: &str) -> Option<Owned> {
    let digits = |from: usize, to: usize| -> Option<u64> { head.get(from..to)?.parse().ok() };
    Some(Owned {
        id,
        state: if head.starts_with('p') { EntryState::Placing } else { EntryState::Active },
        cause: cause_of(digits(1, 2)?),
        recoverable: digits(2, 3)? & 1 > 0,
        // One that another program wrote is that of no worker.
        epoch: Epoch(digits(3, 19).filter(|epoch| *epoch <= MAX_NUMBER).unwrap_or(0)),
        load: digits(19, 29)?,
        attempt: u32::try_from(digits(29, 35)?).ok()?,
    })
}

/// With its state, load and owner, whose broker is not named here.
pub(super) fn decode_listed(id: WorkerId, text: &str) -> Option<ListedWorker> {
    let entry = decode(id, text)?;
    let state = match text.as_bytes().first()? {
        b'p' => WorkerState::Placing,
        b'a' => WorkerState::Active,
        b'w' => WorkerState::Pending,
        b'q' => WorkerState::Quarantined,
        b's' => WorkerState::Asleep,
        _ => return None,
    };
    let owner = text.get(70..HEAD)?.trim_end();
    Some(ListedWorker {
        entry,
        state,
        load: text.get(19..29)?.parse().ok()?,
        owner: (!owner.is_empty()).then(|| (Incarnation::new(owner), None)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(attributes: &str) -> Held {
        Held {
            entry: Entry {
                lasting: Lasting { kept: true, has_data: true, data: Loaded::Nothing },
                id: "w".into(),
                class: "Ro:om,é".into(),
                cluster: "ma%in".into(),
                epoch: Epoch(MAX_NUMBER),
                cause: Cause::Recovery,
                attempt: 7,
                created: ServerTime(1_780_000_000_000),
                recoverable: true,
                attributes: attributes.into(),
                history: History { deaths: 2, returns: 3 },
            },
            state: EntryState::Active,
            load: MAX_LOAD,
        }
    }

    #[test]
    fn an_entry_survives_the_way_there_and_back() {
        for attributes in ["", "{}", "a:b:c", "größe 漢字 \u{0}"] {
            let held = held(attributes);
            let text = encode(&Incarnation::random(), &held);
            assert_eq!(text.find("Ro%3Aom%2Cé:ma%25in:"), Some(HEAD), "{text}");
            assert_eq!(decode("w".into(), &text), Some(held.entry.clone()));
            let listed = decode_listed("w".into(), &text).expect("it can be read");
            assert_eq!((listed.entry, listed.state, listed.load), (held.entry, WorkerState::Active, MAX_LOAD));
        }
    }

    #[test]
    fn foreign_text_is_no_entry() {
        let text = encode(&Incarnation::random(), &held("{}"));
        let broken = [
            "",
            "1",
            &text[..HEAD],
            &text[..text.len() - 3],
            &text.replacen("9007199254740992", "9007199254740993", 1),
            &text.replacen("1780000000000", "17800000000x0", 1),
            &text.replacen("Ro%3Aom%2Cé", "", 1),
            &text.replacen("ma%25in", "%zz", 1),
            &format!("é{text}"),
        ];
        broken.into_iter().for_each(|text| assert_eq!(decode("w".into(), text), None, "{text}"));
    }
}
