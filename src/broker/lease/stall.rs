//! Whether JavaScript's event loop moves, as the lease's thread sees it. Pure: takes `now`.
//!
//! The loop is asked to look into its inbox when it has not done so since the last look, which costs an idle process
//! two wakes a second and a busy one nothing. What it owes an answer for is counted.

use std::time::Duration;

/// How often the thread looks.
pub(crate) const LOOK: Duration = Duration::from_millis(250);
/// Without an answer for this long the loop stands still: with the two looks before it is asked, 2 s after it stopped.
const STALLED: u64 = 1500;
/// One look counts at most this much: the thread itself, or the process, may have been stopped.
const MAX_STEP: u64 = 2 * LOOK.as_millis() as u64;

#[derive(PartialEq, Eq, Debug)]
pub(crate) enum News {
    /// The loop stands still: it gets no new workers.
    Stalled,
    /// It has stood still for as long as was allowed, in ms. Told once.
    Overdue(u64),
    /// It moves again, after so many ms.
    Moves(u64),
}

/// Whether JavaScript's event loop moves, as the looks at its visits show. Pure.
#[derive(Default)]
pub(crate) struct Stall {
    visits: u64,
    looked: u64,
    asked: bool,
    still: u64,
    overdue: bool,
}

impl Stall {
    /// `visits`: how often JavaScript has looked into its inbox. What is new, and whether it is to be asked to look now.
    pub(crate) fn look(&mut self, now: u64, visits: u64, after: u64) -> (Option<News>, bool) {
        let step = now.saturating_sub(self.looked).min(MAX_STEP);
        self.looked = now;
        if visits != self.visits {
            let stood = self.still;
            *self = Self { visits, looked: now, ..Self::default() };
            return ((stood >= STALLED).then_some(News::Moves(stood)), false);
        }
        if !self.asked {
            self.asked = true;
            return (None, true);
        }
        let before = self.still;
        self.still += step;
        let news = if before < STALLED && self.still >= STALLED {
            Some(News::Stalled)
        } else if !self.overdue && self.still >= after.max(STALLED) {
            self.overdue = true;
            Some(News::Overdue(self.still))
        } else {
            None
        };
        (news, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: u64 = LOOK.as_millis() as u64;
    const AFTER: u64 = 30_000;

    #[test]
    fn an_idle_loop_that_answers_is_never_stalled() {
        let (mut stall, mut visits) = (Stall::default(), 0);
        for look in 1..1000 {
            let (news, ask) = stall.look(look * STEP, visits, AFTER);
            assert_eq!(news, None);
            visits += u64::from(ask);
        }
        assert!(visits >= 400);
    }

    #[test]
    fn a_loop_that_stops_is_stalled_two_seconds_later_and_overdue_once() {
        let mut stall = Stall::default();
        stall.look(STEP, 1, AFTER);
        let news: Vec<_> =
            (2..200).filter_map(|look| stall.look(look * STEP, 1, AFTER).0.map(|news| (look * STEP, news))).collect();
        assert_eq!(news, [(2000, News::Stalled), (AFTER + 2 * STEP, News::Overdue(AFTER))]);
        assert_eq!(stall.look(200 * STEP, 2, AFTER).0, Some(News::Moves(198 * STEP - 2 * STEP + STEP)));
    }

    #[test]
    fn a_process_that_was_stopped_has_not_stalled() {
        let mut stall = Stall::default();
        stall.look(STEP, 1, AFTER);
        stall.look(2 * STEP, 1, AFTER);
        assert_eq!(stall.look(60_000, 1, AFTER).0, None);
    }
}
