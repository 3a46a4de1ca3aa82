//! What the directory asks of the workers of this broker while it searches for a route.

use crate::broker::activation::catalog::{Admission, Creator};
use crate::broker::activation::turns::{cycle, ending};
use crate::broker::activation::workers::Workers;
use crate::broker::directory::lane::Parked;
use crate::broker::directory::routes::Local;
use crate::error::{Code, Failure};
use crate::ids::{Epoch, WorkerId};
use crate::wire::call_chain::Chain;

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

    fn deliver(&self, worker: &WorkerId, epoch: Epoch, parked: &Parked) -> Result<(), Option<Failure>> {
        match self.deliver_here(worker.as_str(), epoch, parked) {
            Admission::Ready(_) | Admission::Held => Ok(()),
            Admission::Full(_) => Err(Some(Failure::new(Code::Overloaded, "The worker's mailbox is full."))),
            Admission::Absent(_) => Err(None),
            Admission::Cycle(delivery) => Err(Some(cycle(&delivery))),
            Admission::Ending(delivery, refusal) => Err(Some(ending(&delivery, refusal))),
        }
    }
}
