//! The same connections served by a loop outside of the runtime: everything that holds on tasks holds here.
// Each of the two is also a test of its own, with what it needs.
#![allow(clippy::duplicate_mod)]

#[path = "transport_ends.rs"]
mod ends;
#[path = "transport_messages.rs"]
mod messages;
