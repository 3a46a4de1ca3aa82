//! Texts that JavaScript says again and again, by number: ids of workers and names of methods.
//!
//! To read a string of JavaScript takes 650 instructions, and a number 35 (callgrind, Node 20). JavaScript gives a text its number and decides
//! how many there are (`lib/base/names.js`); a text without a number comes as it is.

use crate::binding::strings::Text;
use crate::limits::KNOWN_NAMES;
use napi::bindgen_prelude::FromNapiValue;
use napi::sys;
use std::cell::RefCell;
use std::ops::Deref;
use std::rc::Rc;

#[derive(Default)]
pub(crate) struct Names(RefCell<Vec<Rc<str>>>);

/// The id of a worker or the name of a method, as an argument of a call.
pub(crate) enum Name {
    Known(Rc<str>),
    Given(Text),
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Known(text) => text,
            Self::Given(text) => text,
        }
    }
}

impl Names {
    /// `number`: of a text that has one, in place of which this one comes, or the next one.
    pub(crate) fn set(&self, number: u32, text: &str) -> napi::Result<()> {
        let mut names = self.0.borrow_mut();
        let (at, known) = (number as usize, names.len());
        if at < known {
            names[at] = text.into();
        } else if at == known && known < KNOWN_NAMES {
            names.push(text.into());
        } else {
            return Err(unknown(number));
        }
        Ok(())
    }

    /// Reads an argument that is a number or a text.
    ///
    /// # Safety
    /// `env` and `value` are those of the running call.
    pub(crate) unsafe fn read(&self, env: sys::napi_env, value: sys::napi_value) -> napi::Result<Name> {
        let mut number = 0;
        // SAFETY: as the caller promises. Where the value is no number, that is the answer, and nothing is thrown.
        if unsafe { sys::napi_get_value_uint32(env, value, &mut number) } == sys::Status::napi_ok {
            return self.0.borrow().get(number as usize).cloned().map(Name::Known).ok_or_else(|| unknown(number));
        }
        // SAFETY: as the caller promises.
        unsafe { Text::from_napi_value(env, value) }.map(Name::Given)
    }
}

fn unknown(number: u32) -> napi::Error {
    napi::Error::from_reason(format!("Expected a text or its number, but {number} is the number of none"))
}
