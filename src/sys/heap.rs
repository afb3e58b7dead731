//! What the allocator keeps for later although nobody needs it now.
#![cfg_attr(
    target_env = "gnu",
    expect(unsafe_code, reason = "the allocator has no safe interface")
)]

/// Gives freed memory back to the kernel, which the allocator would keep. Costs milliseconds where much was freed.
pub fn give_back_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes a plain number, and the allocator's own locks.
    unsafe {
        libc::malloc_trim(0);
    }
}
