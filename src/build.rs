//! Link settings of the Node addon.
fn main() {
    println!("cargo:rerun-if-changed=src/build.rs");
    #[cfg(feature = "binding")]
    {
        napi_build::setup();
        // Runtime threads outlive a worker_thread that loaded the addon: it must never be unmapped under them.
        if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
            println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
        }
    }
}
