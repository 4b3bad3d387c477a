//! Large pages for large memory.
//!
//! A processor remembers where some thousand pages lie. Matrices of many megabytes are read
//! and written across, a line of each row, and in pages of 4 KiB nearly each of these must
//! be looked up first. Linux gives pages of 2 MiB to those who ask
//! (`Documentation/admin-guide/mm/transhuge.rst`).

#![expect(unsafe_code, reason = "the system is asked")]

/// Memory of fewer bytes is not worth asking for.
const LARGE: usize = 4 << 20;

/// Asks the system to make large pages of the memory at `at`, which nobody has touched
/// yet. It need not; nothing depends on it but time.
///
/// # Safety
/// The caller must own the memory.
pub(crate) unsafe fn ask_for_large(at: *mut u8, bytes: usize) {
    if bytes >= LARGE {
        let start = at.map_addr(|at| at.next_multiple_of(PAGE));
        let end = (at.addr() + bytes) / PAGE * PAGE;
        // SAFETY: the pages are whole and the caller's own; what they hold stays.
        unsafe { advise(start, end.saturating_sub(start.addr())) };
    }
}

/// The least that the system takes advice of.
const PAGE: usize = 4096;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
unsafe fn advise(at: *mut u8, bytes: usize) {
    const MADVISE: i64 = 28;
    const HUGE_PAGE: i64 = 14;
    // SAFETY: the call changes how the pages are kept, and nothing in them.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") MADVISE => _,
            in("rdi") at,
            in("rsi") bytes,
            in("rdx") HUGE_PAGE,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
unsafe fn advise(_at: *mut u8, _bytes: usize) {}
