//! Connections to other members: opened where there is none, cut where a member is gone.

use crate::broker::membership::members::Members;
use crate::coordination::Owner;
use crate::error::{Code, Failure, Outcome};
use crate::ids::{Endpoint, Incarnation};
use crate::level::Level;
use crate::transport::{ConnectError, Connection};
use std::sync::Arc;
use std::time::Duration;

/// Between the two attempts to connect.
const APART: Duration = Duration::from_millis(50);
impl Members {
    /// The open connection to an incarnation, if there is one.
    pub fn open_connection(&self, to: &Owner) -> Option<Arc<Connection>> {
        self.peers.connection(&to.incarnation)
    }

    /// An open connection to an incarnation, made if there is none.
    pub async fn connect(&self, owner: &Owner) -> Outcome<Arc<Connection>> {
        if let Some(connection) = self.open_connection(owner) {
            return Ok(connection);
        }
        let Some(address) = &owner.address else {
            return Err(Failure::new(Code::Unreachable, "The worker's broker has left the cluster."));
        };
        if self.peers.is_silent(&owner.incarnation) {
            let text = format!("The worker's broker at {address} did not answer the connection attempt in time.");
            return Err(Failure::new(Code::Unreachable, text));
        }
        match self.transports.connect(address, &owner.incarnation).await {
            Ok(connection) => {
                let (broker, way) = (&connection.peer().broker, connection.remote());
                self.context.log(Level::Debug, format!("Connected to broker \"{broker}\" at {way}."));
                self.peers.connected(&owner.incarnation, &connection);
                // Who is talked to is watched.
                self.changes.watch_anew();
                Ok(connection)
            }
            Err(error) => Err(connect_failure(address, error)),
        }
    }

    /// What was in flight to this incarnation is failed at once, and its routes are dropped.
    pub fn part_from(&self, incarnation: &Incarnation, why: &str) {
        self.peers.disconnect(incarnation);
        let leads_there = |connection: &Connection| connection.peer().incarnation == *incarnation;
        self.transports.cut_off(leads_there, why);
    }

    /// Whether nobody answers there as this incarnation, tried twice; `None`: that cannot be told.
    pub async fn refuses(&self, address: &Endpoint, incarnation: &Incarnation) -> Option<bool> {
        for attempt in 0..2 {
            if attempt > 0 {
                tokio::time::sleep(APART).await;
            }
            match self.transports.connect_control(address, incarnation).await? {
                Err(ConnectError::Refused | ConnectError::WrongIncarnation) => {}
                Ok(_) => return Some(false),
                Err(_) => return None,
            }
        }
        Some(true)
    }
}

/// What is said of a broker that could not be connected to. A limit that was reached, here or there, is no sign that it is
/// unreachable.
fn connect_failure(address: &Endpoint, error: ConnectError) -> Failure {
    const CLOSE_SOONER: &str = "or lower its option.socTimeout, so that unused connections are closed sooner";
    match error {
        ConnectError::Unauthorized(text) => Failure::new(Code::Unauthorized, text),
        ConnectError::PeerFull => Failure::new(
            Code::Overloaded,
            format!(
                "The worker's broker at {address} is connected to as many other brokers as it allows. Raise \
                 option.maxPeers of that broker, {CLOSE_SOONER}."
            ),
        ),
        ConnectError::Full(limit) => Failure::new(
            Code::Overloaded,
            format!(
                "This broker is connected to {limit} other brokers, its limit, and not to the worker's broker at \
                 {address}. Raise option.maxPeers of this broker, {CLOSE_SOONER}."
            ),
        ),
        ConnectError::NoDescriptor => Failure::new(
            Code::Overloaded,
            format!(
                "This process has no file descriptor left for a connection to the worker's broker at {address}. Raise \
                 its limit (ulimit -n)."
            ),
        ),
        error => {
            Failure::new(Code::Unreachable, format!("The worker's broker at {address} cannot be reached: {error}"))
        }
    }
}
