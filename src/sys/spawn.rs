//! Starts a program without copying this process: `clone(CLONE_VM | CLONE_VFORK)`, as `posix_spawn` does it, which cannot set
//! what is wanted here (user, umask, parent-death signal).
//!
//! The new process borrows the caller's memory until `execve`, so it makes system calls only, allocates nothing, and leaves
//! the error of a call that failed where the caller finds it: a program that could not be started is never taken for one
//! that ended.
#![expect(unsafe_code, reason = "clone and what runs before execve have no safe form")]

use std::ffi::{CString, c_int, c_void};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

/// Everything needed to start a program, made before there is a new process.
#[derive(Debug)]
pub struct Program<'a> {
    /// The file to execute; no path search.
    pub path: &'a CString,
    /// Its arguments, the first being the name that it sees itself called.
    pub argv: &'a [CString],
    /// Its environment, `NAME=value` each.
    pub environment: &'a [CString],
    /// Who it runs as; `None` = as the caller.
    pub user: Option<User<'a>>,
    /// Its file creation mask.
    pub umask: u32,
    /// What its standard streams are connected to, all three of them. Not one of the descriptors 0 to 2.
    pub stdio: BorrowedFd<'a>,
}

/// User and groups of a program.
#[derive(Debug, Clone, Copy)]
pub struct User<'a> {
    /// User id, real, effective and saved.
    pub uid: u32,
    /// Group id, likewise.
    pub gid: u32,
    /// Supplementary groups; the caller's are dropped.
    pub groups: &'a [u32],
}

/// What stands between the new process and `execve`; shared with it.
struct Launch<'a> {
    program: &'a Program<'a>,
    argv: Vec<*const libc::c_char>,
    /// `/bin/sh`, the path, the arguments: for a file without `#!`.
    shell_argv: Vec<*const libc::c_char>,
    environment: Vec<*const libc::c_char>,
    parent: libc::pid_t,
    /// The number of the error that stopped it; 0 = the program runs.
    error: c_int,
}

/// SIGTERM in the width that prctl reads.
const TERM: libc::c_ulong = 15;
const SHELL: &std::ffi::CStr = c"/bin/sh";
/// In units of 16 bytes, which is also its alignment: 64 KiB.
const STACK: usize = 4096;

/// Starts a program in its own process group, in the caller's session and directory, with default signal dispositions,
/// nothing blocked, and no descriptors but `stdio`. It gets SIGTERM when the calling thread ends. A file that is neither a
/// binary nor begins with `#!` is run by `/bin/sh`. Returns its process id, which the caller has to reap.
///
/// # Errors
/// When it could not be started: the error of the call that failed (`ENOENT`, `EACCES`, `EPERM`, `EAGAIN`, ...).
pub fn spawn(program: &Program<'_>) -> io::Result<i32> {
    let pointers = |strings: &[CString]| -> Vec<*const libc::c_char> {
        let ends = std::iter::once(ptr::null());
        strings.iter().map(|string| string.as_ptr()).chain(ends).collect()
    };
    let argv = pointers(program.argv);
    let shell_argv = [SHELL.as_ptr(), program.path.as_ptr()].into_iter();
    let mut launch = Launch {
        program,
        shell_argv: shell_argv.chain(argv.iter().skip(1).copied()).collect(),
        argv,
        environment: pointers(program.environment),
        // SAFETY: getpid cannot fail and touches nothing.
        parent: unsafe { libc::getpid() },
        error: 0,
    };
    let mut stack: Vec<u128> = Vec::with_capacity(STACK);
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    let signals = BlockedSignals::all()?;
    // SAFETY: the stack is writable, aligned, and grows down from one past its end. CLONE_VFORK suspends this thread until
    // the new process has called execve or _exit, so `launch` and the stack are alive as long as it uses them and nobody
    // else touches `launch` meanwhile. With all signals blocked no handler runs on that stack.
    let pid = unsafe {
        let top = stack.as_mut_ptr().add(STACK);
        libc::clone(run_child, top.cast(), flags, (&raw mut launch).cast())
    };
    let clone_error = io::Error::last_os_error();
    drop(signals);
    if pid < 0 {
        return Err(clone_error);
    }
    // SAFETY: a plain read of an integer that the new process may have written behind the compiler's back.
    let error = unsafe { ptr::read_volatile(&raw const launch.error) };
    if error == 0 {
        return Ok(pid);
    }
    let mut status = 0;
    // SAFETY: `pid` is a child that nobody has reaped; `status` is writable.
    while unsafe { libc::waitpid(pid, &raw mut status, 0) } < 0
        && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
    {}
    Err(io::Error::from_raw_os_error(error))
}

/// The new process. Only system calls from here on.
extern "C" fn run_child(launch: *mut c_void) -> c_int {
    // SAFETY: `spawn` passes a `Launch` that lives until this process has called execve or _exit, and waits for that.
    let launch = unsafe { &mut *launch.cast::<Launch<'_>>() };
    if prepare(launch).is_ok() {
        let (path, environment) = (launch.program.path.as_ptr(), launch.environment.as_ptr());
        // SAFETY: all strings end with 0 and all lists with a null pointer, and they live in the caller's memory.
        unsafe {
            libc::execve(path, launch.argv.as_ptr(), environment);
            if *libc::__errno_location() == libc::ENOEXEC {
                libc::execve(SHELL.as_ptr(), launch.shell_argv.as_ptr(), environment);
            }
        }
    }
    // SAFETY: errno is this thread's. `error` is only read by the caller, after this process is gone. _exit does not return.
    unsafe {
        ptr::write_volatile(&raw mut launch.error, (*libc::__errno_location()).max(1));
        libc::_exit(127)
    }
}

/// Whether all went well; errno says what did not.
fn prepare(launch: &Launch<'_>) -> Result<(), ()> {
    let program = launch.program;
    let done = |result: i64| if result < 0 { Err(()) } else { Ok(()) };
    // SAFETY: plain system calls on this process's own attributes. The raw ones are used where the C library's wrapper
    // would try to do the same in the caller's other threads, whose memory is shared here.
    unsafe {
        // The kernel's struct sigaction, all zero: SIG_DFL. Not the library's call, which leaves out its own two signals.
        let default = [0_u64; 4];
        for signal in 1..=64_u64 {
            // SIGKILL and SIGSTOP refuse, as they may.
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                default.as_ptr(),
                ptr::null_mut::<u64>(),
                8_usize,
            );
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
        libc::setpgid(0, 0);
        for stream in 0..3 {
            done(libc::dup2(program.stdio.as_raw_fd(), stream).into())?;
        }
        // Everything of ours is close-on-exec; this is for what somebody left open when they started us.
        libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, 0_u32);
        libc::umask(program.umask);
        if let Some(user) = program.user {
            done(libc::syscall(libc::SYS_setresgid, user.gid, user.gid, user.gid))?;
            done(libc::syscall(
                libc::SYS_setgroups,
                user.groups.len(),
                user.groups.as_ptr(),
            ))?;
            done(libc::syscall(libc::SYS_setresuid, user.uid, user.uid, user.uid))?;
        }
        // After the change of user, which clears it.
        done(libc::prctl(libc::PR_SET_PDEATHSIG, TERM).into())?;
        if libc::getppid() != launch.parent {
            *libc::__errno_location() = libc::ESRCH;
            return Err(());
        }
    }
    Ok(())
}

/// All signals blocked in this thread; dropping it restores the mask.
struct BlockedSignals(libc::sigset_t);

impl BlockedSignals {
    fn all() -> io::Result<Self> {
        // SAFETY: both sets are initialised by the calls before they are read.
        unsafe {
            let mut all: libc::sigset_t = std::mem::zeroed();
            let mut before: libc::sigset_t = std::mem::zeroed();
            libc::sigfillset(&raw mut all);
            match libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before) {
                0 => Ok(Self(before)),
                error => Err(io::Error::from_raw_os_error(error)),
            }
        }
    }
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        // SAFETY: the set was filled by `all`. The call fails only for a wrong first argument.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, ptr::null_mut()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::wait::{WaitStatus, waitpid};
    use nix::unistd::Pid;
    use std::fs::File;
    use std::io::{Read, Seek};
    use std::os::fd::AsFd;
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};

    fn c(text: &str) -> CString {
        CString::new(text).unwrap()
    }

    /// Runs a program with its streams in a file; how it ended, and what it wrote.
    fn run(path: &str, argv: &[&str], user: Option<User<'_>>) -> io::Result<(WaitStatus, String)> {
        let mut output: File = crate::sys::memory_file("output")?;
        let argv: Vec<CString> = argv.iter().map(|word| c(word)).collect();
        let pid = spawn(&Program {
            path: &c(path),
            argv: &argv,
            environment: &[c("ONLY=this")],
            user,
            umask: 0o137,
            stdio: output.as_fd(),
        })?;
        let status = waitpid(Pid::from_raw(pid), None)?;
        let mut text = String::new();
        output.rewind()?;
        output.read_to_string(&mut text)?;
        Ok((status, text))
    }

    fn script(name: &str, mode: u32, text: &str) -> String {
        let path = std::env::temp_dir().join(format!("vrrpd-spawn-{}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_program_gets_what_it_is_given_and_nothing_else() {
        // Left open on purpose: not close-on-exec.
        let open = File::options().read(true).custom_flags(0).open("/dev/zero").unwrap();
        nix::fcntl::fcntl(&open, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty())).unwrap();
        // The shell reads its own status: while it runs a program it blocks signals for a moment.
        let line = "echo \"$0 $1 $2\"; env; umask; ls /proc/$$/fd; \
                    while read -r line; do echo \"$line\"; done < /proc/$$/status; exit 7";
        let (status, text) = run("/bin/sh", &["sh", "-c", line, "name", "a b", "$HOME"], None).unwrap();
        let WaitStatus::Exited(pid, 7) = status else {
            panic!("{status:?}")
        };
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "name a b $HOME");
        assert!(lines.contains(&"ONLY=this"));
        assert!(
            !text.contains("PATH=/usr/local/cargo") && !text.contains("CARGO"),
            "{text}"
        );
        assert!(lines.contains(&"0137"), "{text}");
        // dash keeps no descriptor of its own with -c.
        let descriptors: Vec<&&str> = lines.iter().filter(|line| line.len() == 1).collect();
        assert_eq!(descriptors, [&"0", &"1", &"2"], "{text}");
        assert!(lines.contains(&"SigBlk:\t0000000000000000"), "{text}");
        assert!(lines.contains(&"SigIgn:\t0000000000000000"), "{text}");
        assert!(
            lines.contains(&format!("NSpgid:\t{pid}").as_str()),
            "its own process group: {text}"
        );
    }

    #[test]
    fn a_program_that_cannot_be_started_is_an_error_with_the_kernels_number() {
        let errno = |path: &str| run(path, &["x"], None).unwrap_err().raw_os_error().unwrap();
        assert_eq!(errno("/nonexistent/program"), libc::ENOENT);
        assert_eq!(errno(&script("plain", 0o644, "#!/bin/sh\n")), libc::EACCES);
        assert_eq!(
            errno(&script("interpreter", 0o755, "#!/nonexistent/shell\n")),
            libc::ENOENT
        );
        assert_eq!(errno("/"), libc::EACCES);
    }

    #[test]
    fn a_script_without_an_interpreter_line_is_run_by_the_shell() {
        let path = script("bare", 0o755, "echo \"$0|$1\"; exit 3\n");
        let (status, text) = run(&path, &["other name", "a 'b"], None).unwrap();
        assert!(matches!(status, WaitStatus::Exited(_, 3)), "{status:?}");
        assert_eq!(text, format!("{path}|a 'b\n"));
    }

    #[test]
    fn the_user_and_groups_are_those_asked_for() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let user = User {
            uid: 65534,
            gid: 65533,
            groups: &[],
        };
        let line = "grep -E '^(Uid|Gid|Groups|CapEff)' /proc/$$/status";
        let (_, text) = run("/bin/sh", &["sh", "-c", line], Some(user)).unwrap();
        assert!(text.contains("Uid:\t65534\t65534\t65534\t65534\n"), "{text}");
        assert!(text.contains("Gid:\t65533\t65533\t65533\t65533\n"), "{text}");
        assert!(text.contains("Groups:\t \n"), "{text}");
        assert!(text.contains("CapEff:\t0000000000000000\n"), "{text}");
    }

    #[test]
    fn a_signal_that_ends_it_is_seen() {
        let (status, _) = run("/bin/sh", &["sh", "-c", "kill -9 $$"], None).unwrap();
        assert!(matches!(
            status,
            WaitStatus::Signaled(_, nix::sys::signal::Signal::SIGKILL, _)
        ));
    }
}
