//! Gives memory back to the system that the allocator would keep for later.

/// After a configuration was read: for a moment that takes many times what stays of it, and between the parts that stay
/// lie holes which nothing fills again. For 100 000 monitors they are a tenth of the whole.
///
/// A matter of milliseconds with the allocator locked, so not on the thread that checks. See malloc_trim(3).
pub(super) async fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // Nothing depends on it.
        let _ = super::blocking::run(|| malloc_trim(0)).await;
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(
    unsafe_code,
    reason = "the C library offers it to whoever declares it; it takes a number and touches only its own lists"
)]
unsafe extern "C" {
    safe fn malloc_trim(pad: usize) -> std::ffi::c_int;
}
