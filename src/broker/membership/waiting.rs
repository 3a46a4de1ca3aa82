//! Classes of which workers may wait to be recovered, as far as this broker has heard.

use crate::ids::ClassName;
use crate::lock::lock;
use std::collections::BTreeSet;
use std::sync::Mutex;
use tokio::sync::Notify;

/// The classes, for the task that claims their workers.
#[derive(Default)]
pub struct Waiting {
    classes: Mutex<BTreeSet<ClassName>>,
    wake: Notify,
}

impl Waiting {
    /// Workers of these classes may wait.
    pub fn add(&self, classes: impl IntoIterator<Item = ClassName>) {
        lock(&self.classes).extend(classes);
        self.wake.notify_one();
    }

    /// Waits until classes were added.
    pub async fn added(&self) {
        self.wake.notified().await;
    }

    /// Takes the classes that were added since.
    pub fn take_into(&self, classes: &mut BTreeSet<ClassName>) {
        classes.append(&mut lock(&self.classes));
    }
}
