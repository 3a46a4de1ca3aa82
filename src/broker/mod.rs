//! What a broker decides: where messages go, who owns what, who is dead. Sockets and Redis are behind seams.
//!
//! | what you look for | file |
//! | --- | --- |
//! | start, destroy, joining again after being fenced | [`core`], [`joining`] |
//! | a broker id that is in use | [`succession`] |
//! | all state of one incarnation | [`life`]; its handles to the coordinator: [`registry`] |
//! | the way of an ask or tell out; the way back of what was not handled | [`sending`], [`returning`]; order and routes in [`lanes`], [`lane`] |
//! | messages between this broker and its own workers that JavaScript keeps to itself | [`direct`] |
//! | finding a worker's broker, connecting | [`resolving`], [`finding`]; writing to the route that was found: [`attaching`] |
//! | what arrives from peers | [`receiving`] |
//! | `createWorker`, `findWorker` | [`creating`], [`raising`]; brokers that cannot be used: [`avoided`], [`complaining`]; what is said of a worker that waits to be recovered: [`pending`] |
//! | log lines that must not repeat | [`notices`] |
//! | workers that live here, replies of handlers | [`hosting`], [`residents`], [`inbound`] |
//! | workers that take one message at a time | [`mailbox`], [`turns`] |
//! | deadlines and answers of calls | [`calls`]; what is counted through all lives: [`numbers`] |
//! | calls that end before their answer | [`cancelling`] |
//! | the lease and the gate | [`lease`], [`renewing`], [`lease_thread`]; answers held back: [`answers`]; messages sent back: [`refusals`] |
//! | an event loop that stands still | [`stall`] |
//! | other brokers, hosted classes, `restartAll` | [`membership`] |
//! | who is evicted, when, by whom | [`evicting`], [`ranking`] |
//! | what becomes of asks that a worker handles when it goes | [`parting`] |
//! | whether the coordinator's clock jumped | [`server_clock`] |
//! | Redis restarted, wiped, rolled back: putting back what is held | [`announcing`], [`remembering`] |
//! | control connections, proof of death | [`watching`], [`neighbours`], [`proving`] |
//! | recovery: claims, lost answers | [`recovery`] |
//! | workers that end their process: trials, quarantine | [`trials`] |
//! | writes into the registry, batched | [`registrar`] |
//! | to JavaScript: events, queue, batch text | [`event`], [`inbox`], [`batch`] |
//! | how many log lines of one kind are emitted | [`log_lines`] |

pub mod announcing;
pub mod answers;
pub mod attaching;
pub mod avoided;
pub mod batch;
pub mod calls;
pub mod cancelling;
pub mod complaining;
pub mod core;
pub mod creating;
pub mod direct;
pub mod event;
pub mod evicting;
pub mod finding;
pub mod hosting;
pub mod inbound;
pub mod inbox;
pub mod joining;
pub mod lane;
pub mod lanes;
pub mod lease;
pub mod lease_thread;
pub mod life;
pub mod log_lines;
pub mod mailbox;
pub mod membership;
pub mod neighbours;
pub mod notices;
pub mod numbers;
pub mod parting;
pub mod pending;
pub mod proving;
pub mod raising;
pub mod ranking;
pub mod receiving;
pub mod recovery;
pub mod refusals;
pub mod registrar;
pub mod registry;
pub mod remembering;
pub mod renewing;
pub mod residents;
pub mod resolving;
pub mod returning;
pub mod sending;
pub mod server_clock;
pub mod stall;
pub mod succession;
pub mod tasks;
pub mod trials;
pub mod turns;
pub mod watching;
