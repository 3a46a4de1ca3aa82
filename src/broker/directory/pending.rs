//! What is said of a worker that waits to be recovered: its class, and whether any broker can take it.

use crate::broker::directory::complaints::Reports;
use crate::clock::boot_millis;
use crate::error::{Code, Failure};
use crate::ids::{ClassName, ClusterName, WorkerId};
use crate::level::Level;
use crate::lock::lock;

impl Reports {
    /// Why a worker that waits to be recovered cannot be reached yet.
    pub fn still_pending(&self, id: &WorkerId, class: &ClassName, cluster: &ClusterName) -> Failure {
        let text = format!("Worker \"{id}\" of class \"{class}\" is waiting to be recovered");
        if self.members.is_hosted(class, cluster) {
            return Failure::new(Code::Unreachable, format!("{text}."));
        }
        self.warn_of_missing_class(id, class, cluster);
        let missing = format!("that class is not registered at any broker of cluster \"{cluster}\"");
        Failure::new(Code::NoBroker, format!("{text}, but {missing}."))
    }

    /// A worker of the id waits to be recovered, and is of another class than the one that was to be created.
    pub fn waits_as_another_class(
        &self,
        id: &WorkerId,
        wanted: &ClassName,
        class: &ClassName,
        cluster: &ClusterName,
    ) -> Failure {
        let missing = if self.members.is_hosted(class, cluster) {
            String::new()
        } else {
            self.warn_of_missing_class(id, class, cluster);
            format!("; that class is not registered at any broker of cluster \"{cluster}\"")
        };
        let text = format!(
            "Expected \"{id}\" to be a worker of class \"{wanted}\" or an unused id, but it is a worker of class \"{class}\", which is waiting to be recovered{missing}."
        );
        Failure::new(Code::ClassMismatch, text)
    }

    fn warn_of_missing_class(&self, id: &WorkerId, class: &ClassName, cluster: &ClusterName) {
        let due = lock(&self.missing_classes).note((cluster.clone(), class.clone()), boot_millis());
        if due.is_some() {
            let text = format!(
                "Worker \"{id}\" is waiting to be recovered, but its class \"{class}\" is not registered at any broker of cluster \"{cluster}\". Register the class on a broker of that cluster. If the class was renamed, register it under its old name too."
            );
            self.context.log(Level::Warn, text);
        }
    }
}

/// The id belongs to an existing worker of another class than the one that was to be created.
pub(crate) fn is_of_another_class(id: &WorkerId, wanted: &ClassName, class: &ClassName) -> Failure {
    let text = format!(
        "Expected \"{id}\" to be a worker of class \"{wanted}\" or an unused id, but it is a worker of class \"{class}\"."
    );
    Failure::new(Code::ClassMismatch, text)
}
