//! Text on its way into JavaScript and out of it, with as few passes over it as V8 allows.

use napi::bindgen_prelude::{FromNapiValue, TypeName, ValidateNapiValue};
use napi::{check_status, sys, Env, JsString, ValueType};
use std::ops::Deref;
use std::ptr;

/// UTF-8 bytes that one UTF-16 unit takes at most.
const MAX_UTF8_PER_UNIT: usize = 3;

/// JSON text as a string. Most of it is ASCII, which V8 takes as it is; anything else has to be decoded.
pub fn to_js<'env>(env: &'env Env, bytes: &[u8]) -> napi::Result<JsString<'env>> {
    if bytes.is_ascii() {
        env.create_string_latin1(bytes)
    } else {
        env.create_string(String::from_utf8_lossy(bytes))
    }
}

/// A string argument. Its number of units costs V8 nothing, its number of UTF-8 bytes a pass over the text: so room is
/// made for the most that it may take.
pub struct Text(String);

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
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
        let mut units = 0;
        // SAFETY: env and value are those of the running call; without a buffer only the length is written.
        let status = unsafe { sys::napi_get_value_string_latin1(env, value, ptr::null_mut(), 0, &mut units) };
        check_status!(status, "Expected a string")?;
        // One more for the terminator that V8 writes.
        let room = units * MAX_UTF8_PER_UNIT + 1;
        let mut bytes: Vec<u8> = Vec::with_capacity(room);
        let mut written = 0;
        // SAFETY: the buffer has `room` bytes; V8 initialises `written` of them, and the terminator.
        unsafe {
            let status = sys::napi_get_value_string_utf8(env, value, bytes.as_mut_ptr().cast(), room, &mut written);
            check_status!(status, "Expected a string")?;
            bytes.set_len(written);
        }
        // V8 writes UTF-8, and puts U+FFFD where a surrogate stands alone: this never fails, but it is cheap to know.
        String::from_utf8(bytes).map(Text).map_err(|_| napi::Error::from_reason("Expected a string of Unicode text"))
    }
}
