//! Log lines that would otherwise repeat: each subject is logged once a minute at most, with a count. Pure: takes `now`.

use std::collections::HashMap;

/// Least time between two lines about one subject, ms.
const INTERVAL: u64 = 60_000;
/// Subjects that are remembered at most; beyond it those whose time is over are forgotten, then nothing is logged.
const MAX_SUBJECTS: usize = 1000;

struct Notice {
    quiet_until: u64,
    /// Since the last line, the next one included.
    count: u64,
}

/// When each subject was logged last, and how often it came up since. `K` names a subject.
pub(crate) struct Notices<K>(HashMap<K, Notice>);

impl<K> Default for Notices<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: std::hash::Hash + Eq> Notices<K> {
    /// Whether a line about this subject is due, and how often the subject came up since the last one.
    pub(crate) fn note(&mut self, subject: K, now: u64) -> Option<u64> {
        if self.0.len() >= MAX_SUBJECTS && !self.0.contains_key(&subject) {
            self.0.retain(|_, notice| notice.quiet_until > now);
            if self.0.len() >= MAX_SUBJECTS {
                return None;
            }
        }
        let notice = self.0.entry(subject).or_insert(Notice { quiet_until: 0, count: 0 });
        notice.count += 1;
        if notice.quiet_until > now {
            return None;
        }
        notice.quiet_until = now + INTERVAL;
        Some(std::mem::take(&mut notice.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_due_once_a_minute_and_says_how_often_it_came_up() {
        let mut notices = Notices::default();
        assert_eq!(notices.note("a", 1), Some(1));
        assert_eq!(notices.note("a", 2), None);
        assert_eq!(notices.note("b", 2), Some(1));
        assert_eq!(notices.note("a", INTERVAL), None);
        assert_eq!(notices.note("a", INTERVAL + 1), Some(3));
    }

    #[test]
    fn the_number_of_subjects_is_bounded() {
        let mut notices = Notices::default();
        assert!((0..MAX_SUBJECTS).all(|subject| notices.note(subject, 1).is_some()));
        assert_eq!(notices.note(MAX_SUBJECTS, 2), None);
        assert_eq!(notices.note(MAX_SUBJECTS, INTERVAL + 2), Some(1));
        assert_eq!(notices.0.len(), 1);
    }
}
