//! What the caller is told of a message that could not be written.

use crate::error::{Code, Failure};
use crate::transport::SendError;

/// The failure of a message that could not be written.
pub(crate) fn send_failure(error: SendError) -> Failure {
    match error {
        SendError::Overloaded => Failure::new(
            Code::Overloaded,
            "The queue of bytes to the other broker is full, because it reads too slowly.",
        ),
        SendError::Closed => Failure::new(Code::Unreachable, "The connection was closed."),
        SendError::TooLarge { length, max } => Failure::new(
            Code::TooLarge,
            format!("Expected a message of at most {max} bytes but received one of {length} bytes."),
        ),
    }
}
