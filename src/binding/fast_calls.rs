//! What is called for every message: plain callbacks of Node-API, which are given the number of their broker.
//!
//! What `#[napi]` makes of a function keeps account of what it lent, also where it lent nothing: memory of its own, a lock
//! and three lists a call. A method of a class has Node-API prove first what `this` is. The accounts alone were 2 to 3 % of
//! a single round trip (perf, Node 20, 2 cores). A number is looked up in a table.

use crate::binding::batch_cursor::Station;
use crate::binding::data::{bytes_of, Data};
use crate::binding::names::Name;
use crate::binding::strings::{self, Text};
use crate::broker::directory::lane::Outgoing;
use crate::broker::js::event::Event;
use crate::clock::boot_millis;
use crate::wire::message::EnvelopeRef;
use napi::bindgen_prelude::{FromNapiValue, JsObjectValue, JsValue, Object};
use napi::{check_status, sys, Env};
use napi_derive::napi;
use std::cell::RefCell;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr;
use std::rc::Rc;

/// One argument carries the form of a payload plus this factor times the number of a recipe. Greater than every form.
pub(crate) const RECIPE_FACTOR: u32 = 16;

thread_local! {
    /// This environment's brokers. No number is given twice: one that a broker had names none after it.
    static STATIONS: RefCell<Vec<Option<Rc<Station>>>> = const { RefCell::new(Vec::new()) };
}

/// Gives a broker its number.
pub(crate) fn enter(station: &Rc<Station>) -> u32 {
    STATIONS.with_borrow_mut(|stations| {
        stations.push(Some(station.clone()));
        (stations.len() - 1) as u32
    })
}

pub(crate) fn leave(number: u32) {
    // A thread that ends drops its table before its brokers, or after.
    let station = STATIONS.try_with(|stations| stations.borrow_mut().get_mut(number as usize).and_then(Option::take));
    drop(station);
}

#[napi(module_exports)]
pub(crate) fn export(mut exports: Object<'_>) -> napi::Result<()> {
    exports.create_named_method("ask", ask)?;
    exports.create_named_method("askFor", ask_for)?;
    exports.create_named_method("tell", tell)?;
    exports.create_named_method("reply", reply)?;
    exports.create_named_method("drain", drain)?;
    exports.create_named_method("fetch", fetch)?;
    exports.create_named_method("mayStart", may_start)?;
    exports.create_named_method("setName", set_name)?;
    exports.create_named_method("callWithoutContext", call_without_context)?;
    exports.create_named_method("flush", flush)
}

/// `ask(broker, slot, worker, method, data, form, timeout)`: see [`Data::of`] for `data` and its form.
unsafe extern "C" fn ask(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: called by Node-API.
    unsafe {
        called::<7, ()>(env, info, |station, arguments| {
            let slot = arguments.get::<f64>(1)?;
            let (worker, method) = (arguments.name(station, 2)?, arguments.name(station, 3)?);
            let (data, timeout) = (arguments.data(4)?, arguments.get::<f64>(6)?);
            match station.core.life() {
                Err(failure) => station.core.inbox.push(Event::failed(slot as u64, failure)),
                Ok(life) => {
                    let recipe = arguments.recipe(4)?;
                    data.payload(|payload| {
                        life.messages.ask(&worker, &method, payload, slot as u64, timeout as u64, recipe)
                    });
                    station.left_to_send(&life);
                }
            }
            Ok(())
        })
    }
}

/// `askFor(broker, slot, worker, method, data, form, timeout, inbound, home)`: an ask of the handler of `inbound`, a number of the
/// broker `home`: the same one, or another one of this thread.
unsafe extern "C" fn ask_for(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: called by Node-API.
    unsafe {
        called::<9, ()>(env, info, |station, arguments| {
            let slot = arguments.get::<f64>(1)?;
            let (worker, method) = (arguments.name(station, 2)?, arguments.name(station, 3)?);
            let (data, timeout, inbound) = (arguments.data(4)?, arguments.get::<f64>(6)?, arguments.get::<f64>(7)?);
            let home = station_of(arguments.get(8)?);
            match station.core.life() {
                Err(failure) => station.core.inbox.push(Event::failed(slot as u64, failure)),
                Ok(life) => {
                    let (slot, deadline) = (slot as u64, boot_millis().saturating_add(timeout as u64));
                    let recipe = arguments.recipe(4)?;
                    let home = home.and_then(|home| home.core.life().ok());
                    data.payload(|payload| {
                        let envelope = EnvelopeRef::new(&worker, &method, payload);
                        let outgoing = Outgoing { envelope, slot, is_ask: true, deadline, makes: recipe > 0 };
                        match home {
                            Some(home) => {
                                let workers = &home.activation.workers;
                                life.messages.ask_for(workers, inbound as u64, outgoing, recipe);
                            }
                            None => life.messages.send_ask(outgoing, recipe, boot_millis()),
                        }
                    });
                    station.left_to_send(&life);
                }
            }
            Ok(())
        })
    }
}

/// `tell(broker, slot, worker, method, data, form)`. `true`: handed over; otherwise an event comes under the slot.
unsafe extern "C" fn tell(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: called by Node-API.
    unsafe {
        called::<6, bool>(env, info, |station, arguments| {
            let slot = arguments.get::<f64>(1)?;
            let (worker, method) = (arguments.name(station, 2)?, arguments.name(station, 3)?);
            let data = arguments.data(4)?;
            Ok(match station.core.life() {
                Err(failure) => {
                    station.core.inbox.push(Event::failed(slot as u64, failure));
                    false
                }
                Ok(life) => {
                    let recipe = arguments.recipe(4)?;
                    data.payload(|payload| life.messages.tell(&worker, &method, payload, slot as u64, recipe))
                }
            })
        })
    }
}

/// `reply(broker, inbound, data, form)`.
unsafe extern "C" fn reply(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: called by Node-API.
    unsafe {
        called::<4, ()>(env, info, |station, arguments| {
            let (inbound, data) = (arguments.get::<f64>(1)?, arguments.data(2)?);
            if let Ok(life) = station.core.life() {
                data.payload(|payload| life.messages.reply(inbound as u64, payload));
                station.left_to_send(&life);
            }
            Ok(())
        })
    }
}

/// `drain(broker, starts)`: see [`Station::drain`]; `null`: there are no events, and what was to be sent is written.
unsafe extern "C" fn drain(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: called by Node-API.
    unsafe {
        called::<2, Option<sys::napi_value>>(env, info, |station, arguments| {
            let starts: u32 = arguments.get(1)?;
            station
                .drain(starts as usize, |batch| strings::to_js(&Env::from_raw(env), batch).map(|text| text.raw()))
                .transpose()
        })
    }
}

/// `fetch(broker, index, into)`: copies a payload that stands apart from the current batch into this `Uint8Array`, unless it is
/// longer; its length.
unsafe extern "C" fn fetch(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: called by Node-API.
    unsafe {
        called::<3, f64>(env, info, |station, arguments| {
            let (first, room) = bytes_of(env, arguments.values[2])?;
            let copy = |bytes: &[u8]| {
                if (1..=room).contains(&bytes.len()) {
                    // SAFETY: the array has room for them, and belongs to JavaScript, which does not run.
                    ptr::copy_nonoverlapping(bytes.as_ptr(), first, bytes.len());
                }
                bytes.len() as f64
            };
            Ok(station.apart(arguments.get(1)?, copy).unwrap_or_default())
        })
    }
}

/// `setName(broker, number, text)`: see [`Names::set`](crate::binding::names::Names::set).
unsafe extern "C" fn set_name(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: called by Node-API.
    unsafe {
        called::<3, ()>(env, info, |station, arguments| {
            station.names.set(arguments.get(1)?, &arguments.get::<Text>(2)?)
        })
    }
}

/// `mayStart(broker, index)`: see [`Station::may_start`].
unsafe extern "C" fn may_start(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: called by Node-API.
    unsafe { called::<2, bool>(env, info, |station, arguments| Ok(station.may_start(arguments.get(1)?))) }
}

/// `flush(broker)`: see [`Station::flush`].
unsafe extern "C" fn flush(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: called by Node-API.
    unsafe { called::<1, bool>(env, info, |station, _| Ok(station.flush())) }
}

/// `callWithoutContext(object, function)`: calls the function, with the object as `this` and as the resource that Node.js has for
/// the call, as the event loop calls into JavaScript: no store of an `AsyncLocalStorage` of whoever calls is there.
unsafe extern "C" fn call_without_context(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let mut result = ptr::null_mut();
    // SAFETY: called by Node-API, with values of the running call. Where a step fails an exception is pending, or the result is
    // `undefined`.
    unsafe {
        if let Ok(Arguments { values: [object, function], .. }) = Arguments::<2>::of(env, info) {
            sys::napi_make_callback(env, ptr::null_mut(), object, function, 0, ptr::null(), &mut result);
        }
    }
    result
}

/// The broker with this number, unless it is gone.
fn station_of(number: u32) -> Option<Rc<Station>> {
    STATIONS.with_borrow(|stations| stations.get(number as usize).cloned().flatten())
}

/// The values that a callback was given.
struct Arguments<const N: usize> {
    env: sys::napi_env,
    values: [sys::napi_value; N],
}

impl<const N: usize> Arguments<N> {
    unsafe fn of(env: sys::napi_env, info: sys::napi_callback_info) -> napi::Result<Self> {
        let (mut values, mut count) = ([ptr::null_mut(); N], N);
        // SAFETY: as the caller promises; Node-API writes N values, `undefined` for those that are missing.
        let status = unsafe {
            sys::napi_get_cb_info(env, info, &mut count, values.as_mut_ptr(), ptr::null_mut(), ptr::null_mut())
        };
        check_status!(status, "Expected the arguments of a call")?;
        Ok(Self { env, values })
    }

    fn get<T: FromNapiValue>(&self, at: usize) -> napi::Result<T> {
        // SAFETY: values of the running call.
        unsafe { T::from_napi_value(self.env, self.values[at]) }
    }

    /// The id of a worker or the name of a method: a text, or the number that [`set_name`] gave it.
    fn name(&self, station: &Station, at: usize) -> napi::Result<Name> {
        // SAFETY: values of the running call.
        unsafe { station.names.read(self.env, self.values[at]) }
    }

    /// The data of a message, whose form is the argument after it.
    fn data(&self, at: usize) -> napi::Result<Data> {
        let form: u32 = self.get(at + 1)?;
        // SAFETY: values of the running call.
        unsafe { Data::of(self.env, self.values[at], form % RECIPE_FACTOR) }
    }

    /// The number of the recipe that stands beside the form of the data.
    fn recipe(&self, data: usize) -> napi::Result<u32> {
        Ok(self.get::<u32>(data + 1)? / RECIPE_FACTOR)
    }
}

/// What a callback gives JavaScript; null: `undefined`.
trait Given {
    unsafe fn give(self, env: sys::napi_env) -> sys::napi_value;
}

impl Given for () {
    unsafe fn give(self, _env: sys::napi_env) -> sys::napi_value {
        ptr::null_mut()
    }
}

impl Given for f64 {
    unsafe fn give(self, env: sys::napi_env) -> sys::napi_value {
        let mut value = ptr::null_mut();
        // SAFETY: the environment of the running call. Where that fails it gives `undefined`.
        unsafe { sys::napi_create_double(env, self, &mut value) };
        value
    }
}

impl Given for bool {
    unsafe fn give(self, env: sys::napi_env) -> sys::napi_value {
        let mut value = ptr::null_mut();
        // SAFETY: the environment of the running call. Where that fails it gives `undefined`.
        unsafe { sys::napi_get_boolean(env, self, &mut value) };
        value
    }
}

impl Given for Option<sys::napi_value> {
    unsafe fn give(self, env: sys::napi_env) -> sys::napi_value {
        self.unwrap_or_else(|| {
            let mut value = ptr::null_mut();
            // SAFETY: as above.
            unsafe { sys::napi_get_null(env, &mut value) };
            value
        })
    }
}

/// Runs a callback with the broker that its first argument names; without one it gives what `R` is by default. What goes
/// wrong is thrown in JavaScript.
unsafe fn called<const N: usize, R: Given + Default>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
    run: impl FnOnce(&Station, Arguments<N>) -> napi::Result<R>,
) -> sys::napi_value {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: as the caller promises.
        let arguments = unsafe { Arguments::<N>::of(env, info) }?;
        let number: u32 = arguments.get(0)?;
        station_of(number).map_or_else(|| Ok(R::default()), |station| run(&station, arguments))
    }));
    let wrong = match outcome {
        // SAFETY: as the caller promises.
        Ok(Ok(given)) => return unsafe { given.give(env) },
        Ok(Err(error)) => error.reason.to_string(),
        Err(_) => "The core of dworker panicked".to_owned(),
    };
    // SAFETY: as the caller promises; the text is copied, its length given.
    unsafe {
        let mut text = ptr::null_mut();
        let mut error = ptr::null_mut();
        sys::napi_create_string_utf8(env, wrong.as_ptr().cast(), wrong.len() as isize, &mut text);
        sys::napi_create_error(env, ptr::null_mut(), text, &mut error);
        sys::napi_throw(env, error);
    }
    ptr::null_mut()
}
