//! One batch of events as one JSON text that JavaScript parses once.
//!
//! Payloads are copied as the bytes they are: whatever came from a socket was checked to be exactly one JSON value
//! ([`is_one_json_value`]) or is large and stands apart, where JavaScript parses it alone.

use crate::broker::event::{Delivery, Event};
use crate::broker::inbound::Origin;
use crate::error::Failure;
use crate::wire::message::{Encoding, Payload};
use bytes::Bytes;
use serde::de::IgnoredAny;

/// From here on a payload crosses as a string of its own: copying it into the batch costs more than one more crossing.
pub const LARGE: usize = 4096;
/// Added to an event's number when its payload stands apart.
const APART: u8 = 16;

/// Whether the bytes are exactly one JSON value, so that they can stand inside another JSON text.
pub fn is_one_json_value(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok() && serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

/// Writes events into JSON text.
#[derive(Default)]
pub struct BatchWriter {
    pub text: Vec<u8>,
    pub large: Vec<Bytes>,
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
                self.open(0, value);
                self.number(*slot);
                self.payload(value);
            }
            Event::Failed { slot, failure, body } => self.failed(*slot, failure, body),
            Event::Message(delivery) => self.message(delivery),
            // Marks are taken out before a batch is written.
            Event::Mark(_) => self.text.extend_from_slice(b"[-1"),
            Event::Create { handle, entry } => {
                self.text.extend_from_slice(b"[4");
                self.number(u64::from(*handle));
                self.string(entry.id.as_str());
                self.string(entry.class.as_str());
                self.string(entry.cluster.as_str());
                self.number(entry.cause as u64);
                self.string(&entry.epoch.to_string());
                self.text.push(b',');
                self.text.extend_from_slice(entry.attributes.as_bytes());
            }
            Event::Destroy { handle, cause } => {
                self.text.extend_from_slice(b"[5");
                self.number(u64::from(*handle));
                self.number(*cause as u64);
            }
            Event::Log { level, message } => {
                self.text.extend_from_slice(b"[6");
                self.string(level.as_str());
                self.string(message);
            }
            Event::Stopped { message } => self.notice(&["stopped", message]),
            Event::Restart => self.notice(&["restart"]),
            Event::BrokerDead { broker } => self.notice(&["brokerDead", broker]),
            Event::WorkerLost { id, reason } => self.notice(&["workerLost", id, reason]),
            Event::Suspended => self.notice(&["suspended"]),
            Event::Resumed => self.notice(&["resumed"]),
            Event::Cancel { inbound } => {
                self.text.extend_from_slice(b"[8");
                self.number(*inbound);
            }
            Event::Request { requester, data } => {
                self.open(10, data);
                self.number(*requester);
                self.payload(data);
            }
            Event::Response { data } => {
                self.open(11, data);
                self.payload(data);
            }
            Event::Disconnect { host, port } => {
                self.text.extend_from_slice(b"[12");
                self.string(host);
                self.number(u64::from(*port));
            }
        }
        self.text.push(b']');
    }

    fn message(&mut self, delivery: &Delivery) {
        let envelope = &delivery.envelope;
        if delivery.origin.is_ask() {
            self.open(2, &envelope.payload);
            self.number(delivery.inbound);
        } else {
            self.open(3, &envelope.payload);
            self.tell_origin(delivery);
        }
        self.number(u64::from(delivery.handle));
        // The codec checked it to be UTF-8.
        self.string(&String::from_utf8_lossy(&envelope.method));
        self.payload(&envelope.payload);
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
        self.text.extend_from_slice(b"[1");
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
        self.text.extend_from_slice(b"[7");
        for word in words {
            self.string(word);
        }
    }

    fn open(&mut self, kind: u8, payload: &Payload) {
        let kind = if payload.bytes.len() >= LARGE { kind + APART } else { kind };
        self.text.push(b'[');
        self.digits(u64::from(kind));
    }

    fn payload(&mut self, payload: &Payload) {
        if payload.encoding == Encoding::Absent {
            return;
        }
        self.text.push(b',');
        if payload.bytes.len() >= LARGE {
            self.digits(self.large.len() as u64);
            self.large.push(payload.bytes.clone());
        } else {
            self.text.extend_from_slice(&payload.bytes);
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
