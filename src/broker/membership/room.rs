//! The parts of the membership room, and how they are wired.

use crate::broker::context::shared::Context;
use crate::broker::lease::room::Lease;
use crate::broker::membership::eviction::Deaths;
use crate::broker::membership::heartbeat::Watch;
use crate::broker::membership::members::Members;
use crate::broker::membership::proofs::Proofs;
use crate::broker::membership::view::View;
use crate::ids::ClassName;
use crate::transport::MemoryHub;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

/// The membership room.
pub struct Membership {
    /// The members, and this broker among them.
    pub members: Arc<Members>,
    /// Proof of death, and eviction.
    pub deaths: Arc<Deaths>,
    /// Control connections.
    pub watch: Arc<Watch>,
    /// Looks at the members.
    pub view: Arc<View>,
}

impl Membership {
    /// The room of one incarnation.
    pub fn new(
        context: &Arc<Context>,
        lease: &Arc<Lease>,
        hub: Option<MemoryHub>,
        proofs: Arc<Mutex<Proofs>>,
        hosted: BTreeSet<ClassName>,
    ) -> Self {
        let members = Members::new(context, lease, hub, proofs, hosted);
        let deaths = Deaths::new(context, lease, &members);
        let watch = Watch::new(context, &members, &deaths);
        let view = View::new(context, lease, &members, &deaths);
        Self { members, deaths, watch, view }
    }
}
