//! How many log lines of one kind a broker emits: one a second, which stands for those that came within that second.

use crate::level::Level;
use std::collections::HashMap;
use std::panic::Location;

const INTERVAL_MILLIS: u64 = 1000;

/// The place in the source that writes the line. So there are only a few kinds, and none is made up by a peer.
pub(crate) type Kind = (&'static str, u32);

pub(crate) fn kind_of(location: &'static Location<'static>) -> Kind {
    (location.file(), location.line())
}

/// The last line that was held back, and how many it stands for.
struct Held {
    level: Level,
    message: String,
    count: u64,
}

struct Slot {
    /// Until when lines of this kind are held back, on the local clock.
    until: u64,
    held: Option<Held>,
}

/// What becomes of a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is emitted now.
    Emit(Level, String),
    /// It is the first one held back of its kind: [`LogLines::due`] gives it when its second is over.
    HoldFirst,
    /// It is held back in place of the one before.
    Hold,
}

#[derive(Default)]
pub(crate) struct LogLines(HashMap<Kind, Slot>);

impl LogLines {
    pub(crate) fn admit(&mut self, kind: Kind, now: u64, level: Level, message: String) -> Verdict {
        let slot = self.0.entry(kind).or_insert(Slot { until: 0, held: None });
        match &mut slot.held {
            Some(held) => {
                *held = Held { level, message, count: held.count + 1 };
                Verdict::Hold
            }
            None if now < slot.until => {
                slot.held = Some(Held { level, message, count: 1 });
                Verdict::HoldFirst
            }
            None => {
                slot.until = now + INTERVAL_MILLIS;
                Verdict::Emit(level, message)
            }
        }
    }

    /// When the next held line is to be emitted.
    pub(crate) fn next_due(&self) -> Option<u64> {
        self.0.values().filter(|slot| slot.held.is_some()).map(|slot| slot.until).min()
    }

    /// The held lines whose second is over. Kinds that were quiet for a second are forgotten.
    pub(crate) fn due(&mut self, now: u64) -> Vec<(Level, String)> {
        let mut lines = Vec::new();
        for slot in self.0.values_mut().filter(|slot| slot.until <= now) {
            if let Some(held) = slot.held.take() {
                slot.until = now + INTERVAL_MILLIS;
                lines.push(text_of(held));
            }
        }
        self.0.retain(|_, slot| now < slot.until);
        lines
    }

    /// All held lines: nothing follows.
    pub(crate) fn drain(&mut self) -> Vec<(Level, String)> {
        self.0.drain().filter_map(|(_, slot)| slot.held).map(text_of).collect()
    }
}

fn text_of(held: Held) -> (Level, String) {
    match held.count {
        1 => (held.level, held.message),
        count => (held.level, format!("{} ({count} such lines in the last second)", held.message)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Kind = ("a.rs", 1);
    const B: Kind = ("a.rs", 2);

    fn admit(lines: &mut LogLines, kind: Kind, now: u64, message: &str) -> Verdict {
        lines.admit(kind, now, Level::Warn, message.into())
    }

    fn emitted(message: &str) -> Verdict {
        Verdict::Emit(Level::Warn, message.into())
    }

    #[test]
    fn the_first_line_of_each_kind_is_emitted_and_the_others_of_that_second_are_held() {
        let mut lines = LogLines::default();
        assert_eq!(admit(&mut lines, A, 5000, "one"), emitted("one"));
        assert_eq!(admit(&mut lines, B, 5000, "other"), emitted("other"));
        assert_eq!(admit(&mut lines, A, 5001, "two"), Verdict::HoldFirst);
        assert_eq!(admit(&mut lines, A, 5999, "three"), Verdict::Hold);
        assert_eq!(lines.next_due(), Some(6000));
        assert_eq!(lines.due(5999), []);
        assert_eq!(lines.due(6000), [(Level::Warn, "three (2 such lines in the last second)".into())]);
        assert_eq!(lines.next_due(), None);
    }

    #[test]
    fn a_storm_is_one_line_a_second() {
        let mut lines = LogLines::default();
        let mut emitted = 0;
        for now in 0..10_000 {
            emitted += usize::from(matches!(admit(&mut lines, A, now, "again"), Verdict::Emit(..)));
            emitted += lines.due(now).len();
        }
        assert_eq!(emitted, 10);
    }

    #[test]
    fn a_single_line_that_was_held_says_no_number() {
        let mut lines = LogLines::default();
        admit(&mut lines, A, 0, "one");
        admit(&mut lines, A, 999, "two");
        assert_eq!(lines.due(1000), [(Level::Warn, "two".into())]);
        assert_eq!(admit(&mut lines, A, 1500, "three"), Verdict::HoldFirst, "its second began with the held line");
    }

    #[test]
    fn a_kind_that_was_quiet_is_forgotten_and_its_next_line_is_emitted() {
        let mut lines = LogLines::default();
        admit(&mut lines, A, 0, "one");
        assert_eq!(lines.due(1000), []);
        assert!(lines.0.is_empty());
        assert_eq!(admit(&mut lines, A, 1000, "two"), emitted("two"));
    }

    #[test]
    fn what_is_held_at_the_end_is_drained() {
        let mut lines = LogLines::default();
        admit(&mut lines, A, 0, "one");
        admit(&mut lines, A, 1, "two");
        assert_eq!(lines.drain(), [(Level::Warn, "two".into())]);
        assert_eq!(lines.drain(), []);
    }
}
