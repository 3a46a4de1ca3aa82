//! libuv, as far as the program that loaded this addon exports it.

use napi::sys;
use once_cell::sync::Lazy;
use std::ffi::{c_int, c_void, CStr};

pub(crate) type LoopPointer = *mut sys::uv_loop_s;
/// A handle of any type; its memory is ours, its contents are libuv's.
pub(crate) type HandlePointer = *mut c_void;
pub(crate) type HandleCallback = unsafe extern "C" fn(HandlePointer);
pub(crate) type PollCallback = unsafe extern "C" fn(HandlePointer, c_int, c_int);

/// Values of `uv_handle_type` and `uv_poll_event`, the same in every libuv 1.x.
pub(crate) const ASYNC: c_int = 1;
pub(crate) const CHECK: c_int = 2;
pub(crate) const POLL: c_int = 8;
pub(crate) const READABLE: c_int = 1;
pub(crate) const WRITABLE: c_int = 2;

macro_rules! symbols {
    ($($field:ident = $symbol:literal: fn($($argument:ty),*) $(-> $result:ty)?;)*) => {
        /// Looked up by name when the addon runs: linked in the usual way, one that is missing would keep the whole
        /// addon from being loaded.
        pub(crate) struct Uv {
            $(pub $field: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
        }

        impl Uv {
            fn find() -> Option<Self> {
                $(let $field = symbol($symbol)?;)*
                Some(Self {
                    $(
                        // SAFETY: the symbol of this name is a function of this type, in every libuv 1.x.
                        $field: unsafe {
                            std::mem::transmute::<*mut c_void, unsafe extern "C" fn($($argument),*) $(-> $result)?>($field)
                        },
                    )*
                })
            }
        }
    };
}

symbols! {
    event_loop = c"napi_get_uv_event_loop": fn(sys::napi_env, *mut LoopPointer) -> sys::napi_status;
    handle_size = c"uv_handle_size": fn(c_int) -> usize;
    get_data = c"uv_handle_get_data": fn(HandlePointer) -> *mut c_void;
    set_data = c"uv_handle_set_data": fn(HandlePointer, *mut c_void);
    unref = c"uv_unref": fn(HandlePointer);
    is_closing = c"uv_is_closing": fn(HandlePointer) -> c_int;
    close = c"uv_close": fn(HandlePointer, HandleCallback);
    async_init = c"uv_async_init": fn(LoopPointer, HandlePointer, HandleCallback) -> c_int;
    async_send = c"uv_async_send": fn(HandlePointer) -> c_int;
    check_init = c"uv_check_init": fn(LoopPointer, HandlePointer) -> c_int;
    check_start = c"uv_check_start": fn(HandlePointer, HandleCallback) -> c_int;
    poll_init = c"uv_poll_init": fn(LoopPointer, HandlePointer, c_int) -> c_int;
    poll_start = c"uv_poll_start": fn(HandlePointer, c_int, PollCallback) -> c_int;
    poll_stop = c"uv_poll_stop": fn(HandlePointer) -> c_int;
}

impl Uv {
    /// `None` where this runtime has no libuv, or keeps it to itself.
    pub(crate) fn get() -> Option<&'static Self> {
        static UV: Lazy<Option<Uv>> = Lazy::new(Uv::find);
        UV.as_ref()
    }
}

#[cfg(unix)]
fn symbol(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: a lookup by name among what is loaded already.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!found.is_null()).then_some(found)
}

/// There, libuv polls sockets in a way of its own.
#[cfg(not(unix))]
fn symbol(_name: &CStr) -> Option<*mut c_void> {
    None
}
