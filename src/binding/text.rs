//! Text on its way into JavaScript.

use napi::{Env, JsString};

/// JSON text as a string. Most of it is ASCII, which V8 takes as it is; anything else has to be decoded.
pub fn to_js<'env>(env: &'env Env, bytes: &[u8]) -> napi::Result<JsString<'env>> {
    if bytes.is_ascii() {
        env.create_string_latin1(bytes)
    } else {
        env.create_string(String::from_utf8_lossy(bytes))
    }
}
