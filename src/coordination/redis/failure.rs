//! What a failed exchange with Redis means: who did not answer, or who refused what.

use crate::coordination::CoordinationError;
use redis::{ErrorKind, RedisError, ServerErrorKind};

/// An error of the redis crate as one of ours. `place` is where Redis is, `what` was asked.
pub fn translate(place: &str, what: &str, error: &RedisError) -> CoordinationError {
    let text = format!("Redis at {place}: {what} failed: {error}");
    match error.kind() {
        ErrorKind::Io | ErrorKind::Parse => CoordinationError::Unavailable(text),
        ErrorKind::Server(
            ServerErrorKind::BusyLoading
            | ServerErrorKind::MasterDown
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::TryAgain,
        ) => CoordinationError::Unavailable(text),
        _ if error.code() == Some("BUSY") => CoordinationError::Unavailable(text),
        _ => CoordinationError::Refused(text),
    }
}

/// Nothing came in time.
pub fn late(place: &str, what: &str, deadline: std::time::Duration) -> CoordinationError {
    CoordinationError::Unavailable(format!("Redis at {place}: no answer to {what} within {} ms", deadline.as_millis()))
}

/// An answer of another shape than the script writes.
pub fn foreign(place: &str, what: &str) -> CoordinationError {
    CoordinationError::Refused(format!("Redis at {place}: unexpected answer to {what}"))
}
