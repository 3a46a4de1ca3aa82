//! What is said of workers whose brokers died again and again.

use crate::broker::context::shared::Context;
use crate::broker::js::event::Event;
use crate::coordination::history::YOUNG;
use crate::error::{Code, Failure};
use crate::ids::WorkerId;
use crate::level::Level;

/// Why a worker is quarantined.
pub(crate) fn reason(deaths: u32) -> String {
    format!("its process ended {deaths} times within {} s of the activation of the worker", YOUNG / 1000)
}

/// Why a call of a quarantined worker fails.
pub(crate) fn quarantined(worker: &WorkerId, deaths: u32) -> Failure {
    let reason = reason(deaths);
    let text = format!("Worker \"{worker}\" is quarantined: {reason}. Fix the cause, then call broker.release(id).");
    Failure::new(Code::Quarantined, text)
}

/// Why a call of a worker that waits because of its history has not been made yet.
pub(crate) fn waits(worker: &WorkerId, deaths: u32) -> Failure {
    let why = match deaths {
        0 => "it was handed over again and again, or its last activation failed".to_owned(),
        _ => format!("its process ended {deaths} times shortly after the worker was activated"),
    };
    Failure::new(Code::Unreachable, format!("The activation of worker \"{worker}\" is delayed: {why}."))
}

/// An eviction quarantined these workers: the log and JavaScript are told.
pub(crate) fn report(context: &Context, quarantined: Vec<(WorkerId, u32)>) {
    for (id, deaths) in quarantined {
        let reason = reason(deaths);
        context.log(
            Level::Error,
            format!("Worker \"{id}\" is quarantined: {reason}. Fix the cause, then call broker.release(id)."),
        );
        context.inbox.push(Event::WorkerLost { id: id.to_string(), reason: format!("quarantined: {reason}") });
    }
}
