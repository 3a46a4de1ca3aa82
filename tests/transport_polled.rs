//! The same connections served by a loop outside of the runtime: everything that holds on tasks holds here.

#[path = "transport_ends.rs"]
mod ends;
#[path = "transport_messages.rs"]
mod messages;
