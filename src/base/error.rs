//! The table of errors that a user of the package can meet: each has a code and says whether the work may have run.

use bytes::Bytes;
use std::fmt;

/// Whether the receiver may have run the work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Delivered {
    No,
    Unknown,
    Yes,
}

impl Delivered {
    pub fn as_str(self) -> &'static str {
        match self {
            Delivered::No => "no",
            Delivered::Unknown => "unknown",
            Delivered::Yes => "yes",
        }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $text:literal, $delivered:ident;)*) => {
        /// What went wrong, as the user sees it in `error.code`. The number travels on the wire.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u8)]
        pub enum Code { $($(#[$doc])* $variant = $number,)* }

        impl Code {
            /// Every code, for the test that compares the table with its mirrors.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            pub fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $text,)* }
            }
            /// What `error.delivered` says where the place that fails knows nothing better.
            pub fn delivered(self) -> Delivered {
                match self { $(Code::$variant => Delivered::$delivered,)* }
            }
            pub fn from_number(number: u8) -> Option<Code> {
                match number { $($number => Some(Code::$variant),)* _ => None }
            }
        }
    };
}

codes! {
    /// The handler failed.
    Rejected = 1, "DW_ERR_REJECTED", Yes;
    /// No answer in time.
    Timeout = 2, "DW_ERR_TIMEOUT", Unknown;
    /// The connection broke with the call in flight, or its worker ended or moved while it handled it.
    PeerLost = 3, "DW_ERR_PEER_LOST", Unknown;
    /// The caller's signal aborted the call.
    Aborted = 4, "DW_ERR_ABORTED", Unknown;
    /// No worker has this id.
    WorkerNotFound = 5, "DW_ERR_WORKER_NOT_FOUND", No;
    /// No live broker of the cluster hosts the class.
    NoBroker = 6, "DW_ERR_NO_BROKER", No;
    /// The class is not registered at this broker.
    ClassUnknown = 7, "DW_ERR_CLASS_UNKNOWN", No;
    /// The worker's broker cannot be reached.
    Unreachable = 8, "DW_ERR_UNREACHABLE", No;
    /// The broker cannot prove that it lives.
    Suspended = 9, "DW_ERR_SUSPENDED", No;
    /// A bounded queue is full.
    Overloaded = 10, "DW_ERR_OVERLOADED", No;
    /// The message is over the limit.
    TooLarge = 11, "DW_ERR_TOO_LARGE", No;
    /// Not allowed in this state.
    State = 12, "DW_ERR_STATE", No;
    /// A wrong argument or option.
    Config = 13, "DW_ERR_CONFIG", No;
    /// Redis cannot be reached, or refused.
    Redis = 14, "DW_ERR_REDIS", No;
    /// A live broker has this id.
    BrokerIdInUse = 15, "DW_ERR_BROKER_ID_IN_USE", No;
    /// Another process listens on `listen.port`.
    AddressInUse = 24, "DW_ERR_ADDRESS_IN_USE", No;
    /// The namespace is in use by another version.
    Schema = 16, "DW_ERR_SCHEMA", No;
    /// The call would wait for itself.
    Cycle = 17, "DW_ERR_CYCLE", No;
    /// The peer could not prove that it belongs here.
    Unauthorized = 18, "DW_ERR_UNAUTHORIZED", No;
    /// The id belongs to a worker of another class.
    ClassMismatch = 19, "DW_ERR_CLASS_MISMATCH", No;
    /// The worker ended its process again and again, and is held back until it is released.
    Quarantined = 20, "DW_ERR_QUARANTINED", No;
    /// The `onCreate` of a worker that is made by its first message failed.
    Activation = 21, "DW_ERR_ACTIVATION", No;
    /// Stored data of the worker cannot be read or migrated.
    DataFormat = 22, "DW_ERR_DATA_FORMAT", No;
    /// A change of the worker's data could not be stored.
    NotStored = 23, "DW_ERR_NOT_STORED", Yes;
}

/// An error on its way to the user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    pub code: Code,
    pub delivered: Delivered,
    pub message: String,
    /// The error as JSON text, where there is more to it.
    pub body: Bytes,
}

impl Failure {
    /// With the `delivered` that the table gives for the code.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, delivered: code.delivered(), message: message.into(), body: Bytes::new() }
    }
    pub fn with_body(mut self, body: Bytes) -> Self {
        self.body = body;
        self
    }
    /// The same error, known to have (not) run.
    pub fn with_delivered(mut self, delivered: Delivered) -> Self {
        self.delivered = delivered;
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)
    }
}

impl std::error::Error for Failure {}

/// What the core's own operations return.
pub type Outcome<T> = Result<T, Failure>;
