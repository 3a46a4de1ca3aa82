//! An answer that JavaScript gave while this incarnation could not prove that it lives.

use crate::broker::js::delivery::Handle;
use crate::broker::js::report::Creation;
use crate::wire::message::Payload;

/// What JavaScript reported while the gate was closed.
pub enum Answer {
    /// A handler's result.
    Reply { inbound: u64, payload: Payload },
    /// A handler's failure.
    Failure { inbound: u64, message: String, body: String },
    /// The end of a worker's making.
    Created { handle: Handle, creation: Creation, message: String, max_queue: Option<usize>, body: String },
}
