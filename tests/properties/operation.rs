//! One call of the coordinator as a value, and what it is answered.

use dworker::coordination::*;
use dworker::ids::*;
use std::time::Duration;

/// Every operation of the coordinator, as its trait names them.
#[derive(Clone, Debug)]
pub enum Operation {
    Open,
    Close,
    LocalHost,
    Warning,
    /// Listens for hints while this is done.
    Signals(Box<Operation>),
    Time,
    Server,
    Secret,
    Register(BrokerRecord, Duration),
    Announce(Announcement),
    Restore(Incarnation, Vec<Held>),
    Settle(Incarnation, Joined),
    Renew(Incarnation, Duration),
    Update(BrokerRecord),
    Look(Incarnation, Option<Known>),
    FindMember(Incarnation),
    Scan(Incarnation),
    Place(PlaceRequest),
    Activate(Incarnation, Vec<WorkerId>),
    Confirm(Incarnation, Vec<(WorkerId, Epoch)>),
    Release(Incarnation, Vec<Release>),
    Withdraw(Incarnation, WorkerId, Epoch),
    SetLoad(Incarnation, Vec<LoadChange>),
    Locate(WorkerId),
    Claim(ClaimRequest),
    Evict(Incarnation, Incarnation, Death, usize),
    Leave(Incarnation, Fate, usize),
    Pardon(WorkerId),
    Commit(Incarnation, Vec<Commit>),
    Erase(WorkerId, Option<Epoch>),
    Sleep(Incarnation, Vec<Sleep>),
    Ring(RingRequest),
    Owned(Incarnation, usize, usize),
    RequestRestart,
    Complain(Incarnation, Incarnation, Complaint),
    IsListening(Incarnation),
    ListenAs(Option<Incarnation>),
}

#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    Done,
    Host(bool),
    Warned(bool),
    Time(ServerTime),
    Server(Option<ServerId>),
    Secret(String),
    Registration(Registration),
    Restoration(Restoration),
    Renewal(Renewal),
    Look(Box<Look>),
    Sighting(Box<Sighting>),
    Membership(Membership),
    Placement(Placement),
    Activation(Activation),
    Flags(Vec<bool>),
    Location(Location),
    Claim(Claim),
    Eviction(Eviction),
    Left(u64),
    Committed(Vec<Committed>),
    Erasure(Erasure),
    Slept(Vec<Slept>),
    Ring(Ring),
    Owned(Vec<Owned>, usize),
    Number(u64),
    Listening(bool),
    /// What kind of error; the text is the implementation's own.
    Failed(&'static str),
}

impl Operation {
    /// Its name in the trait.
    pub fn name(&self) -> &'static str {
        match self {
            Operation::Open => "open",
            Operation::Close => "close",
            Operation::LocalHost => "local_host",
            Operation::Warning => "warning",
            Operation::Signals(_) => "signals",
            Operation::Time => "time",
            Operation::Server => "server",
            Operation::Secret => "secret",
            Operation::Register(..) => "register",
            Operation::Announce(..) => "announce",
            Operation::Restore(..) => "restore",
            Operation::Settle(..) => "settle",
            Operation::Renew(..) => "renew",
            Operation::Update(..) => "update",
            Operation::Look(..) => "look",
            Operation::FindMember(..) => "find_member",
            Operation::Scan(..) => "scan",
            Operation::Place(..) => "place",
            Operation::Activate(..) => "activate",
            Operation::Confirm(..) => "confirm",
            Operation::Release(..) => "release",
            Operation::Withdraw(..) => "withdraw",
            Operation::SetLoad(..) => "set_load",
            Operation::Locate(..) => "locate",
            Operation::Claim(..) => "claim",
            Operation::Evict(..) => "evict",
            Operation::Leave(..) => "leave",
            Operation::Pardon(..) => "pardon",
            Operation::Commit(..) => "commit",
            Operation::Erase(..) => "erase",
            Operation::Sleep(..) => "sleep",
            Operation::Ring(..) => "ring",
            Operation::Owned(..) => "owned",
            Operation::RequestRestart => "request_restart",
            Operation::Complain(..) => "complain",
            Operation::IsListening(..) => "is_listening",
            Operation::ListenAs(..) => "listen_as",
        }
    }

    /// Whether doing it twice at one point of time leaves what doing it once left.
    pub fn leaves_the_same_when_repeated(&self) -> bool {
        match self {
            Operation::Place(request) => request.id.is_some(),
            Operation::Claim(_) | Operation::RequestRestart | Operation::Signals(_) => false,
            Operation::Ring(request) => request.limit == CHUNK,
            Operation::Evict(.., limit) | Operation::Leave(.., limit) => *limit == CHUNK,
            _ => true,
        }
    }

    pub async fn perform(&self, on: &dyn Coordinator) -> Answer {
        let answer = match self {
            Operation::Open => on.open().await.map(|()| Answer::Done),
            Operation::Close => {
                on.close().await;
                Ok(Answer::Done)
            }
            Operation::LocalHost => Ok(Answer::Host(on.local_host().is_some())),
            Operation::Warning => Ok(Answer::Warned(on.warning().is_some())),
            Operation::Signals(inner) => return Box::pin(inner.perform(on)).await,
            Operation::Time => on.time().await.map(Answer::Time),
            Operation::Secret => on.secret().await.map(Answer::Secret),
            Operation::Register(record, ttl) => on.register(record, *ttl).await.map(Answer::Registration),
            Operation::Server => Ok(Answer::Server(on.server())),
            Operation::Announce(announcement) => on.announce(announcement).await.map(Answer::Registration),
            Operation::Restore(owner, held) => on.restore(owner, held).await.map(Answer::Restoration),
            Operation::Settle(owner, joined) => {
                on.settle(owner, joined).await.map(|counted| Answer::Flags(vec![counted]))
            }
            Operation::Renew(incarnation, ttl) => on.renew(incarnation, *ttl).await.map(Answer::Renewal),
            Operation::Update(record) => on.update(record).await.map(|known| Answer::Flags(vec![known])),
            Operation::Look(by, known) => on.look(by, known.as_ref()).await.map(|look| Answer::Look(Box::new(look))),
            Operation::FindMember(incarnation) => {
                on.find_member(incarnation).await.map(|sighting| Answer::Sighting(Box::new(sighting)))
            }
            Operation::Scan(by) => on.scan(by).await.map(Answer::Membership),
            Operation::Place(request) => on.place(request).await.map(Answer::Placement),
            Operation::Activate(owner, ids) => on.activate(owner, ids).await.map(Answer::Activation),
            Operation::Confirm(owner, activations) => on.confirm(owner, activations).await.map(Answer::Flags),
            Operation::Release(owner, releases) => on.release(owner, releases).await.map(Answer::Flags),
            Operation::Withdraw(owner, id, epoch) => {
                on.withdraw(owner, id, *epoch).await.map(|was| Answer::Flags(vec![was]))
            }
            Operation::SetLoad(owner, changes) => on.set_load(owner, changes).await.map(Answer::Flags),
            Operation::Locate(id) => on.locate(id).await.map(Answer::Location),
            Operation::Claim(request) => on.claim(request).await.map(Answer::Claim),
            Operation::Evict(by, dead, death, limit) => on.evict(by, dead, death, *limit).await.map(Answer::Eviction),
            Operation::Leave(incarnation, fate, limit) => on.leave(incarnation, *fate, *limit).await.map(Answer::Left),
            Operation::Pardon(id) => on.pardon(id).await.map(|freed| Answer::Flags(vec![freed])),
            Operation::Commit(owner, commits) => on.commit(owner, commits).await.map(Answer::Committed),
            Operation::Sleep(owner, sleeps) => on.sleep(owner, sleeps).await.map(Answer::Slept),
            Operation::Ring(request) => on.ring(request).await.map(Answer::Ring),
            Operation::Erase(id, epoch) => on.erase(id, *epoch).await.map(Answer::Erasure),
            Operation::Owned(owner, offset, limit) => {
                on.owned(owner, *offset, *limit).await.map(|owned| Answer::Owned(owned, *limit))
            }
            Operation::RequestRestart => on.request_restart().await.map(Answer::Number),
            Operation::Complain(about, by, complaint) => {
                on.complain(about, by, *complaint).await.map(|()| Answer::Done)
            }
            Operation::IsListening(incarnation) => on.is_listening(incarnation).await.map(Answer::Listening),
            Operation::ListenAs(incarnation) => on.listen_as(incarnation.as_ref()).await.map(|()| Answer::Done),
        };
        answer.unwrap_or_else(|error| match error {
            CoordinationError::Unavailable(_) => Answer::Failed("unavailable"),
            CoordinationError::Schema(_) => Answer::Failed("schema"),
            // Nothing here may be refused, so the text is worth reading.
            CoordinationError::Refused(text) => panic!("{self:?} was refused: {text}"),
        })
    }
}

impl Answer {
    /// What kinds of answer it holds.
    pub fn variants(&self) -> Vec<&'static str> {
        let each = |flags: &[bool]| flags.iter().map(|flag| if *flag { "yes" } else { "no" }).collect();
        match self {
            Answer::Done
            | Answer::Server(_)
            | Answer::Secret(_)
            | Answer::Host(_)
            | Answer::Warned(_)
            | Answer::Time(_)
            | Answer::Number(_) => vec!["done"],
            Answer::Listening(flag) => each(&[*flag]),
            Answer::Flags(flags) => each(flags),
            Answer::Activation(Activation::Answers(entries)) => {
                each(&entries.iter().map(Option::is_some).collect::<Vec<_>>())
            }
            Answer::Restoration(Restoration::Restored(flags)) => each(flags),
            Answer::Failed(kind) => vec![kind],
            Answer::Registration(Registration::Joined(_)) => vec!["joined"],
            Answer::Registration(Registration::IdInUse(_)) => vec!["id in use"],
            Answer::Renewal(Renewal::Evicted { generation: None, .. }) => vec!["wiped"],
            Answer::Renewal(Renewal::Evicted { server_agreed: false, .. }) => vec!["evicted, another server"],
            Answer::Renewal(Renewal::Evicted { .. }) => vec!["evicted"],
            Answer::Renewal(Renewal::Renewed { server_agreed: false, .. }) => vec!["renewed, another server"],
            Answer::Renewal(Renewal::Renewed { next_expiry: None, .. }) => vec!["renewed alone"],
            Answer::Renewal(Renewal::Renewed { now, next_expiry: Some(next), .. }) if next.at <= *now => {
                vec!["renewed, another expired"]
            }
            Answer::Renewal(Renewal::Renewed { .. }) => vec!["renewed"],
            Answer::Look(look) => vec![
                match (look.changes.complete, look.changes.records.len(), look.changes.departed.len()) {
                    (true, ..) => "everything",
                    (false, 0, 0) => "no change",
                    (false, _, 0) => "changes",
                    (false, ..) => "departures",
                },
                if look.overdue.is_empty() { "nobody overdue" } else { "some overdue" },
            ],
            Answer::Sighting(sighting) => each(&[sighting.member.is_some()]),
            Answer::Membership(seen) => vec![
                if seen.members.is_empty() { "nobody" } else { "members" },
                if seen.settled { "settled" } else { "unsettled" },
                if seen.claimable == 0 { "nothing waits" } else { "some wait" },
            ],
            Answer::Placement(Placement::Reserved { .. }) => vec!["reserved"],
            Answer::Placement(Placement::Existing { owner, state, .. }) => vec![held(owner, *state)],
            Answer::Placement(Placement::NoBroker { .. }) => vec!["no broker"],
            Answer::Placement(Placement::OtherClassWaits { .. }) => vec!["another class waits"],
            Answer::Placement(Placement::Later { .. }) => vec!["later"],
            Answer::Placement(Placement::Asleep { .. }) => vec!["asleep"],
            Answer::Placement(Placement::Gone) => vec!["gone"],
            Answer::Committed(all) => all.iter().map(|each| committed(*each)).collect(),
            Answer::Slept(all) => all.iter().map(|each| slept(*each)).collect(),
            Answer::Ring(Ring::Rung { rung: 0, next }) if next.iter().all(Option::is_none) => vec!["nobody"],
            Answer::Ring(Ring::Rung { rung: 0, .. }) => vec!["not yet"],
            Answer::Ring(Ring::Rung { .. }) => vec!["rung"],
            Answer::Erasure(Erasure::Gone) => vec!["gone"],
            Answer::Erasure(Erasure::Owned(_)) => vec!["owned"],
            Answer::Erasure(Erasure::Unsettled) => vec!["unsettled"],
            Answer::Placement(Placement::Quarantined { .. }) => vec!["quarantined"],
            Answer::Placement(Placement::Unsettled)
            | Answer::Activation(Activation::Unsettled)
            | Answer::Location(Location::Unsettled)
            | Answer::Claim(Claim::Unsettled)
            | Answer::Ring(Ring::Unsettled)
            | Answer::Eviction(Eviction::Unsettled) => vec!["unsettled"],
            Answer::Eviction(Eviction::ClockOff { .. }) => vec!["clock off"],
            Answer::Restoration(Restoration::NotMember)
            | Answer::Placement(Placement::NotMember)
            | Answer::Claim(Claim::NotMember)
            | Answer::Ring(Ring::NotMember)
            | Answer::Eviction(Eviction::NotMember) => {
                vec!["not a member"]
            }
            Answer::Location(Location::None) => vec!["none"],
            Answer::Location(Location::Pending { .. }) => vec!["pending"],
            Answer::Location(Location::Asleep { .. }) => vec!["asleep"],
            Answer::Location(Location::Suspected { .. }) => vec!["suspected"],
            Answer::Location(Location::Quarantined { .. }) => vec!["quarantined"],
            Answer::Location(Location::Owned { owner, state, .. }) => vec![held(owner, *state)],
            Answer::Claim(Claim::Claimed { entries, remaining, expired }) => vec![
                if entries.is_empty() { "claimed none" } else { "claimed" },
                if entries.iter().any(|entry| entry.history.is_suspect()) { "a suspect" } else { "no suspect" },
                if *remaining == 0 { "none remain" } else { "some remain" },
                if *expired == 0 { "none expired" } else { "some expired" },
            ],
            Answer::Eviction(Eviction::Outage { .. }) => vec!["outage"],
            Answer::Eviction(Eviction::Alive { .. }) => vec!["alive"],
            Answer::Eviction(Eviction::Evicted { recovered, deleted, remaining, quarantined }) => vec![
                if quarantined.is_empty() { "quarantined none" } else { "quarantined" },
                if *recovered == 0 { "recovered none" } else { "recovered" },
                if *deleted == 0 { "deleted none" } else { "deleted" },
                if *remaining == 0 { "none remain" } else { "some remain" },
            ],
            Answer::Left(left) => vec![if *left == 0 { "none remain" } else { "some remain" }],
            Answer::Owned(owned, limit) => vec![match owned.len() {
                0 => "nothing",
                count if count == *limit => "a full page",
                _ => "all",
            }],
        }
    }
}

fn slept(answer: Slept) -> &'static str {
    match answer {
        Slept::Asleep => "asleep",
        Slept::Elsewhere => "elsewhere",
        Slept::Unsettled => "unsettled",
    }
}

fn committed(answer: Committed) -> &'static str {
    match answer {
        Committed::Written => "written",
        Committed::Fenced => "fenced",
        Committed::Unsettled => "unsettled",
    }
}

fn held(owner: &Owner, state: EntryState) -> &'static str {
    match (state, &owner.address) {
        (EntryState::Placing, Some(_)) => "placing",
        (EntryState::Active, Some(_)) => "active",
        (EntryState::Placing, None) => "placing, owner gone",
        (EntryState::Active, None) => "active, owner gone",
    }
}

/// Every kind of answer that must come up in a run.
pub const EXPECTED: &[(&str, &[&str])] = &[
    ("open", &["done", "unavailable"]),
    ("close", &["done"]),
    ("local_host", &["done"]),
    ("warning", &["done"]),
    ("signals", &["members", "pending", "dead", "restart", "settled", "overruled"]),
    ("time", &["done", "unavailable"]),
    ("server", &["done"]),
    ("secret", &["done", "unavailable"]),
    ("register", &["joined", "id in use", "unavailable"]),
    ("announce", &["joined", "id in use", "unavailable"]),
    ("restore", &["yes", "no", "not a member", "unavailable"]),
    ("settle", &["yes", "no", "unavailable"]),
    (
        "renew",
        &[
            "renewed",
            "renewed alone",
            "renewed, another expired",
            "renewed, another server",
            "evicted",
            "evicted, another server",
            "wiped",
            "unavailable",
        ],
    ),
    ("update", &["yes", "no", "unavailable"]),
    ("look", &["everything", "no change", "changes", "departures", "nobody overdue", "some overdue", "unavailable"]),
    ("find_member", &["yes", "no", "unavailable"]),
    ("scan", &["nobody", "members", "settled", "unsettled", "nothing waits", "some wait", "unavailable"]),
    (
        "place",
        &[
            "reserved",
            "later",
            "quarantined",
            "placing",
            "active",
            "placing, owner gone",
            "active, owner gone",
            "no broker",
            "another class waits",
            "not a member",
            "unsettled",
            "unavailable",
        ],
    ),
    ("activate", &["yes", "no", "unsettled", "unavailable"]),
    ("confirm", &["yes", "no", "unavailable"]),
    ("release", &["yes", "no", "unavailable"]),
    ("withdraw", &["yes", "no", "unavailable"]),
    ("set_load", &["yes", "no", "unavailable"]),
    (
        "locate",
        &[
            "none",
            "unsettled",
            "pending",
            "asleep",
            "suspected",
            "quarantined",
            "placing",
            "active",
            "placing, owner gone",
            "active, owner gone",
            "unavailable",
        ],
    ),
    (
        "claim",
        &[
            "claimed none",
            "claimed",
            "a suspect",
            "no suspect",
            "none remain",
            "some remain",
            "none expired",
            "some expired",
            "not a member",
            "unsettled",
            "unavailable",
        ],
    ),
    (
        "evict",
        &[
            "alive",
            "outage",
            "quarantined none",
            "quarantined",
            "recovered none",
            "recovered",
            "deleted none",
            "deleted",
            "none remain",
            "some remain",
            "not a member",
            "unsettled",
            "clock off",
            "unavailable",
        ],
    ),
    ("leave", &["none remain", "some remain", "unavailable"]),
    ("pardon", &["yes", "no", "unavailable"]),
    ("commit", &["written", "fenced", "unsettled", "unavailable"]),
    ("sleep", &["asleep", "elsewhere", "unsettled", "unavailable"]),
    ("ring", &["nobody", "not yet", "rung", "not a member", "unsettled", "unavailable"]),
    ("erase", &["gone", "owned", "unsettled", "unavailable"]),
    ("owned", &["nothing", "a full page", "all", "unavailable"]),
    ("request_restart", &["done", "unavailable"]),
    ("complain", &["done", "unavailable"]),
    ("is_listening", &["yes", "no", "unavailable"]),
    ("listen_as", &["done", "unavailable"]),
];
