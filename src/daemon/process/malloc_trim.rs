//! What the allocator keeps, and what it gives back to the system.

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
        let _ = crate::blocking::run(|| malloc_trim(0)).await;
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(
    unsafe_code,
    reason = "the C library offers these to whoever declares them; they take numbers and touch only their own lists"
)]
unsafe extern "C" {
    safe fn malloc_trim(pad: usize) -> std::ffi::c_int;
    safe fn mallopt(parameter: std::ffi::c_int, value: std::ffi::c_int) -> std::ffi::c_int;
}
