//! strtol(3), the judge of a parser's tests.
#![expect(unsafe_code, reason = "a function of the C library")]

use std::ffi::CString;

/// What the C library reads at the beginning, base 0. What follows a NUL is not seen.
pub(crate) fn strtol(bytes: &[u8]) -> libc::c_long {
    let text: Vec<u8> = bytes.iter().copied().take_while(|byte| *byte != 0).collect();
    let text = CString::new(text).unwrap_or_default();
    // SAFETY: the text ends in NUL and lives during the call; no end pointer is asked for.
    unsafe { libc::strtol(text.as_ptr(), std::ptr::null_mut(), 0) }
}
