//! Where Redis is as far as known, and the news that it is elsewhere.

use super::socket::Place;
use tokio::sync::watch;

/// Where a connection goes, and as of which news.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub place: Place,
    news: u64,
}

#[derive(Clone)]
struct Known {
    place: Option<Place>,
    /// What a cluster said about its nodes.
    nodes: Vec<Place>,
    /// Of the sentinels' configuration; their older answers are stale.
    epoch: u64,
    /// Counts what every connection must be dialed again for.
    news: u64,
}

/// All connections of a coordinator share this.
pub(super) struct Whereabouts {
    /// The configured places, of a cluster several; none where sentinels name it.
    origins: Vec<Place>,
    known: watch::Sender<Known>,
}

impl Whereabouts {
    pub(super) fn new(origins: Vec<Place>) -> Self {
        let known = Known { place: origins.first().cloned(), nodes: Vec::new(), epoch: 0, news: 0 };
        Self { origins, known: watch::Sender::new(known) }
    }

    pub(super) fn target(&self) -> Option<Target> {
        let known = self.known.borrow();
        Some(Target { place: known.place.clone()?, news: known.news })
    }

    /// Waits until that target is not where to be.
    pub(super) async fn moved(&self, target: &Target) {
        let mut changes = self.known.subscribe();
        // The sender is our own, so this ends by the condition.
        let _ = changes.wait_for(|known| known.news != target.news).await;
    }

    /// Whether a sentinel that says this epoch is behind what we know.
    pub(super) fn is_stale(&self, epoch: Option<u64>) -> bool {
        epoch.is_some_and(|epoch| epoch < self.known.borrow().epoch)
    }

    /// Sentinels name this place; `true` when it is another than before.
    pub(super) fn learn(&self, place: Place, epoch: Option<u64>) -> bool {
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

    /// A node of a cluster names all of them: any may be asked for the way when others are down.
    pub(super) fn learn_nodes(&self, nodes: Vec<Place>) {
        self.known.send_if_modified(|known| {
            known.nodes = nodes;
            // Nobody has to be dialed again because of it.
            false
        });
    }

    /// A server says that another node of the cluster has our keys.
    pub(super) fn redirect(&self, target: &Target, place: Place) {
        self.change(target, Some(place));
    }

    /// What answers there is no master (any more): everybody leaves, to the place that names and sentinels give now, or
    /// to the next node of a cluster.
    pub(super) fn doubt(&self, target: &Target) {
        let place = self.after(&target.place).or_else(|| self.known.borrow().place.clone());
        self.change(target, place);
    }

    /// A place cannot be reached: the next attempt is made at another one, where there is one.
    pub(super) fn fail(&self, target: &Target) {
        let next = self.after(&target.place);
        if next.as_ref().is_some_and(|next| *next != target.place) {
            self.change(target, next);
        }
    }

    /// The place to try after this one: the configured places and the nodes of the cluster in turn. With one configured
    /// place and no cluster it is always that one.
    fn after(&self, place: &Place) -> Option<Place> {
        let known = self.known.borrow();
        let learned = known.nodes.iter().filter(|node| !self.origins.contains(node));
        let all: Vec<&Place> = self.origins.iter().chain(learned).collect();
        let next = all.iter().position(|known| *known == place).map_or(0, |at| at + 1);
        all.get(next).or_else(|| all.first()).map(|place| (*place).clone())
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
        let whereabouts = Whereabouts::new(vec![seed.clone()]);
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
    fn the_nodes_of_a_cluster_are_tried_in_turn_the_configured_ones_first() {
        let node = |port| Place::tcp("n", port);
        let whereabouts = Whereabouts::new(vec![node(1), node(2)]);
        let next = |whereabouts: &Whereabouts| {
            whereabouts.fail(&whereabouts.target().unwrap());
            whereabouts.target().unwrap().place
        };
        assert_eq!(whereabouts.target().unwrap().place, node(1));
        assert_eq!([next(&whereabouts), next(&whereabouts)], [node(2), node(1)]);
        whereabouts.learn_nodes(vec![node(2), node(3)]);
        whereabouts.redirect(&whereabouts.target().unwrap(), node(9));
        assert_eq!([(); 4].map(|()| next(&whereabouts)), [node(1), node(2), node(3), node(1)]);
        whereabouts.doubt(&whereabouts.target().unwrap());
        assert_eq!(whereabouts.target().unwrap().place, node(2));
    }

    #[test]
    fn sentinels_move_everybody_only_by_another_place_and_older_answers_are_stale() {
        let whereabouts = Whereabouts::new(Vec::new());
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
