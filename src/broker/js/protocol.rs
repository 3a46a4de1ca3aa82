//! The numbers that JavaScript and the core know events by.
//!
//! `lib/protocol.js` is the same table in JavaScript. The addon exports this one, and a test compares the two.

/// The kind of an event: its first element in a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum EventKind {
    /// `[slot, value]`
    Reply = 0,
    /// `[slot, code, delivered, message, body]`
    Fail = 1,
    /// `[inbound, handle, method, data]`
    Ask = 2,
    /// `[inbound, handle, method, data]`
    Tell = 3,
    /// `[handle, id, class, cause, epoch, attempt, attributes, kept, version, data, timers]`
    Create = 4,
    /// `[handle, cause]`
    Destroy = 5,
    /// `[level, message]`
    Log = 6,
    /// `[name, …details]`
    Notice = 7,
    /// `[inbound]`
    Cancel = 8,
    /// `[handle]`
    Direct = 9,
    /// `[requester, data]`
    Request = 10,
    /// `[data]`
    Response = 11,
    /// `[host, port]`
    Disconnect = 12,
    /// `[handle]`
    Trial = 13,
}

impl EventKind {
    /// Every kind, with the name that JavaScript gives it.
    pub(crate) const ALL: [(&'static str, Self); 14] = [
        ("REPLY", Self::Reply),
        ("FAIL", Self::Fail),
        ("ASK", Self::Ask),
        ("TELL", Self::Tell),
        ("CREATE", Self::Create),
        ("DESTROY", Self::Destroy),
        ("LOG", Self::Log),
        ("NOTICE", Self::Notice),
        ("CANCEL", Self::Cancel),
        ("DIRECT", Self::Direct),
        ("REQUEST", Self::Request),
        ("RESPONSE", Self::Response),
        ("DISCONNECT", Self::Disconnect),
        ("TRIAL", Self::Trial),
    ];

    /// The position of the payload in an event of this kind, where the payload may be sent apart.
    pub(crate) const fn payload_at(self) -> Option<u8> {
        match self {
            Self::Reply | Self::Request => Some(2),
            Self::Ask | Self::Tell => Some(4),
            Self::Response => Some(1),
            _ => None,
        }
    }
}

/// Added to the kind of an event whose payload is sent apart.
pub(crate) const APART: u8 = 16;
/// In place of a payload that is sent apart, an event has its index times this, plus its form.
pub(crate) const FORMS: u64 = 8;
/// The form of a payload that JavaScript takes as a string. The other forms are the encodings of the wire format.
pub(crate) const FORM_STRING: u64 = 0;
