//! Text on its way into JavaScript and out of it, with as few passes over it as V8 allows.

use crate::broker::js::batch::needs_no_escapes;
use napi::bindgen_prelude::{FromNapiValue, TypeName, ValidateNapiValue};
use napi::{check_status, sys, Env, JsString, ValueType};
use std::borrow::Cow;
use std::ops::Deref;
use std::ptr;

/// UTF-8 bytes that one UTF-16 unit takes at most.
const MAX_UTF8_PER_UNIT: usize = 3;
/// Room for a short text and its quotation marks: names of workers and methods, small payloads.
const SHORT: usize = 64;
/// V8 stops before a character that does not fit with its terminator: with less room left than this it may have stopped.
const LARGEST_CHARACTER: usize = 4;

/// JSON text as a string. Most of it is ASCII, which V8 takes as it is; anything else has to be decoded.
pub(crate) fn to_js<'env>(env: &'env Env, bytes: &[u8]) -> napi::Result<JsString<'env>> {
    if bytes.is_ascii() {
        env.create_string_latin1(bytes)
    } else {
        env.create_string(String::from_utf8_lossy(bytes))
    }
}

/// A string argument, between quotation marks: most strings become JSON text without being moved.
pub struct Text(Quoted);

enum Quoted {
    /// The first bytes of it.
    Short([u8; SHORT], usize),
    Long(Vec<u8>),
}

impl Text {
    /// As JSON text. `plain`: it is a string of the application's; otherwise it is JSON text already.
    ///
    /// Here, because `JSON.stringify` takes 48 µs for 16 KiB of text, and this 1.5 µs (Node 20, 2 cores).
    pub fn json(&self, plain: bool) -> Cow<'_, str> {
        if !plain {
            Cow::Borrowed(self)
        } else if needs_no_escapes(self.as_bytes()) {
            Cow::Borrowed(self.quoted())
        } else {
            Cow::Owned(serde_json::to_string(&**self).expect("writing into memory does not fail"))
        }
    }

    fn quoted(&self) -> &str {
        let bytes = match &self.0 {
            Quoted::Short(bytes, length) => &bytes[..*length],
            Quoted::Long(bytes) => bytes,
        };
        // SAFETY: what V8 wrote was checked when it was read, and quotation marks are characters of their own.
        unsafe { str::from_utf8_unchecked(bytes) }
    }

    /// Short ones cost no memory and one call; `None` where it is longer.
    unsafe fn read_short(env: sys::napi_env, value: sys::napi_value) -> napi::Result<Option<Self>> {
        let mut bytes = [b'"'; SHORT];
        // One byte is the first quotation mark; the terminator's place is the second one's.
        let room = SHORT - 1;
        let mut written = 0;
        // SAFETY: env and value are those of the running call; V8 writes `room` bytes at most.
        let status = unsafe {
            let rest = bytes.as_mut_ptr().add(1).cast();
            sys::napi_get_value_string_utf8(env, value, rest, room, &mut written)
        };
        check_status!(status, "Expected a string")?;
        if written + LARGEST_CHARACTER > room - 1 {
            return Ok(None);
        }
        bytes[1 + written] = b'"';
        checked(&bytes[..written + 1])?;
        Ok(Some(Self(Quoted::Short(bytes, written + 2))))
    }

    /// Its number of units costs V8 nothing, its number of UTF-8 bytes a pass over the text: so room is made for the most
    /// that it may take.
    unsafe fn read_long(env: sys::napi_env, value: sys::napi_value) -> napi::Result<Self> {
        let mut units = 0;
        // SAFETY: env and value are those of the running call; without a buffer only the length is written.
        let status = unsafe { sys::napi_get_value_string_latin1(env, value, ptr::null_mut(), 0, &mut units) };
        check_status!(status, "Expected a string")?;
        // One more for the terminator that V8 writes, whose place the second quotation mark takes.
        let room = units * MAX_UTF8_PER_UNIT + 1;
        let mut bytes: Vec<u8> = Vec::with_capacity(1 + room);
        bytes.push(b'"');
        let mut written = 0;
        // SAFETY: behind the first byte the buffer has `room` more; V8 initialises `written` of them, and the terminator.
        unsafe {
            let rest = bytes.as_mut_ptr().add(1).cast();
            let status = sys::napi_get_value_string_utf8(env, value, rest, room, &mut written);
            check_status!(status, "Expected a string")?;
            bytes.set_len(1 + written);
        }
        checked(&bytes)?;
        bytes.push(b'"');
        Ok(Self(Quoted::Long(bytes)))
    }
}

/// V8 writes UTF-8, and puts U+FFFD where a surrogate stands alone: this never fails, but it is cheap to know.
fn checked(bytes: &[u8]) -> napi::Result<()> {
    let wrong = |_| napi::Error::from_reason("Expected a string of Unicode text");
    str::from_utf8(bytes).map(|_| ()).map_err(wrong)
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        let quoted = self.quoted();
        &quoted[1..quoted.len() - 1]
    }
}

impl TypeName for Text {
    fn type_name() -> &'static str {
        "String"
    }

    fn value_type() -> ValueType {
        ValueType::String
    }
}

impl ValidateNapiValue for Text {}

impl FromNapiValue for Text {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> napi::Result<Self> {
        // SAFETY: as the caller promises.
        unsafe {
            match Self::read_short(env, value)? {
                Some(short) => Ok(short),
                None => Self::read_long(env, value),
            }
        }
    }
}
