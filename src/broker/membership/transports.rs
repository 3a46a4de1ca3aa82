//! The two transports of one incarnation: for messages, and for control connections.

use crate::ids::{Endpoint, Incarnation};
use crate::transport::{ConnectError, Connection, Incident, MemoryHub, Tls, Transport};
use crate::wire::handshake::Secrets;
use std::fmt::Display;
use std::sync::{Arc, OnceLock};

/// Both transports. They are apart, so that a connection is never shared between messages and pings.
pub struct Transports {
    /// Set once, before the incarnation is known to anybody else, as is the next one.
    messages: OnceLock<Transport>,
    /// It only connects.
    control: OnceLock<Transport>,
    /// Where brokers of this process find each other without sockets.
    hub: Option<MemoryHub>,
}

impl Transports {
    /// Without the transports themselves, which [`Transports::set`] adds.
    pub fn new(hub: Option<MemoryHub>) -> Self {
        Self { messages: OnceLock::new(), control: OnceLock::new(), hub }
    }

    /// Sets both, once.
    pub fn set(&self, messages: Transport, control: Transport) {
        let _ = self.messages.set(messages);
        let _ = self.control.set(control);
    }

    /// Where brokers of this process find each other without sockets; `None` where they use sockets.
    pub fn hub(&self) -> Option<&MemoryHub> {
        self.hub.as_ref()
    }

    /// The transport for messages.
    pub fn messages(&self) -> &Transport {
        self.messages.get().expect("an incarnation is used only after its transports were set")
    }

    fn both(&self) -> impl Iterator<Item = &Transport> {
        self.messages.get().into_iter().chain(self.control.get())
    }

    /// Opens a connection for messages.
    pub async fn connect(&self, to: &Endpoint, incarnation: &Incarnation) -> Result<Arc<Connection>, ConnectError> {
        self.messages().connect(to, Some(incarnation), self.hub()).await
    }

    /// Opens a control connection; `None` before the transports were set.
    pub async fn connect_control(
        &self,
        to: &Endpoint,
        incarnation: &Incarnation,
    ) -> Option<Result<Arc<Connection>, ConnectError>> {
        Some(self.control.get()?.connect(to, Some(incarnation), self.hub()).await)
    }

    /// Cuts the connections of both that are chosen.
    pub fn cut_off(&self, is_chosen: impl Fn(&Connection) -> bool, why: &str) {
        self.both().for_each(|transport| transport.cut_off(&is_chosen, why));
    }

    /// From now on both prove themselves by these.
    pub fn set_credentials(&self, secrets: &Secrets, tls: Option<&Arc<Tls>>) {
        for transport in self.both() {
            transport.set_secrets(secrets.clone());
            transport.set_tls(tls.cloned());
        }
    }

    /// Counts an incident, and logs it once in a while.
    pub fn note(&self, incident: Incident, remote: &dyn Display, what: &dyn Display) {
        self.messages().note(incident, remote, what);
    }

    /// Drops all sockets at once.
    pub fn abort(&self) {
        self.both().for_each(Transport::abort);
    }

    /// Closes all sockets after what is in their outboxes was written.
    pub async fn close(&self) {
        for transport in self.both() {
            transport.close().await;
        }
    }
}
