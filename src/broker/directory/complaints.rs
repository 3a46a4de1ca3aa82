//! A broker that others cannot use is told, so that the reason shows in its own log, too.

use crate::broker::context::notices::Notices;
use crate::broker::context::shared::Context;
use crate::broker::directory::accusers::{Accusers, MEMORY};
use crate::broker::directory::avoided::Avoided;
use crate::broker::js::event::Event;
use crate::broker::membership::members::Members;
use crate::clock::boot_millis;
use crate::coordination::{Complaint, Owner};
use crate::error::{Code, Failure};
use crate::ids::{ClassName, ClusterName, Incarnation};
use crate::level::Level;
use crate::lock::lock;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Brokers that cannot be used, and classes that no broker hosts: placement avoids the former, the log tells of both.
pub struct Reports {
    pub(super) context: Arc<Context>,
    pub(super) members: Arc<Members>,
    /// Classes of workers that wait to be recovered and that no broker hosts, as far as they were warned of.
    pub(super) missing_classes: Mutex<Notices<(ClusterName, ClassName)>>,
    /// Brokers that could not be used lately, and what was said of that.
    avoided: Mutex<Avoided>,
    complaints: Mutex<Notices<Incarnation>>,
    /// Brokers that could not connect to this one lately.
    accusers: Mutex<Accusers>,
}

impl Reports {
    pub(super) fn new(context: &Arc<Context>, members: &Arc<Members>) -> Arc<Self> {
        Arc::new(Self {
            context: context.clone(),
            members: members.clone(),
            missing_classes: Mutex::default(),
            avoided: Mutex::default(),
            complaints: Mutex::default(),
            accusers: Mutex::default(),
        })
    }

    /// Brokers that placement should avoid now.
    pub fn avoided(&self) -> Vec<Incarnation> {
        lock(&self.avoided).current(boot_millis())
    }

    /// This broker could be used.
    pub fn worked(&self, broker: &Incarnation) {
        lock(&self.avoided).worked(broker);
    }

    /// New workers are placed on other brokers for a while, which is logged once a minute at most: then the answer is `true`.
    pub fn avoid(&self, broker: &Owner, failure: &Failure) -> bool {
        let now = boot_millis();
        lock(&self.avoided).failed(&broker.incarnation, now);
        if lock(&self.complaints).note(broker.incarnation.clone(), now).is_none() {
            return false;
        }
        self.context.log(Level::Warn, format!("Placing new workers on other brokers: {}", failure.message));
        true
    }

    /// The same, and the broker is told, so that it logs it, too.
    pub fn complain(&self, about: &Owner, failure: &Failure) {
        let complaint = match failure.code {
            Code::Unauthorized => Complaint::Refused,
            Code::Unreachable => Complaint::Unreachable,
            _ => Complaint::Silent,
        };
        if !self.avoid(about, failure) {
            return;
        }
        let (context, about) = (self.context.clone(), about.incarnation.clone());
        self.context.spawn("complaint", async move {
            if let Err(error) = context.coordinator.complain(&about, &context.incarnation, complaint).await {
                context.log(Level::Debug, format!("A broker could not be notified that it is unreachable: {error}"));
            }
        });
    }

    /// The broker is told when that may have changed, as long as complaints may be forgotten.
    fn note_accuser(&self, by: &Incarnation) {
        lock(&self.accusers).note(by.clone(), boot_millis());
        let context = self.context.clone();
        context.inbox.push(Event::Readiness);
        self.context.spawn("complaint", async move {
            tokio::time::sleep(Duration::from_millis(MEMORY + 1)).await;
            context.inbox.push(Event::Readiness);
        });
    }

    /// Whether most of the others could not connect to this broker lately, and none is connected.
    pub fn is_unreachable(&self) -> bool {
        let accusers = lock(&self.accusers).current(boot_millis());
        if accusers.is_empty() || self.members.peers.connections().iter().any(|connection| connection.is_open()) {
            return false;
        }
        let others = self.members.count_others();
        2 * accusers.iter().filter(|accuser| self.members.knows(accuser)).count() > others
    }

    /// Another broker says that it cannot use this one.
    pub fn hear_complaint(&self, by: &Incarnation, complaint: Complaint) {
        if complaint != Complaint::Silent {
            self.note_accuser(by);
        }
        let Some(count) = lock(&self.complaints).note(self.context.incarnation.clone(), boot_millis()) else { return };
        let name = self.members.broker_of(by).map(|broker| format!("\"{broker}\""));
        let by = name.unwrap_or_else(|| "of unknown name".into());
        let address = self.members.record().address;
        let what = match complaint {
            Complaint::Unreachable => format!(
                "cannot connect to this one at {address}. Check option.advertise, firewalls and limits of connections"
            ),
            Complaint::Refused => {
                format!("was refused by this one at {address}, or refused it. Check option.secret and option.tls")
            }
            Complaint::Silent => "got no answer from this one in time. Its event loop may be blocked".into(),
        };
        self.context.log(
            Level::Warn,
            format!("Broker {by} {what}, and now places new workers on other brokers ({count} reports)."),
        );
    }
}
