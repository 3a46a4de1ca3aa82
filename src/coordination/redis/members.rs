//! Brokers on the server: records, leases, and who follows whom.

use super::answer;
use super::client::Client;
use super::question::{self, millis};
use super::record;
use super::reply;
use super::schema;
use super::script::{self, Arguments};
use crate::coordination::keys::escape;
use crate::coordination::{
    BrokerRecord, Complaint, CoordinationResult, Death, Eviction, Fate, Known, Look, Membership, Registration, Renewal,
    Sighting, CHUNK, CLOCK_TOLERANCE, SCHEMA_VERSION,
};
use crate::ids::Incarnation;
use std::time::Duration;

impl Client {
    pub(super) async fn secret(&self) -> CoordinationResult<String> {
        let (generation, secret) = (crate::ids::random_hex::<16>(), crate::ids::random_hex::<32>());
        let arguments = Arguments::of([SCHEMA_VERSION.to_string(), generation, secret]);
        let answer = self.run(&script::SECRET, arguments).await?;
        self.read("secret", answer::secret(answer))?.map_err(|version| schema::foreign_version(self, &version))
    }

    pub(super) async fn register(&self, record: &BrokerRecord, ttl: Duration) -> CoordinationResult<Registration> {
        let arguments = Arguments::of([
            record.incarnation.to_string(),
            escape(record.broker.as_str()),
            record::encode(record),
            millis(ttl),
            SCHEMA_VERSION.to_string(),
            crate::ids::random_hex::<16>(),
            crate::ids::random_hex::<32>(),
        ]);
        let answer = self.run(&script::REGISTER, arguments).await?;
        match self.read("register", answer::registered(answer))? {
            Ok(registration) => Ok(registration),
            Err(version) => Err(schema::foreign_version(self, &version)),
        }
    }

    pub(super) async fn renew(&self, incarnation: &Incarnation, ttl: Duration) -> CoordinationResult<Renewal> {
        let arguments = Arguments::of([incarnation.to_string(), millis(ttl)]);
        let answer = self.run_urgently(&script::RENEW, arguments).await?;
        self.read("renew", answer::renewed(answer))
    }

    pub(super) async fn update(&self, record: &BrokerRecord) -> CoordinationResult<bool> {
        let arguments = Arguments::of([record.incarnation.to_string(), record::encode(record)]);
        let answer = self.run(&script::UPDATE, arguments).await?;
        self.read("update", reply::number(answer)).map(|number| number == 1)
    }

    pub(super) async fn look(&self, by: &Incarnation, known: Option<&Known>) -> CoordinationResult<Look> {
        let none = String::new;
        let (generation, server, version) = known.map_or_else(
            || (none(), none(), none()),
            |known| (known.generation.clone(), known.server.to_string(), known.version.to_string()),
        );
        let arguments = Arguments::of([by.to_string(), generation, server, version]);
        let answer = self.run(&script::LOOK, arguments).await?;
        self.read("look", answer::look(by, answer))
    }

    pub(super) async fn find_member(&self, incarnation: &Incarnation) -> CoordinationResult<Sighting> {
        let answer = self.run(&script::FIND_MEMBER, Arguments::of([incarnation.to_string()])).await?;
        self.read("find_member", answer::sighting(incarnation, answer))
    }

    pub(super) async fn scan(&self, by: &Incarnation) -> CoordinationResult<Membership> {
        let answer = self.run(&script::SCAN, Arguments::of([by.to_string()])).await?;
        self.read("scan", answer::membership(answer))
    }

    pub(super) async fn evict(
        &self,
        by: &Incarnation,
        dead: &Incarnation,
        death: &Death,
        limit: usize,
    ) -> CoordinationResult<Eviction> {
        let none = String::new;
        let (by, seen, expected, server) = match death {
            Death::Expired { expected } => (by.to_string(), none(), expected.0.to_string(), none()),
            Death::Proven { lease_expires, server } => {
                (by.to_string(), lease_expires.0.to_string(), none(), server.to_string())
            }
            Death::Succeeded { lease_expires } => (none(), lease_expires.0.to_string(), none(), none()),
        };
        let (limit, tolerance) = (limit.min(CHUNK).to_string(), millis(CLOCK_TOLERANCE));
        let arguments = Arguments::of([by, dead.to_string(), seen, limit, expected, tolerance, server]);
        let answer = self.run(&script::EVICT, arguments.key(self.keys.own(dead))).await?;
        self.read("evict", answer::eviction(answer))
    }

    pub(super) async fn leave(&self, incarnation: &Incarnation, fate: Fate, limit: usize) -> CoordinationResult<u64> {
        let arguments = Arguments::of([incarnation.to_string(), question::fate(fate), limit.min(CHUNK).to_string()]);
        let answer = self.run(&script::LEAVE, arguments.key(self.keys.own(incarnation))).await?;
        self.read("leave", reply::number(answer))
    }

    pub(super) async fn request_restart(&self) -> CoordinationResult<u64> {
        let answer = self.run(&script::RESTART, Arguments::default()).await?;
        self.read("restart", reply::number(answer))
    }

    pub(super) async fn complain(
        &self,
        about: &Incarnation,
        by: &Incarnation,
        complaint: Complaint,
    ) -> CoordinationResult<()> {
        let arguments = Arguments::of([about.to_string(), by.to_string(), complaint.as_str().into()]);
        self.run(&script::COMPLAIN, arguments).await.map(drop)
    }

    pub(super) async fn is_listening(&self, incarnation: &Incarnation) -> CoordinationResult<bool> {
        let mut command = redis::cmd("PUBSUB");
        command.arg("NUMSUB").arg(self.keys.signal_channels().alive(incarnation));
        command.arg(self.keys.lease_channels().alive(incarnation));
        let answer = self.command(&command, "PUBSUB NUMSUB").await?;
        self.read("PUBSUB NUMSUB", answer::subscribers(answer)).map(|count| count > 0)
    }
}
