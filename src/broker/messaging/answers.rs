//! What handlers answer: to a caller of this broker, or to a peer.

use crate::broker::activation::requests::AskPlace;
use crate::broker::calls::table::Settled;
use crate::broker::js::delivery::Origin;
use crate::broker::js::event::Event;
use crate::broker::messaging::outgoing::Messages;
use crate::broker::output::answer::Answer;
use crate::broker::output::failure::send_failure;
use crate::error::{Code, Delivered, Failure};
use crate::transport::SendError;
use crate::wire::codec;
use crate::wire::message::PayloadRef;
use bytes::Bytes;

impl Messages {
    /// The handler's result.
    pub fn reply(&self, inbound: u64, payload: PayloadRef<'_>) {
        if self.output.holds_back(|| Answer::Reply { inbound, payload: payload.copied() }) {
            return;
        }
        let place = self.workers.handled(inbound);
        match place.as_ref().map(AskPlace::origin) {
            None => {}
            Some(Origin::Local { slot }) if payload.bytes.len() > self.context.config.max_message_bytes => {
                let length = payload.bytes.len();
                let failure = send_failure(SendError::TooLarge { length, max: self.context.config.max_message_bytes });
                let failure = Failure::new(failure.code, format!("The result is too large. {}", failure.message))
                    .with_delivered(Delivered::Yes);
                self.calls.fail(*slot, failure);
            }
            Some(Origin::Local { slot }) => self.answer_here(*slot, payload),
            Some(Origin::Remote { connection, call }) => {
                let max = connection.max_message_bytes();
                let written = connection.answer_with(|out| codec::encode_reply(out, max, *call, payload));
                if let Err(SendError::TooLarge { length, max }) = written {
                    let failure = send_failure(SendError::TooLarge { length, max });
                    let message = Bytes::from(format!("The result is too large. {}", failure.message));
                    self.output.write_failure(connection, *call, Code::TooLarge, message, Bytes::new());
                }
                self.output.mark_dirty(connection);
            }
        }
    }

    /// The caller is in this broker: its answer is the next that JavaScript takes.
    fn answer_here(&self, slot: u64, payload: PayloadRef<'_>) {
        if self.calls.end(slot).is_some() {
            self.context.inbox.push_quietly(Event::Done { slot, value: payload.copied() });
        }
    }

    /// The handler failed; `body` is its error as JSON text.
    pub fn fail(&self, inbound: u64, message: &str, body: &str) {
        if self.output.holds_back(|| Answer::Failure { inbound, message: message.into(), body: body.into() }) {
            return;
        }
        let place = self.workers.handled(inbound);
        match place.as_ref().map(AskPlace::origin) {
            None => {}
            Some(Origin::Local { slot }) => {
                let failure = Failure::new(Code::Rejected, message);
                let body = Bytes::copy_from_slice(body.as_bytes());
                self.calls.settle(*slot, Settled::Failure { failure, body });
            }
            Some(Origin::Remote { connection, call }) => {
                let message = Bytes::copy_from_slice(message.as_bytes());
                self.output.write_failure(
                    connection,
                    *call,
                    Code::Rejected,
                    message,
                    Bytes::copy_from_slice(body.as_bytes()),
                );
                self.output.mark_dirty(connection);
            }
        }
    }
}
