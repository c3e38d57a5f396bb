//! Threads whose work comes after everything else that wants the processor.

/// Where the system takes no notice of [`step_back`]'s first wish.
const NICE: i32 = 19;

/// Lets this thread work only while nobody else wants its processor. To be nice is not enough: such a thread may go on
/// for some milliseconds before the thread that starts checks gets its turn.
pub(in crate::daemon) fn step_back() {
    // 0 is this thread alone. Being less polite is no reason to give up, and a sandbox may forbid it.
    let _ = rustix::process::setpriority_process(None, NICE);
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        let _ = sched_setscheduler(0, SCHED_IDLE, &Parameters { priority: 0 });
    }
}

/// As Linux has it. See sched(7).
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const SCHED_IDLE: std::ffi::c_int = 5;

/// `struct sched_param`.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[repr(C)]
struct Parameters {
    priority: std::ffi::c_int,
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(
    unsafe_code,
    reason = "the C library offers it to whoever declares it; it reads one number behind a reference"
)]
unsafe extern "C" {
    safe fn sched_setscheduler(
        pid: std::ffi::c_int,
        policy: std::ffi::c_int,
        parameters: &Parameters,
    ) -> std::ffi::c_int;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn this_thread_alone_steps_back() {
        let policy = |of: &str| {
            let stat = std::fs::read_to_string(format!("/proc/{of}/stat")).unwrap();
            let behind_name = stat.rsplit_once(')').unwrap().1.to_owned();
            // Field 41 of proc_pid_stat(5); the name is the second.
            behind_name.split_whitespace().nth(38).unwrap().to_owned()
        };
        let before = policy("self");
        let inside = std::thread::spawn(move || {
            step_back();
            policy("thread-self")
        });
        assert_eq!(inside.join().unwrap(), "5");
        assert_eq!(policy("self"), before);
    }
}
