//! Where workers are: routes, the order of messages to one worker, and the search for its broker.
//!
//! | what you look for | file |
//! | --- | --- |
//! | the parts of this room | [`room`] |
//! | routes, and messages that wait for one | [`routes`]; one lane a worker: [`lanes`], [`lane`] |
//! | from a worker's id to a route | [`resolution`], [`lookup`] |
//! | what waits is written to the route that was found | [`attachment`] |
//! | a worker that is made or woken by a message | [`lookup`] |
//! | brokers that cannot be used | [`avoided`], [`complaints`], [`accusers`] |
//! | lists of brokers and workers | [`inventory`] |
//! | what is said of a worker that waits to be recovered | [`pending`] |

pub(crate) mod accusers;
pub(crate) mod attachment;
pub(crate) mod avoided;
pub(crate) mod complaints;
pub(crate) mod inventory;
pub mod lane;
pub mod lanes;
pub(crate) mod lookup;
pub(crate) mod pending;
pub(crate) mod resolution;
pub(crate) mod room;
pub(crate) mod routes;
