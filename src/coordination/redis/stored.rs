//! How the data and the timers of a worker are written: one text, which `lua/data.lua` describes.

use super::reply::MAX_NUMBER;
use crate::coordination::{Commit, Loaded, Stored, Timers};
use crate::ids::ServerTime;

/// Letters before the timers.
const HEAD: usize = 63;
/// Bytes of timers that fit the head.
const MAX_TIMERS: usize = 9_999_999;
/// The longest time of 13 digits.
const MAX_TIME: u64 = 9_999_999_999_999;

/// The text that is stored.
pub(super) fn encode(commit: &Commit) -> String {
    let Stored { version, revision, text, timers } = &commit.data;
    let (epoch, revision) = (commit.epoch.0.min(MAX_NUMBER), (*revision).min(MAX_NUMBER));
    // Longer ones are refused before they come here.
    let list = if timers.text.len() <= MAX_TIMERS { timers.text.as_str() } else { "" };
    let next = timers.next.0.min(MAX_TIME);
    format!("{epoch:016}{revision:016}{version:010}{next:013}{:07} {list}{text}", list.len())
}

/// What another program wrote is as good as missing.
pub(super) fn decode(text: Option<String>) -> Loaded {
    text.and_then(|text| read(&text)).map_or(Loaded::Missing, Loaded::Stored)
}

fn read(text: &str) -> Option<Stored> {
    let head = text.get(..HEAD).filter(|head| head.ends_with(' '))?;
    let timers = HEAD + head.get(55..62)?.parse::<usize>().ok()?;
    Some(Stored {
        version: head.get(32..42)?.parse().ok()?,
        revision: head.get(16..32)?.parse().ok().filter(|revision| *revision <= MAX_NUMBER)?,
        text: text.get(timers..)?.to_owned(),
        timers: Timers { next: ServerTime(head.get(42..55)?.parse().ok()?), text: text.get(HEAD..timers)?.to_owned() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Epoch;

    #[test]
    fn data_survives_the_way_there_and_back_and_foreign_text_is_missing() {
        let timers = Timers { next: ServerTime(MAX_TIME), text: "[\"größe\"]".into() };
        let text = String::from("{\"größe\":1}");
        let whole = Stored { version: u32::MAX, revision: MAX_NUMBER, text, timers };
        let plain = Stored { timers: Timers::default(), ..whole.clone() };
        for data in [Stored { text: String::new(), ..whole.clone() }, plain, whole] {
            let text = encode(&Commit { id: "w".into(), epoch: Epoch(7), data: data.clone() });
            assert_eq!(decode(Some(text.clone())), Loaded::Stored(data));
            for broken in ["", "1", &text[..HEAD - 1], &text.replacen(' ', "x", 1), &format!("é{text}")] {
                assert_eq!(decode(Some(broken.into())), Loaded::Missing, "{broken}");
            }
        }
        let timers = format!("{:062} ", 9_000_000);
        for broken in [&timers, &format!("{}[1", &timers)] {
            assert_eq!(decode(Some(broken.clone())), Loaded::Missing, "its timers are cut off");
        }
        assert_eq!(decode(None), Loaded::Missing);
    }
}
