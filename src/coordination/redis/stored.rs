//! How the data of a worker is written: one text, which `lua/data.lua` describes.

use super::reply::MAX_NUMBER;
use crate::coordination::{Commit, Loaded, Stored};

/// Letters before the JSON.
const HEAD: usize = 43;

/// The text that is stored.
pub(super) fn encode(commit: &Commit) -> String {
    let Stored { version, revision, text } = &commit.data;
    format!("{:016}{:016}{version:010} {text}", commit.epoch.0.min(MAX_NUMBER), (*revision).min(MAX_NUMBER))
}

/// What another program wrote is as good as missing.
pub(super) fn decode(text: Option<String>) -> Loaded {
    text.and_then(|text| read(&text)).map_or(Loaded::Missing, Loaded::Stored)
}

fn read(text: &str) -> Option<Stored> {
    let head = text.get(..HEAD).filter(|head| head.ends_with(' '))?;
    Some(Stored {
        version: head.get(32..42)?.parse().ok()?,
        revision: head.get(16..32)?.parse().ok().filter(|revision| *revision <= MAX_NUMBER)?,
        text: text.get(HEAD..)?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Epoch;

    #[test]
    fn data_survives_the_way_there_and_back_and_foreign_text_is_missing() {
        let data = Stored { version: u32::MAX, revision: MAX_NUMBER, text: "{\"größe\":1}".into() };
        let text = encode(&Commit { id: "w".into(), epoch: Epoch(7), data: data.clone() });
        assert_eq!(text.find('{'), Some(HEAD));
        assert_eq!(decode(Some(text.clone())), Loaded::Stored(data));
        for broken in ["", "1", &text[..HEAD - 1], &text.replacen(' ', "x", 1), &format!("é{text}")] {
            assert_eq!(decode(Some(broken.into())), Loaded::Missing, "{broken}");
        }
        assert_eq!(decode(None), Loaded::Missing);
    }
}
