//! Answers of scripts read piece by piece; whatever does not fit is `None`, never a panic.

use super::record::endpoint;
use crate::coordination::keys::unescape;
use crate::coordination::{EntryState, Owner};
use crate::ids::{ClassName, ClusterName, Endpoint, Epoch, Incarnation, ServerId, ServerTime, WorkerId};
use redis::Value;
use std::vec::IntoIter;

/// Longest id of a worker that is taken from an answer, the same as in `sound.lua`.
const MAX_ID_BYTES: usize = 4096;

/// What a script's number can be exactly; sums of some such numbers do not overflow.
pub(super) const MAX_NUMBER: u64 = 1 << 53;
/// A broker's load counts as this at most: a million workers with the largest load, and the sum of 4 000 brokers' fits.
const MAX_SUM: u64 = 1 << 52;

/// The elements of an array in order.
pub(super) struct Parts(IntoIter<Value>);

impl Parts {
    pub(super) fn of(value: Value) -> Option<Self> {
        match value {
            Value::Array(values) => Some(Self(values.into_iter())),
            _ => None,
        }
    }
    pub(super) fn left(&self) -> usize {
        self.0.len()
    }
    /// The next element; `None` past the end.
    pub(super) fn value(&mut self) -> Option<Value> {
        self.0.next()
    }
    pub(super) fn parts(&mut self) -> Option<Parts> {
        Parts::of(self.0.next()?)
    }
    pub(super) fn text(&mut self) -> Option<String> {
        text(self.0.next()?)
    }
    pub(super) fn number(&mut self) -> Option<u64> {
        number(self.0.next()?)
    }
    pub(super) fn time(&mut self) -> Option<ServerTime> {
        self.number().map(ServerTime)
    }
    pub(super) fn epoch(&mut self) -> Option<Epoch> {
        self.number().map(Epoch)
    }
    pub(super) fn incarnation(&mut self) -> Option<Incarnation> {
        self.text().map(Incarnation::new)
    }
    pub(super) fn server(&mut self) -> Option<ServerId> {
        self.text().map(ServerId::new)
    }
    pub(super) fn worker(&mut self) -> Option<WorkerId> {
        self.text().filter(|id| !id.is_empty() && id.len() <= MAX_ID_BYTES).map(WorkerId::new)
    }
    /// The next element unescaped, which is not empty.
    fn name(&mut self) -> Option<String> {
        unescape(&self.text()?).filter(|name| !name.is_empty())
    }
    pub(super) fn class(&mut self) -> Option<ClassName> {
        self.name().map(ClassName::new)
    }
    pub(super) fn cluster(&mut self) -> Option<ClusterName> {
        self.name().map(ClusterName::new)
    }
    pub(super) fn state(&mut self) -> Option<EntryState> {
        match self.text()?.as_str() {
            "p" => Some(EntryState::Placing),
            "a" => Some(EntryState::Active),
            _ => None,
        }
    }
    /// Host and port; `None` inside when the record is gone or cannot be read.
    fn address(&mut self) -> Option<Option<Endpoint>> {
        let (host, port) = (text(self.0.next()?), text(self.0.next()?));
        Some(host.zip(port).and_then(|(host, port)| endpoint(&host, &port)))
    }
    pub(super) fn owner(&mut self, incarnation: Incarnation) -> Option<Owner> {
        self.address().map(|address| Owner { incarnation, address })
    }
    /// How many deaths count.
    pub(super) fn deaths(&mut self) -> Option<u32> {
        self.number().map(|deaths| u32::try_from(deaths).unwrap_or(u32::MAX))
    }
}

/// UTF-8 text.
pub(super) fn text(value: Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

/// An integer, as one or as digits; one beyond [`MAX_NUMBER`] is none of ours.
pub(super) fn number(value: Value) -> Option<u64> {
    let number = match value {
        Value::Int(number) => u64::try_from(number).ok(),
        value => text(value)?.parse().ok(),
    };
    number.filter(|number| *number <= MAX_NUMBER)
}

/// A score that is a sum of loads: Redis writes large ones as 1e+20.
pub(super) fn load(value: Value) -> Option<u64> {
    let sum: f64 = text(value)?.parse().ok()?;
    // The cast saturates; a negative or an infinite sum is a foreign write.
    (!sum.is_nan()).then_some((sum as u64).min(MAX_SUM))
}

/// One 0 or 1 an item.
pub(super) fn flags(value: Value, count: usize) -> Option<Vec<bool>> {
    let mut parts = Parts::of(value).filter(|parts| parts.left() == count)?;
    let mut flags = Vec::with_capacity(count);
    while let Some(value) = parts.value() {
        flags.push(number(value)? == 1);
    }
    Some(flags)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn foreign_answers_are_none() {
        assert!(Parts::of(Value::Nil).is_none());
        assert_eq!(number(Value::Int(-1)), None);
        assert_eq!(number(bulk("9007199254740993")), None);
        assert_eq!(number(bulk("1.5e3")), None);
        assert_eq!(text(Value::BulkString(vec![0xff])), None);
        assert_eq!(load(bulk("nan")), None);
        assert_eq!(flags(Value::Array(vec![Value::Nil]), 1), None);
    }

    #[test]
    fn numbers_come_as_integers_or_digits_and_loads_as_scores() {
        assert_eq!(number(bulk("1790000000000000")), Some(1_790_000_000_000_000));
        assert_eq!(number(Value::Int(3)), Some(3));
        assert_eq!(load(bulk("1e+20")), Some(MAX_SUM));
        assert_eq!(load(bulk("inf")), Some(MAX_SUM));
        assert_eq!(load(bulk("-1")), Some(0));
    }
}
