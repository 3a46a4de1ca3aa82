//! The local clock: milliseconds that go on through suspend and never jump.

/// Milliseconds of `CLOCK_BOOTTIME`: runs while the machine is suspended, not touched by clock steps.
#[cfg(target_os = "linux")]
pub fn boot_millis() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec that lives through the call; CLOCK_BOOTTIME needs no rights.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &mut time) };
    time.tv_sec as u64 * 1000 + time.tv_nsec as u64 / 1_000_000
}

/// Where there is no `CLOCK_BOOTTIME`: monotonic milliseconds since the first call.
#[cfg(not(target_os = "linux"))]
pub fn boot_millis() -> u64 {
    use once_cell::sync::Lazy;
    static START: Lazy<std::time::Instant> = Lazy::new(std::time::Instant::now);
    START.elapsed().as_millis() as u64
}
