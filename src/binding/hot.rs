//! What is called for every message: functions that are given the number of their broker.
//!
//! A method of a class has Node-API prove first that `this` is one and that nobody else holds it: 0.15 µs of the 1.6 that
//! sending takes (Node 20, 2 cores). A number is looked up in a table.

use crate::binding::text::Text;
use crate::broker::core::Core;
use crate::broker::event::Event;
use napi_derive::napi;
use std::cell::RefCell;
use std::sync::Arc;

thread_local! {
    /// The cores of this environment's brokers. No number is given twice: one that a broker had names none after it.
    static CORES: RefCell<Vec<Option<Arc<Core>>>> = const { RefCell::new(Vec::new()) };
}

/// Gives a broker its number.
pub fn enter(core: &Arc<Core>) -> u32 {
    CORES.with_borrow_mut(|cores| {
        cores.push(Some(core.clone()));
        (cores.len() - 1) as u32
    })
}

pub fn leave(number: u32) {
    // A thread that ends drops its table before its brokers, or after.
    let core = CORES.try_with(|cores| cores.borrow_mut().get_mut(number as usize).and_then(Option::take));
    drop(core);
}

fn core(number: u32) -> Option<Arc<Core>> {
    CORES.with_borrow(|cores| cores.get(number as usize).cloned().flatten())
}

/// `plain`: `data` is a string of the application's; otherwise it is JSON text.
#[napi(catch_unwind)]
pub fn ask(broker: u32, slot: f64, worker: Text, method: Text, data: Option<Text>, timeout: f64, plain: bool) {
    let Some(core) = core(broker) else { return };
    let json = data.as_ref().map(|data| data.json(plain));
    match core.life() {
        Err(failure) => core.inbox.push(Event::failed(slot as u64, failure)),
        Ok(life) => life.ask(&worker, &method, json.as_deref(), slot as u64, timeout as u64),
    }
}

/// `true`: handed over; otherwise an event comes under the slot.
#[napi(catch_unwind)]
pub fn tell(broker: u32, slot: f64, worker: Text, method: Text, data: Option<Text>, plain: bool) -> bool {
    let Some(core) = core(broker) else { return false };
    let json = data.as_ref().map(|data| data.json(plain));
    match core.life() {
        Err(failure) => {
            core.inbox.push(Event::failed(slot as u64, failure));
            false
        }
        Ok(life) => life.tell(&worker, &method, json.as_deref(), slot as u64),
    }
}

#[napi(catch_unwind)]
pub fn reply(broker: u32, inbound: f64, data: Option<Text>, plain: bool) {
    let json = data.as_ref().map(|data| data.json(plain));
    if let Some(life) = core(broker).and_then(|core| core.life().ok()) {
        life.reply(inbound as u64, json.as_deref());
    }
}
