//! Where Redis is as far as known, and the news that it is elsewhere.

use super::socket::Place;
use tokio::sync::watch;

/// Where a connection goes, and as of which news.
#[derive(Clone, Debug)]
pub struct Target {
    pub place: Place,
    news: u64,
}

#[derive(Clone)]
struct Known {
    place: Option<Place>,
    /// Of the sentinels' configuration; their older answers are stale.
    epoch: u64,
    /// Counts what every connection must be dialed again for.
    news: u64,
}

/// All connections of a coordinator share this.
pub struct Whereabouts {
    /// The configured place; none where sentinels name it.
    origin: Option<Place>,
    known: watch::Sender<Known>,
}

impl Whereabouts {
    pub fn new(origin: Option<Place>) -> Self {
        let known = Known { place: origin.clone(), epoch: 0, news: 0 };
        Self { origin, known: watch::Sender::new(known) }
    }

    pub fn target(&self) -> Option<Target> {
        let known = self.known.borrow();
        Some(Target { place: known.place.clone()?, news: known.news })
    }

    /// Waits until that target is not where to be.
    pub async fn moved(&self, target: &Target) {
        let mut changes = self.known.subscribe();
        // The sender is our own, so this ends by the condition.
        let _ = changes.wait_for(|known| known.news != target.news).await;
    }

    /// Whether a sentinel that says this epoch is behind what we know.
    pub fn is_stale(&self, epoch: Option<u64>) -> bool {
        epoch.is_some_and(|epoch| epoch < self.known.borrow().epoch)
    }

    /// Sentinels name this place; `true` when it is another than before.
    pub fn learn(&self, place: Place, epoch: Option<u64>) -> bool {
        self.known.send_if_modified(|known| {
            known.epoch = epoch.unwrap_or(known.epoch);
            let moved = known.place.as_ref() != Some(&place);
            if moved {
                known.place = Some(place);
                known.news += 1;
            }
            moved
        })
    }

    /// A server says that another node of the cluster has our keys.
    pub fn redirect(&self, target: &Target, place: Place) {
        self.change(target, Some(place));
    }

    /// What answers there is no master (any more): everybody leaves, to the place that names and sentinels give now.
    pub fn doubt(&self, target: &Target) {
        let place = self.origin.clone().or_else(|| self.known.borrow().place.clone());
        self.change(target, place);
    }

    /// A node that we were sent to cannot be reached: the next attempt begins where the configuration says.
    pub fn fail(&self, target: &Target) {
        if self.origin.as_ref().is_some_and(|origin| *origin != target.place) {
            self.change(target, self.origin.clone());
        }
    }

    /// Only the first of those who know the same counts.
    fn change(&self, target: &Target, place: Option<Place>) {
        self.known.send_if_modified(|known| {
            let current = known.news == target.news;
            if current {
                known.place = place;
                known.news += 1;
            }
            current
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_moved(whereabouts: &Whereabouts, target: &Target) -> bool {
        whereabouts.target().unwrap().news != target.news
    }

    #[test]
    fn a_redirect_moves_everybody_once_and_a_failure_leads_back() {
        let (seed, node) = (Place::tcp("a", 1), Place::tcp("b", 2));
        let whereabouts = Whereabouts::new(Some(seed.clone()));
        let first = whereabouts.target().unwrap();
        whereabouts.redirect(&first, node.clone());
        whereabouts.redirect(&first, Place::tcp("late", 3));
        let second = whereabouts.target().unwrap();
        assert!(is_moved(&whereabouts, &first) && second.place == node);
        whereabouts.fail(&first);
        assert!(!is_moved(&whereabouts, &second));
        whereabouts.fail(&second);
        assert_eq!(whereabouts.target().unwrap().place, seed);
        let third = whereabouts.target().unwrap();
        whereabouts.fail(&third);
        assert!(!is_moved(&whereabouts, &third));
    }

    #[test]
    fn sentinels_move_everybody_only_by_another_place_and_older_answers_are_stale() {
        let whereabouts = Whereabouts::new(None);
        assert!(whereabouts.target().is_none());
        assert!(whereabouts.learn(Place::tcp("a", 1), Some(3)));
        let first = whereabouts.target().unwrap();
        assert!(!whereabouts.learn(Place::tcp("a", 1), Some(4)) && !is_moved(&whereabouts, &first));
        assert!(whereabouts.is_stale(Some(3)) && !whereabouts.is_stale(Some(4)) && !whereabouts.is_stale(None));
        whereabouts.doubt(&first);
        whereabouts.doubt(&first);
        let second = whereabouts.target().unwrap();
        assert!(is_moved(&whereabouts, &first) && second.place == first.place);
        assert!(whereabouts.learn(Place::tcp("b", 1), None) && is_moved(&whereabouts, &second));
    }
}
