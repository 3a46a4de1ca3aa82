//! Messages and answers on their way between brokers.
//!
//! | what you look for | file |
//! | --- | --- |
//! | an ask or tell on its way out | [`outgoing`] |
//! | what arrives from peers | [`incoming`] |
//! | messages that come back unhandled | [`bounces`], [`refusals`] |
//! | what handlers answer | [`answers`] |

pub(crate) mod answers;
pub(crate) mod bounces;
pub(crate) mod incoming;
pub(crate) mod outgoing;
pub(crate) mod refusals;
