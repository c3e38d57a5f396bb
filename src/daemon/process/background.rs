//! Threads whose work comes after everything else that wants the processor.

/// A processor that another thread wants gives such a thread about a seventieth of its time.
const NICE: i32 = 19;

/// Lets this thread work while nobody else wants its processor, and hardly otherwise. What it does still comes to an
/// end: SCHED_IDLE would leave it a fifth of that, and on a busy host a verdict may then take minutes. SCHED_BATCH does
/// not let it interrupt the thread that starts checks when it wakes up.
pub(in crate::daemon) fn step_back() {
    // 0 is this thread alone. Being less polite is no reason to give up, and a sandbox may forbid it.
    let _ = rustix::process::setpriority_process(None, NICE);
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        let _ = sched_setscheduler(0, SCHED_BATCH, &Parameters { priority: 0 });
    }
}

/// As Linux has it. See sched(7).
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const SCHED_BATCH: std::ffi::c_int = 3;

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
        let policy_and_nice = |of: &str| {
            let stat = std::fs::read_to_string(format!("/proc/{of}/stat")).unwrap();
            let behind_name = stat.rsplit_once(')').unwrap().1.to_owned();
            // Fields 41 and 19 of proc_pid_stat(5); the name is the second.
            [38, 16].map(|field| {
                behind_name
                    .split_whitespace()
                    .nth(field)
                    .unwrap()
                    .to_owned()
            })
        };
        let before = policy_and_nice("self");
        let inside = std::thread::spawn(move || {
            step_back();
            policy_and_nice("thread-self")
        });
        assert_eq!(inside.join().unwrap(), ["3", "19"]);
        assert_eq!(policy_and_nice("self"), before);
    }
}
