//! The parts of the directory room, and how they are wired.

use crate::broker::calls::in_flight::InFlight;
use crate::broker::context::shared::Context;
use crate::broker::directory::complaints::Reports;
use crate::broker::directory::routes::Routes;
use crate::broker::lease::room::Lease;
use crate::broker::membership::members::Members;
use std::sync::Arc;

/// The directory room.
pub struct Directory {
    /// Routes to workers, and the messages that wait for one.
    pub routes: Arc<Routes>,
    /// Brokers that cannot be used, and classes that no broker hosts.
    pub reports: Arc<Reports>,
}

impl Directory {
    /// The room of one incarnation.
    pub fn new(context: &Arc<Context>, lease: &Arc<Lease>, members: &Arc<Members>, calls: &Arc<InFlight>) -> Self {
        let reports = Reports::new(context, members);
        let routes = Routes::new(context, lease, members, calls, &reports);
        Self { routes, reports }
    }
}
