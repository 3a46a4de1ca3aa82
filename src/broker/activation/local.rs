//! What the directory asks of the workers of this broker while it searches for a route.

use crate::broker::activation::catalog::Creator;
use crate::broker::activation::workers::Workers;
use crate::broker::directory::routes::Local;
use crate::error::Failure;
use crate::ids::WorkerId;
use crate::wire::call_chain::Chain;
use crate::wire::message::Envelope;

#[async_trait::async_trait]
impl Local for Workers {
    fn is_here(&self, worker: &WorkerId) -> bool {
        Workers::is_here(self, worker)
    }

    async fn take_up(&self, worker: &WorkerId, chain: Chain) -> Option<Result<(), Failure>> {
        let (creator, receiver) = Creator::internal(chain);
        Workers::take_up(self, worker.clone(), Some(creator));
        Some(receiver.await.ok()?.map(drop))
    }

    fn deliver(&self, call: u64, deadline: u64, envelope: Envelope) -> Result<(), Option<Failure>> {
        self.deliver_here(call, deadline, envelope)
    }
}
