//! Memory that the allocator holds and nobody uses.

/// Asks the allocator to give what is free back to the system. An engine's pages and tables come from many arenas of
/// the allocator, which would keep them for the process otherwise.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        unsafe extern "C" {
            fn malloc_trim(pad: usize) -> i32;
        }
        // SAFETY: glibc's own function; it takes no pointer, may be called from any thread at any time, and touches
        // free memory only.
        unsafe { malloc_trim(0) };
    }
}
