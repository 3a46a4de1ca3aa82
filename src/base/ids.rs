//! Names and numbers that identify things: newtypes, so that one is never taken for another.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps the text as it is; checks belong to where the text comes in.
            pub fn new(text: impl AsRef<str>) -> Self {
                Self(Arc::from(text.as_ref()))
            }
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }
    };
}

text_id!(
    /// The application's name of a broker, unique in a namespace: `new Broker(id)`.
    BrokerId
);
text_id!(
    /// One life of a broker: new at every `start()`, never used again. 32 hex digits.
    Incarnation
);
text_id!(
    /// The id of a worker, unique in a namespace: `Name#7`, a static worker's class name, or the application's own.
    WorkerId
);
text_id!(
    /// The registered name of a worker class.
    ClassName
);
text_id!(
    /// A cluster of brokers: workers of a class live in the class's cluster.
    ClusterName
);

text_id!(
    /// One life of the server process that keeps the cluster's state (Redis: its `run_id`).
    ServerId
);

/// Larger n are the application's own ids: no namespace counts a trillion workers of a class.
const MAX_COUNTED: u64 = 1 << 40;

/// The class and the n of an id that placement counted out (`Class#n`); `None` for any other.
pub fn numbered(id: &WorkerId) -> Option<(ClassName, u64)> {
    let (class, digits) = id.as_str().rsplit_once('#')?;
    let n: u64 = digits.parse().ok()?;
    let counted = (1..=MAX_COUNTED).contains(&n) && n.to_string() == digits;
    counted.then(|| (ClassName::new(class), n))
}

impl Incarnation {
    /// A new one, from the operating system's random source.
    pub fn random() -> Self {
        Self::new(random_hex::<16>())
    }
}

/// `N` random bytes as lower-case hex.
pub fn random_hex<const N: usize>() -> String {
    let mut bytes = [0u8; N];
    getrandom::fill(&mut bytes).expect("the operating system has a random source");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// How often ids were activated: grows with every activation of an id, through destruction, clock steps and wipes. Microseconds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A point on the coordinator's clock (Redis `TIME`), in milliseconds. Never compared with a local clock.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct ServerTime(pub u64);

/// Where a broker listens. The embedded coordinator uses host `memory`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Endpoint {
    /// An IP address (IPv6 without brackets) or a name.
    pub host: String,
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_were_counted_out_tell_their_number_and_others_do_not() {
        assert_eq!(numbered(&"Room#7".into()), Some(("Room".into(), 7)));
        assert_eq!(numbered(&"a#b#12".into()), Some(("a#b".into(), 12)));
        for id in [
            "Room",
            "Room#",
            "Room#0",
            "Room#07",
            "Room#+7",
            "Room#x",
            "Room#18446744073709551616",
            "Room#9007199254740992",
        ] {
            assert_eq!(numbered(&id.into()), None, "{id}");
        }
    }
}
