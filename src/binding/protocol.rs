//! The table of what passes between JavaScript and the core, for the test that compares it with `lib/protocol.js`.

use crate::binding::fast_calls::RECIPE_FACTOR;
use crate::broker::js::event::DestroyCause;
use crate::broker::js::protocol::{EventKind, APART, FORMS, FORM_STRING};
use crate::broker::js::report::Creation;
use crate::coordination::Cause;
use crate::limits;
use crate::wire::message::Encoding;
use napi_derive::napi;
use serde_json::{json, Map, Value};

/// What became of a worker that JavaScript was to construct, by the number that JavaScript reports.
pub(crate) const CREATIONS: [(&str, Creation); 5] = [
    ("CREATED", Creation::Done),
    ("CONSTRUCTOR_THREW", Creation::Threw),
    ("CLASS_UNKNOWN", Creation::ClassMissing),
    ("REJECTED", Creation::Rejected),
    ("DATA_UNREADABLE", Creation::Unreadable),
];

/// The table as JSON text, with the names that `lib/protocol.js` gives the numbers.
#[napi(catch_unwind)]
pub(crate) fn protocol() -> String {
    let kinds = EventKind::ALL;
    let events: Map<String, Value> = kinds.iter().map(|(name, kind)| ((*name).into(), json!(*kind as u8))).collect();
    let payloads: Map<String, Value> = kinds
        .iter()
        .filter_map(|(_, kind)| kind.payload_at().map(|at| ((*kind as u8).to_string(), json!(at))))
        .collect();
    let creations: Map<String, Value> =
        CREATIONS.iter().enumerate().map(|(number, (name, _))| ((*name).into(), json!(number))).collect();
    json!({
        "EVENT": events,
        "PAYLOAD_AT": payloads,
        "APART": APART,
        "FORMS": FORMS,
        "FORM": {
            "STRING": FORM_STRING,
            "JSON_TEXT": Encoding::Json as u8,
            "PACKED": Encoding::Packed as u8,
            "BYTES": Encoding::Bytes as u8,
            "STRUCTURED": Encoding::Structured as u8,
        },
        "RECIPE_FACTOR": RECIPE_FACTOR,
        "CREATION": creations,
        "CreateCause": { "NEW": Cause::New as u8, "RECOVERY": Cause::Recovery as u8, "HANDOVER": Cause::Handover as u8, "WAKE": Cause::Wake as u8 },
        "DestroyCause": {
            "SYSTEM": DestroyCause::System as u8,
            "FENCED": DestroyCause::Fenced as u8,
            "HANDOVER": DestroyCause::Handover as u8,
            "IDLE": DestroyCause::Idle as u8,
        },
        "LIMIT": {
            "BATCH_EVENTS": limits::BATCH_EVENTS,
            "INBOX_MESSAGES": limits::INBOX_MESSAGES,
            "INBOX_BYTES": limits::INBOX_BYTES,
            "WAITING_MESSAGES": limits::WAITING_MESSAGES,
            "ID_BYTES": limits::ID_BYTES,
            "METHOD_BYTES": limits::METHOD_BYTES,
            "KNOWN_NAMES": limits::KNOWN_NAMES,
        },
    })
    .to_string()
}
