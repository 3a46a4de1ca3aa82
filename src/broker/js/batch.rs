//! One batch of events as one JSON text that JavaScript parses once.
//!
//! Payloads are copied as the bytes they are: whatever came from a socket was checked to be exactly one JSON value
//! ([`is_one_json_value`]) or is large and stands apart, where JavaScript parses it alone.

use crate::broker::js::delivery::{Delivery, Origin};
use crate::broker::js::event::Event;
use crate::broker::js::protocol::{EventKind, APART, FORMS, FORM_STRING};
use crate::coordination::{Loaded, Stored};
use crate::error::Failure;
use crate::wire::message::{Encoding, Payload};
use bytes::Bytes;
use serde::de::IgnoredAny;

/// From here on a payload crosses as a string of its own: copying it into the batch costs more than one more crossing.
pub const LARGE: usize = 4096;
/// The same for a string that JavaScript takes as it is: it saves a parser's pass over it.
const LARGE_STRING: usize = 512;

/// Whether the bytes are exactly one JSON value, so that they can stand inside another JSON text.
pub fn is_one_json_value(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok() && serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

/// Whether the bytes are exactly one JSON object.
pub fn is_one_json_object(bytes: &[u8]) -> bool {
    let first = bytes.iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    first == Some(&b'{') && is_one_json_value(bytes)
}

/// Whether this text between quotation marks is a JSON string. One pass without a branch.
pub fn needs_no_escapes(text: &[u8]) -> bool {
    text.iter().fold(true, |fine, byte| fine & (*byte >= 0x20) & (*byte != b'"') & (*byte != b'\\'))
}

/// The text of a JSON string of ASCII without escapes.
pub fn plain_string(json: &[u8]) -> Option<&[u8]> {
    match json {
        [b'"', text @ .., b'"'] if text.is_ascii() && needs_no_escapes(text) => Some(text),
        _ => None,
    }
}

/// A payload that stands apart.
pub enum Apart {
    /// JSON text.
    Json(Bytes),
    /// The JSON of a string, without its quotation marks.
    String(Bytes),
    /// Bytes that JavaScript decodes.
    Coded(Encoding, Bytes),
}

impl Apart {
    fn of(payload: &Payload) -> Option<Self> {
        let bytes = &payload.bytes;
        match payload.encoding {
            Encoding::Packed | Encoding::Bytes | Encoding::Structured => {
                return Some(Apart::Coded(payload.encoding, bytes.clone()));
            }
            _ if bytes.len() < LARGE_STRING => return None,
            _ => {}
        }
        match plain_string(bytes) {
            Some(text) => Some(Apart::String(bytes.slice_ref(text))),
            None => (bytes.len() >= LARGE).then(|| Apart::Json(bytes.clone())),
        }
    }

    pub fn bytes(&self) -> &[u8] {
        match self {
            Apart::Json(bytes) | Apart::String(bytes) | Apart::Coded(_, bytes) => bytes,
        }
    }

    /// How JavaScript reads it (`lib/payload/payload.js`): 0 a string as it is, otherwise the number of its encoding.
    fn form(&self) -> u64 {
        match self {
            Apart::String(_) => FORM_STRING,
            Apart::Json(_) => Encoding::Json as u64,
            Apart::Coded(encoding, _) => *encoding as u64,
        }
    }
}

/// Writes events into JSON text.
#[derive(Default)]
pub struct BatchWriter {
    pub text: Vec<u8>,
    pub large: Vec<Apart>,
}

impl BatchWriter {
    /// The text of these events, in order; [`BatchWriter::large`] holds what stands apart.
    pub fn write(&mut self, events: &[Event]) {
        self.text.clear();
        self.large.clear();
        self.text.push(b'[');
        for (index, event) in events.iter().enumerate() {
            if index > 0 {
                self.text.push(b',');
            }
            self.event(event);
        }
        self.text.push(b']');
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Done { slot, value } => {
                let apart = self.open_with(EventKind::Reply, value);
                self.number(*slot);
                self.payload(value, apart);
            }
            Event::Failed { slot, failure, body } => self.failed(*slot, failure, body),
            Event::Message(delivery) => self.message(delivery),
            // Marks are taken out before a batch is written.
            Event::Mark(_) => self.text.extend_from_slice(b"[-1"),
            Event::Create { handle, entry, data } => {
                self.open(EventKind::Create);
                self.number(u64::from(*handle));
                self.string(entry.id.as_str());
                self.string(entry.class.as_str());
                self.number(entry.cause as u64);
                self.string(&entry.epoch.to_string());
                self.number(u64::from(entry.attempt));
                self.text.push(b',');
                self.text.extend_from_slice(entry.attributes.as_bytes());
                self.number(u64::from(entry.lasting.kept));
                self.data(data);
            }
            Event::Destroy { handle, cause } => {
                self.open(EventKind::Destroy);
                self.number(u64::from(*handle));
                self.number(*cause as u64);
            }
            Event::Log { level, message } => {
                self.open(EventKind::Log);
                self.string(level.as_str());
                self.string(message);
            }
            Event::Stopped { message } => self.notice(&["stopped", message]),
            Event::Restart => self.notice(&["restart"]),
            Event::BrokerDead { broker } => self.notice(&["brokerDead", broker]),
            Event::WorkerLost { id, reason } => self.notice(&["workerLost", id, reason]),
            Event::Suspended => self.notice(&["suspended"]),
            Event::Resumed => self.notice(&["resumed"]),
            Event::Readiness => self.notice(&["readiness"]),
            Event::Restored { wiped } => self.notice(&["restored", if *wiped { "wiped" } else { "" }]),
            Event::Direct { handle } => {
                self.open(EventKind::Direct);
                self.number(u64::from(*handle));
            }
            Event::Trial { handle } => {
                self.open(EventKind::Trial);
                self.number(u64::from(*handle));
            }
            Event::Cancel { inbound } => {
                self.open(EventKind::Cancel);
                self.number(*inbound);
            }
            Event::Request { requester, data } => {
                let apart = self.open_with(EventKind::Request, data);
                self.number(*requester);
                self.payload(data, apart);
            }
            Event::Response { data } => {
                let apart = self.open_with(EventKind::Response, data);
                self.payload(data, apart);
            }
            Event::Disconnect { host, port } => {
                self.open(EventKind::Disconnect);
                self.string(host);
                self.number(u64::from(*port));
            }
        }
        self.text.push(b']');
    }

    /// Version and value of what is stored, or two nulls where there is only what follows: its timers, where there are any. -1 where it
    /// is missing or no JSON text; nothing where nothing was stored.
    fn data(&mut self, data: &Loaded) {
        let is_json = |text: &str| text.is_empty() || is_one_json_value(text.as_bytes());
        match data {
            Loaded::Nothing => {}
            Loaded::Stored(Stored { version, text, timers, .. }) if is_json(text) && is_json(&timers.text) => {
                if text.is_empty() {
                    self.text.extend_from_slice(b",null,null");
                } else {
                    self.number(u64::from(*version));
                    self.text.push(b',');
                    self.text.extend_from_slice(text.as_bytes());
                }
                if !timers.text.is_empty() {
                    self.text.push(b',');
                    self.text.extend_from_slice(timers.text.as_bytes());
                }
            }
            Loaded::Stored(_) | Loaded::Missing => self.text.extend_from_slice(b",-1"),
        }
    }

    fn message(&mut self, delivery: &Delivery) {
        let envelope = &delivery.envelope;
        let is_ask = delivery.origin.is_ask();
        let apart = self.open_with(if is_ask { EventKind::Ask } else { EventKind::Tell }, &envelope.payload);
        if is_ask {
            self.number(delivery.inbound);
        } else {
            self.tell_origin(delivery);
        }
        self.number(u64::from(delivery.handle));
        // The codec checked it to be UTF-8.
        self.string(&String::from_utf8_lossy(&envelope.method));
        self.payload(&envelope.payload, apart);
    }

    /// The number of a turn; otherwise the connection that the tell came over, below zero.
    fn tell_origin(&mut self, delivery: &Delivery) {
        match &delivery.origin {
            _ if delivery.turn => self.number(delivery.inbound),
            Origin::Remote { connection, .. } => {
                self.text.extend_from_slice(b",-");
                self.digits(connection.id());
            }
            Origin::Local { .. } => self.number(0),
        }
    }

    fn failed(&mut self, slot: u64, failure: &Failure, body: &Bytes) {
        self.open(EventKind::Fail);
        self.number(slot);
        self.string(failure.code.as_str());
        self.string(failure.delivered.as_str());
        self.string(&failure.message);
        if !body.is_empty() {
            self.text.push(b',');
            self.text.extend_from_slice(body);
        }
    }

    fn notice(&mut self, words: &[&str]) {
        self.open(EventKind::Notice);
        for word in words {
            self.string(word);
        }
    }

    /// Begins an event.
    fn open(&mut self, kind: EventKind) {
        self.text.push(b'[');
        self.digits(kind as u64);
    }

    /// Begins an event that has a payload; returns the payload where it is sent apart.
    fn open_with(&mut self, kind: EventKind, payload: &Payload) -> Option<Apart> {
        let apart = Apart::of(payload);
        let added = if apart.is_some() { APART } else { 0 };
        self.text.push(b'[');
        self.digits(kind as u64 + u64::from(added));
        apart
    }

    /// The payload, or its place and form where it stands apart.
    fn payload(&mut self, payload: &Payload, apart: Option<Apart>) {
        if payload.encoding == Encoding::Absent {
            return;
        }
        self.text.push(b',');
        match apart {
            None => self.text.extend_from_slice(&payload.bytes),
            Some(apart) => {
                self.digits(self.large.len() as u64 * FORMS + apart.form());
                self.large.push(apart);
            }
        }
    }

    fn number(&mut self, number: u64) {
        self.text.push(b',');
        self.digits(number);
    }

    fn digits(&mut self, mut number: u64) {
        let mut digits = [0u8; 20];
        let mut start = digits.len();
        loop {
            start -= 1;
            digits[start] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.text.extend_from_slice(&digits[start..]);
    }

    fn string(&mut self, text: &str) {
        self.text.push(b',');
        if text.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
            self.text.push(b'"');
            self.text.extend_from_slice(text.as_bytes());
            self.text.push(b'"');
        } else {
            serde_json::to_writer(&mut self.text, text).expect("writing into memory does not fail");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_string_of_ascii_without_escapes_is_taken_as_it_is() {
        let taken = |json: &str| plain_string(json.as_bytes()).map(<[u8]>::to_vec);
        assert_eq!(taken("\"a b\""), Some(b"a b".to_vec()));
        assert_eq!(taken("\"\""), Some(Vec::new()));
        for other in
            ["", "\"", "1", "a", "\"a", "a\"", "\"a\\\"", "\"a\"b\"", "\"a\n\"", "\"\u{e9}\"", " \"a\"", "\"a\\n\""]
        {
            assert_eq!(taken(other), None, "{other}");
        }
    }

    #[test]
    fn every_string_that_is_taken_as_it_is_is_one_json_value() {
        for byte in 0..=255u8 {
            let json = [b'"', b'a', byte, b'"'];
            assert!(plain_string(&json).is_none() || is_one_json_value(&json), "{byte}");
        }
    }

    #[test]
    fn long_strings_stand_apart_and_say_that_they_are_no_json() {
        let slot = 7;
        let value = |text: String| Event::Done { slot, value: Payload::json(Bytes::from(text)) };
        let long = "x".repeat(LARGE);
        let mut writer = BatchWriter::default();
        writer.write(&[value(format!("\"{long}\"")), value(format!("[\"{long}\"]")), value("\"x\"".into())]);
        assert_eq!(writer.text, br#"[[16,7,0],[16,7,9],[0,7,"x"]]"#);
        assert_eq!(writer.large[0].bytes(), long.as_bytes());
    }

    #[test]
    fn a_payload_that_is_no_json_stands_apart_however_short_it_is() {
        let payload = |encoding, bytes: &'static [u8]| Payload { encoding, bytes: Bytes::from_static(bytes) };
        let done = |encoding, bytes| Event::Done { slot: 7, value: payload(encoding, bytes) };
        let mut writer = BatchWriter::default();
        writer.write(&[
            done(Encoding::Packed, b"1"),
            done(Encoding::Bytes, b""),
            done(Encoding::Structured, b"],["),
            done(Encoding::Absent, b""),
        ]);
        assert_eq!(writer.text, br#"[[16,7,2],[16,7,11],[16,7,20],[0,7]]"#);
        assert_eq!(writer.large.iter().map(Apart::bytes).collect::<Vec<_>>(), [&b"1"[..], b"", b"],["]);
    }

    #[test]
    fn every_payload_is_where_the_table_says() {
        let data = || Payload { encoding: Encoding::Bytes, bytes: Bytes::from_static(b"x") };
        let slot = 7;
        let events = [
            (EventKind::Reply, Event::Done { slot, value: data() }),
            (EventKind::Request, Event::Request { requester: 7, data: data() }),
            (EventKind::Response, Event::Response { data: data() }),
        ];
        for (kind, event) in events {
            let mut writer = BatchWriter::default();
            writer.write(&[event]);
            let written: Vec<Vec<u64>> = serde_json::from_slice(&writer.text).unwrap();
            let at = usize::from(kind.payload_at().unwrap());
            assert_eq!(written[0][0], kind as u64 + u64::from(APART));
            assert_eq!(written[0][at], Encoding::Bytes as u64, "{kind:?}");
        }
    }
}
