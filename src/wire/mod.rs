//! What brokers say to each other. Pure: bytes in, messages out, no sockets.

pub mod call_chain;
pub mod codec;
pub mod handshake;
pub mod message;
