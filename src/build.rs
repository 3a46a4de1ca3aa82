//! Link settings of the Node addon.
fn main() {
    println!("cargo:rerun-if-changed=src/build.rs");
    #[cfg(feature = "binding")]
    napi_build::setup();
}
