//! What the allocator and the program itself keep of the memory, and what they give back to the system.

/// What is at least so large comes from the system by itself and goes back as soon as it is freed.
///
/// Left alone, the allocator raises this to 32 MiB with what a program frees. A body that grows is then copied from one
/// place to a larger one, and its memory is given back in one go, while the allocator is locked; both take milliseconds
/// on the thread that checks. Memory of its own is moved and given back by its pages, on any thread that frees it.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const OWN_PAGES_FROM_BYTES: std::ffi::c_int = 256 * 1024;

/// The allocator gives back what is free at the end of its memory once it is so much: less than that is wanted again by
/// the next checks, and to give back more takes too long.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const FREE_END_BYTES: std::ffi::c_int = 4 * 1024 * 1024;

/// Sets how the allocator deals with large pieces, for as long as the process lives. See mallopt(3).
pub(in crate::daemon) fn keep_in_bounds() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const M_TRIM_THRESHOLD: std::ffi::c_int = -1;
        const M_MMAP_THRESHOLD: std::ffi::c_int = -3;
        // Nothing depends on it.
        let _ = mallopt(M_MMAP_THRESHOLD, OWN_PAGES_FROM_BYTES);
        let _ = mallopt(M_TRIM_THRESHOLD, FREE_END_BYTES);
    }
}

/// After a configuration was read: for a moment that takes many times what stays of it, and between the parts that stay
/// lie holes which nothing fills again. For 100 000 monitors they are a tenth of the whole.
///
/// A matter of milliseconds with the allocator locked, so not on the thread that checks. See malloc_trim(3).
pub(in crate::daemon) async fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // Nothing depends on it.
        let _ = crate::blocking::run(|| {
            malloc_trim(0);
            let_go_of_program();
        })
        .await;
    }
}

/// Lets go of the pages of the program's code. A start runs through most of it and a small installation needs little of
/// it afterwards; what is needed comes back from the page cache by itself. It is a fifth of what such a daemon holds.
/// See madvise(2).
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(
    unsafe_code,
    reason = "code that comes from a file and cannot be written is the same after it was read again"
)]
fn let_go_of_program() {
    const MADV_DONTNEED: std::ffi::c_int = 4;
    let Ok(maps) = std::fs::read_to_string("/proc/self/maps") else {
        return;
    };
    for (start, length) in maps.lines().filter_map(code_of_a_file) {
        // SAFETY: the range is one mapping of this process whose pages are a file's, are not written, and stay mapped.
        let _ = unsafe { madvise(start, length, MADV_DONTNEED) };
    }
}

/// Start and length of a mapping that is executable, not writable and a file's; a line of /proc/pid/maps (proc(5)).
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn code_of_a_file(line: &str) -> Option<(usize, usize)> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let is_code = fields.next()? == "r-xp";
    let inode = fields.nth(2)?;
    let start = usize::from_str_radix(start, 16).ok()?;
    let end = usize::from_str_radix(end, 16).ok()?;
    (is_code && inode != "0").then_some((start, end.checked_sub(start)?))
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(
    unsafe_code,
    reason = "the C library offers these to all who declare them; two take numbers and touch only their own lists"
)]
unsafe extern "C" {
    safe fn malloc_trim(pad: usize) -> std::ffi::c_int;
    safe fn mallopt(parameter: std::ffi::c_int, value: std::ffi::c_int) -> std::ffi::c_int;
    /// With an address as a number: nothing here ever reads there.
    fn madvise(start: usize, length: usize, advice: std::ffi::c_int) -> std::ffi::c_int;
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;

    #[test]
    fn code_is_told_from_everything_else() {
        let code = "55d0c8200000-55d0c8a5b000 r-xp 00234000 fe:00 247030    /usr/bin/sitewatch";
        assert_eq!(code_of_a_file(code), Some((0x55d0_c820_0000, 0x0085_b000)));
        for other in [
            "55d0c8a5b000-55d0c8b00000 r--p 00a8f000 fe:00 247030    /usr/bin/sitewatch",
            "55d0c8b00000-55d0c8b40000 rw-p 00b34000 fe:00 247030    /usr/bin/sitewatch",
            "7ffd3b7f8000-7ffd3b7fa000 r-xp 00000000 00:00 0         [vdso]",
            "7fbe3a346000-7fbe3a368000 rwxp 00000000 00:00 0",
            "55d0c9000000-55d0c9021000 rw-p 00000000 00:00 0         [heap]",
            "",
        ] {
            assert_eq!(code_of_a_file(other), None, "{other}");
        }
    }

    /// The pages are those of the file again, whoever runs through them.
    #[test]
    fn the_program_goes_on_without_its_pages() {
        let before = format!("{:?}", std::time::Duration::from_millis(1500));
        for _ in 0..10 {
            let_go_of_program();
        }
        assert_eq!(
            format!("{:?}", std::time::Duration::from_millis(1500)),
            before
        );
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        assert!(maps.lines().filter_map(code_of_a_file).count() > 1);
    }
}
