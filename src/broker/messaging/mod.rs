//! Messages and answers on their way between brokers.
//!
//! | what you look for | file |
//! | --- | --- |
//! | an ask or tell on its way out | [`outgoing`] |
//! | what arrives from peers | [`incoming`] |
//! | messages that come back unhandled | [`bounces`], [`refusals`] |
//! | calls that end before their answer | [`cancellation`] |

pub mod bounces;
pub mod cancellation;
pub mod incoming;
pub mod outgoing;
pub mod refusals;
