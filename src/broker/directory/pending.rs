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
        let text = format!("The worker \"{id}\" of the class \"{class}\" waits to be recovered");
        if self.members.is_hosted(class, cluster) {
            return Failure::new(Code::Unreachable, format!("{text}."));
        }
        self.warn_of_missing_class(id, class, cluster);
        let missing = format!("no broker of the cluster \"{cluster}\" hosts that class");
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
            format!("; no broker of the cluster \"{cluster}\" hosts that class")
        };
        let text = format!(
            "Expected \"{id}\" to be a worker of the class \"{wanted}\" or a free id, but it belongs to a worker of the class \"{class}\", which waits to be recovered{missing}."
        );
        Failure::new(Code::ClassMismatch, text)
    }

    fn warn_of_missing_class(&self, id: &WorkerId, class: &ClassName, cluster: &ClusterName) {
        let due = lock(&self.missing_classes).note((cluster.clone(), class.clone()), boot_millis());
        if due.is_some() {
            let text = format!(
                "The worker \"{id}\" waits to be recovered, but no broker of the cluster \"{cluster}\" hosts its class \"{class}\". Register that class on a broker of the cluster (after a renaming: under the old name, too)."
            );
            self.context.log(Level::Warn, text);
        }
    }
}

/// The id belongs to an existing worker of another class than the one that was to be created.
pub fn is_of_another_class(id: &WorkerId, wanted: &ClassName, class: &ClassName) -> Failure {
    let text = format!(
        "Expected \"{id}\" to be a worker of the class \"{wanted}\" or a free id, but it is a worker of the class \"{class}\"."
    );
    Failure::new(Code::ClassMismatch, text)
}
