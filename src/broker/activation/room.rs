//! The parts of the activation room, and how they are wired.

use crate::broker::activation::alarms::Alarms;
use crate::broker::activation::claims::Recovery;
use crate::broker::activation::creators::Creators;
use crate::broker::activation::lifecycle::Lifecycle;
use crate::broker::activation::registration::Registration;
use crate::broker::activation::reservation::Creations;
use crate::broker::activation::restore::Restore;
use crate::broker::activation::saving::Saving;
use crate::broker::activation::trials::Trials;
use crate::broker::activation::workers::Workers;
use crate::broker::calls::in_flight::InFlight;
use crate::broker::context::numbers::Numbers;
use crate::broker::context::shared::Context;
use crate::broker::directory::room::Directory;
use crate::broker::lease::room::Lease;
use crate::broker::membership::members::Members;
use crate::broker::output::gate::Output;
use std::sync::Arc;

/// The activation room.
pub struct Activation {
    /// The workers that live here, and the messages that they handle.
    pub workers: Arc<Workers>,
    /// Who waits until a worker is there.
    pub creators: Arc<Creators>,
    /// Suspects that are tried alone.
    pub trials: Arc<Trials>,
    /// Workers that come to live here, and go.
    pub lifecycle: Arc<Lifecycle>,
    /// What is written into the registry.
    pub registration: Arc<Registration>,
    /// Data of workers that is written.
    pub saving: Arc<Saving>,
    /// Workers that are to be made again.
    pub recovery: Arc<Recovery>,
    /// Putting back what is held after Redis lost it.
    pub restore: Arc<Restore>,
    /// `createWorker` and `findWorker`.
    pub creations: Arc<Creations>,
    /// Timers of workers that are asleep.
    pub alarms: Arc<Alarms>,
}

impl Activation {
    /// The room of one incarnation.
    pub fn new(
        context: &Arc<Context>,
        lease: &Arc<Lease>,
        members: &Arc<Members>,
        calls: &Arc<InFlight>,
        output: &Arc<Output>,
        directory: &Directory,
        numbers: &Numbers,
    ) -> Self {
        let workers = Workers::new(context, lease, members, calls, output, &directory.routes, numbers);
        let creators = Creators::new(&workers);
        let trials = Trials::new(context, members);
        let lifecycle = Lifecycle::new(&workers, &creators, &trials);
        let registration = Registration::new(&lifecycle);
        let saving = Saving::new(&lifecycle);
        let recovery = Recovery::new(&lifecycle);
        let restore = Restore::new(&lifecycle);
        let creations = Creations::new(&workers, &creators, &directory.reports);
        let alarms = Alarms::new(&workers);
        Self { workers, creators, trials, lifecycle, registration, saving, recovery, restore, creations, alarms }
    }
}
