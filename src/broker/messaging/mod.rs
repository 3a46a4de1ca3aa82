//! Messages and answers on their way between brokers.
//!
//! | what you look for | file |
//! | --- | --- |
//! | an ask or tell on its way out | [`outgoing`]; to the route that was found: [`attachment`] |
//! | what arrives from peers | [`incoming`] |
//! | messages that come back unhandled | [`bounces`], [`refusals`] |
//! | deadlines and answers of calls | [`calls`] |
//! | calls that end before their answer | [`cancellation`] |
//! | answers held back while the lease may have run out | [`output_gate`] |

pub mod attachment;
pub mod bounces;
pub mod calls;
pub mod cancellation;
pub mod incoming;
pub mod outgoing;
pub mod output_gate;
pub mod refusals;
