//! The local clock: milliseconds that go on through suspend and never jump back.
//!
//! A lease is counted on it: a machine that slept must find its lease expired, whatever `Date` or the wall clock say.
//!
//! | system | clock |
//! | --- | --- |
//! | Linux, Android | `CLOCK_BOOTTIME` |
//! | macOS, iOS | `mach_continuous_time` |
//! | Windows | the performance counter, or `GetTickCount64` where that is ahead: it counts sleep |
//! | any other | a monotonic clock, moved ahead by what the wall clock gained: after a gap the lease is over until the coordinator is asked |

#[cfg(any(
    test,
    not(any(
        target_os = "linux",
        target_os = "android",
        target_os = "macos",
        target_os = "ios",
        target_os = "windows"
    ))
))]
mod gap;

#[cfg(debug_assertions)]
pub mod simulated;

/// Milliseconds of a clock that runs while the machine is suspended and that no clock step touches.
pub fn boot_millis() -> u64 {
    #[cfg(debug_assertions)]
    if let Some(millis) = simulated::millis() {
        return millis;
    }
    system_millis()
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn system_millis() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec that lives through the call; CLOCK_BOOTTIME needs no rights.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &mut time) };
    time.tv_sec as u64 * 1000 + time.tv_nsec as u64 / 1_000_000
}

#[cfg(any(target_os = "macos", target_os = "ios"))]
fn system_millis() -> u64 {
    use once_cell::sync::Lazy;

    #[repr(C)]
    #[derive(Default)]
    struct Timebase {
        numer: u32,
        denom: u32,
    }
    extern "C" {
        fn mach_continuous_time() -> u64;
        fn mach_timebase_info(info: *mut Timebase) -> i32;
    }
    /// Nanoseconds a tick, as a fraction: 1/1 on Intel, 125/3 on Apple silicon.
    static TIMEBASE: Lazy<(u64, u64)> = Lazy::new(|| {
        let mut timebase = Timebase::default();
        // SAFETY: `timebase` has the layout of mach_timebase_info_data_t and lives through the call.
        unsafe { mach_timebase_info(&mut timebase) };
        (u64::from(timebase.numer.max(1)), u64::from(timebase.denom.max(1)))
    });
    // SAFETY: it takes nothing and touches nothing.
    let ticks = unsafe { mach_continuous_time() };
    millis_of_ticks(ticks, *TIMEBASE)
}

/// Milliseconds of so many ticks of so many nanoseconds, as a fraction.
#[cfg(any(target_os = "macos", target_os = "ios", test))]
fn millis_of_ticks(ticks: u64, (numer, denom): (u64, u64)) -> u64 {
    (u128::from(ticks) * u128::from(numer) / u128::from(denom) / 1_000_000) as u64
}

#[cfg(target_os = "windows")]
fn system_millis() -> u64 {
    use once_cell::sync::Lazy;

    extern "system" {
        fn GetTickCount64() -> u64;
    }
    // SAFETY: it takes nothing and touches nothing.
    let ticks = || unsafe { GetTickCount64() };
    static START: Lazy<(std::time::Instant, u64)> =
        // SAFETY: as above.
        Lazy::new(|| (std::time::Instant::now(), unsafe { GetTickCount64() }));
    let (start, first) = *START;
    // Neither goes back, so the later of the two does not. The ticks are coarse, and behind as long as nobody slept.
    (start.elapsed().as_millis() as u64).max(ticks() - first)
}

#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "macos",
    target_os = "ios",
    target_os = "windows"
)))]
fn system_millis() -> u64 {
    use once_cell::sync::Lazy;
    use std::sync::Mutex;
    use std::time::{Instant, SystemTime, UNIX_EPOCH};

    static START: Lazy<Instant> = Lazy::new(Instant::now);
    static CLOCK: Lazy<Mutex<gap::GapClock>> = Lazy::new(Mutex::default);
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64);
    let monotonic = START.elapsed().as_millis() as u64;
    CLOCK.lock().unwrap_or_else(std::sync::PoisonError::into_inner).read(monotonic, wall)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_of_apple_silicon_and_intel_become_milliseconds_without_overflow() {
        assert_eq!(millis_of_ticks(24_000_000, (125, 3)), 1000);
        assert_eq!(millis_of_ticks(1_000_000_000, (1, 1)), 1000);
        let century = 100 * 365 * 24 * 3600;
        assert_eq!(millis_of_ticks(24_000_000 * century, (125, 3)), 1000 * century);
    }

    #[test]
    fn the_clock_of_this_system_goes_on_with_time() {
        let (before, began) = (boot_millis(), std::time::Instant::now());
        while began.elapsed() < std::time::Duration::from_millis(20) {
            std::thread::yield_now();
        }
        assert!((19..5_000).contains(&(boot_millis() - before)));
    }
}
