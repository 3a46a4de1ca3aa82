//! The data of a message as JavaScript hands it over.

use crate::binding::strings::Text;
use crate::wire::message::{Encoding, PayloadRef};
use napi::bindgen_prelude::FromNapiValue;
use napi::{check_status, sys};
use std::borrow::Cow;
use std::ptr;

/// The form of a string of the application, which becomes JSON text here. The other forms are the numbers of the encodings.
const STRING: u32 = 0;

/// A string or bytes of JavaScript: valid during the call that they are arguments of, as long as that runs no JavaScript.
pub(crate) struct Data(Given);

enum Given {
    Nothing,
    Text { text: Text, is_json: bool },
    Bytes { encoding: Encoding, first: *const u8, length: usize },
}

impl Data {
    /// Reads the arguments `data` and `form`.
    ///
    /// # Safety
    /// `env` and `data` are those of the running call.
    pub(crate) unsafe fn of(env: sys::napi_env, data: sys::napi_value, form: u32) -> napi::Result<Self> {
        let encoding = u8::try_from(form).map_or(Encoding::Unknown, Encoding::from_number);
        // SAFETY: as the caller promises.
        unsafe {
            Ok(Self(match encoding {
                Encoding::Packed | Encoding::Bytes | Encoding::Structured => {
                    let (first, length) = bytes_of(env, data)?;
                    Given::Bytes { encoding, first, length }
                }
                _ => match Option::<Text>::from_napi_value(env, data)? {
                    None => Given::Nothing,
                    Some(text) => Given::Text { text, is_json: form != STRING },
                },
            }))
        }
    }

    /// Lends the payload to `send`.
    pub(crate) fn payload<R>(&self, send: impl FnOnce(PayloadRef<'_>) -> R) -> R {
        match &self.0 {
            Given::Nothing => send(PayloadRef::ABSENT),
            Given::Text { text, is_json } => {
                let json: Cow<'_, str> = text.json(!is_json);
                send(PayloadRef::json(json.as_bytes()))
            }
            Given::Bytes { encoding, first, length } => {
                let bytes = match length {
                    0 => &[],
                    // SAFETY: no JavaScript has run since they were read, so the array is where it was.
                    _ => unsafe { std::slice::from_raw_parts(*first, *length) },
                };
                send(PayloadRef { encoding: *encoding, bytes })
            }
        }
    }
}

/// Where the bytes of a `Uint8Array` are, and how many.
///
/// # Safety
/// `env` and `value` are those of the running call.
pub(crate) unsafe fn bytes_of(env: sys::napi_env, value: sys::napi_value) -> napi::Result<(*mut u8, usize)> {
    let (mut kind, mut length, mut data) = (0, 0, ptr::null_mut());
    // SAFETY: as the caller promises; Node-API writes what is asked for.
    let status = unsafe {
        sys::napi_get_typedarray_info(env, value, &mut kind, &mut length, &mut data, ptr::null_mut(), ptr::null_mut())
    };
    check_status!(status, "Expected a Uint8Array")?;
    if kind != sys::TypedarrayType::uint8_array {
        return Err(napi::Error::from_reason("Expected a Uint8Array"));
    }
    Ok((data.cast(), length))
}
