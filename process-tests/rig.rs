//! The world of a case: a cable from `eth0` to `far0`, a syslog, and the program.

use nix::mount::{MsFlags, mount};
use nix::sys::signal::kill;
use nix::unistd::Pid;
use socket2::{Domain, Protocol, Socket, Type};
use std::fs::{self, File};
use std::io::Read;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) const VRRPD: &str = env!("CARGO_BIN_EXE_vrrpd");
pub(crate) const KEEPALIVED: &str = "/usr/sbin/keepalived";
/// The virtual address of [`CONF`].
pub(crate) const VIP: &str = "192.0.2.99";
/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// Master_Down_Interval of a backup of the same priority (RFC 9568 section 6.1): a longer silence would cost mastership.
pub(crate) const SILENCE: Duration = Duration::from_micros(341_406);
/// A node that becomes master 0.4 s after its start.
pub(crate) const CONF: &str = "\
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 150
    version 3
    advert_int 0.1
    virtual_ipaddress {
        192.0.2.99/32
    }
}
";

/// Private `/tmp` and `/dev`, and the cable. To be called inside the sandbox.
pub(crate) fn prepare() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    cover_tmp(&[project.to_owned(), project.with_file_name("shared")]);
    fs::create_dir("/run/dev").unwrap();
    for name in ["null", "zero", "urandom", "full"] {
        let path = format!("/run/dev/{name}");
        File::create(&path).unwrap();
        bind(&format!("/dev/{name}"), &path);
    }
    bind("/run/dev", "/dev");
    ip("link set lo up");
    ip("link add eth0 type veth peer name far0");
    for name in ["eth0", "far0"] {
        fs::write(format!("/proc/sys/net/ipv6/conf/{name}/accept_dad"), "0").unwrap_or_default();
        ip(&format!("link set {name} up"));
    }
    ip("addr add 192.0.2.1/24 dev eth0");
}

/// An empty `/tmp`, but for these folders if they lie there: a checkout may be anywhere.
fn cover_tmp(folders: &[PathBuf]) {
    let below = folders.iter().filter(|folder| folder.starts_with("/tmp"));
    let kept: Vec<_> = below.map(|folder| (folder, File::open(folder).unwrap())).collect();
    mount_tmpfs("/tmp");
    for (folder, open) in &kept {
        fs::create_dir_all(folder).unwrap();
        bind(&format!("/proc/self/fd/{}", open.as_raw_fd()), folder.to_str().unwrap());
    }
}

pub(crate) fn mount_tmpfs(at: &str) {
    let none = None::<&str>;
    mount(Some("tmpfs"), at, Some("tmpfs"), MsFlags::empty(), Some("mode=1777")).unwrap_or_else(|error| {
        panic!("mount a tmpfs on {at}: {error} {none:?}");
    });
}

pub(crate) fn bind(from: &str, to: &str) {
    let none = None::<&str>;
    mount(Some(from), to, none, MsFlags::MS_BIND | MsFlags::MS_REC, none).unwrap();
}

/// Runs `ip` and returns what it prints.
pub(crate) fn ip(arguments: &str) -> String {
    let output = Command::new("ip").args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "ip {arguments}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Whether the kernel has the address.
pub(crate) fn has(address: &str) -> bool {
    ip("-o addr show").contains(&format!(" {address}/"))
}

/// Waits until something holds.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < give_up, "not within {PATIENCE:?}: {what}");
        pause(5);
    }
}

/// Lets others run; what is waited for is looked at again afterwards.
pub(crate) fn pause(millis: u64) {
    std::thread::sleep(Duration::from_millis(millis));
}

/// A run of the program.
pub(crate) struct Daemon {
    pub(crate) child: Child,
    pub(crate) directory: String,
}

impl Daemon {
    /// `vrrpd -n -l -G -D` on [`CONF`], and waits until it is master.
    pub(crate) fn master() -> Self {
        let daemon = Self::start(CONF);
        until("the address is set", || has(VIP));
        daemon
    }

    /// `vrrpd -n -l -G -D` on this configuration.
    pub(crate) fn start(conf: &str) -> Self {
        fs::write("/tmp/conf", conf).unwrap();
        Self::run(VRRPD, "/tmp/node", &["-n", "-l", "-G", "-D", "-f", "/tmp/conf"], |_| {})
    }

    /// The program with these options; standard error goes to `DIRECTORY/log`.
    pub(crate) fn run(program: &str, directory: &str, options: &[&str], change: impl FnOnce(&mut Command)) -> Self {
        fs::create_dir_all(directory).unwrap();
        let log = File::options()
            .append(true)
            .create(true)
            .open(format!("{directory}/log"))
            .unwrap();
        let mut command = Command::new(program);
        command
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        change(&mut command);
        Self {
            child: command.spawn().unwrap(),
            directory: directory.to_owned(),
        }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(format!("{}/log", self.directory)).unwrap_or_default()
    }

    /// Waits for a line with this text.
    pub(crate) fn says(&self, text: &str) {
        self.says_times(text, 1);
    }

    pub(crate) fn says_times(&self, text: &str, times: usize) {
        let give_up = Instant::now() + PATIENCE;
        while self.log().matches(text).count() < times {
            assert!(
                Instant::now() < give_up,
                "it does not say {text:?} {times} times:\n{}",
                self.log()
            );
            pause(5);
        }
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// Process id of the VRRP process, by its pid file.
    pub(crate) fn vrrp_pid(&self) -> i32 {
        let mut pid = None;
        until("the pid file of the VRRP process", || {
            pid = pid_in("/run/vrrp.pid");
            pid.is_some()
        });
        pid.unwrap()
    }

    pub(crate) fn signal(&self, signal: i32) {
        signal_to(self.pid(), signal);
    }

    /// SIGTERM, and its exit status.
    pub(crate) fn stop(mut self) -> i32 {
        self.signal(libc::SIGTERM);
        self.status()
    }

    /// Waits for its end.
    pub(crate) fn status(&mut self) -> i32 {
        let mut status = None;
        until("the program ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap().code().unwrap_or(-1)
    }
}

pub(crate) fn pid_in(path: &str) -> Option<i32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Any signal, real-time ones included.
pub(crate) fn signal_to(pid: i32, signal: i32) {
    vrrpd::sys::send_signal(pid, signal).unwrap();
}

pub(crate) fn alive(pid: i32) -> bool {
    kill(Pid::from_raw(pid), None).is_ok()
        && !fs::read_to_string(format!("/proc/{pid}/stat"))
            .unwrap_or_default()
            .contains(") Z ")
}

/// `vrrpd` with these words: status, standard output, standard error.
pub(crate) fn ask(words: &str) -> (i32, String, String) {
    let output = Command::new(VRRPD).args(words.split(' ')).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap_or(-1),
        text(output.stdout),
        text(output.stderr),
    )
}

/// `vrrpd status --json`, once it answers.
pub(crate) fn status() -> serde_json::Value {
    let mut found = None;
    until("the daemon answers", || {
        let (status, text, _) = ask("status --json");
        found = (status == 0).then(|| serde_json::from_str(&text).unwrap());
        found.is_some()
    });
    found.unwrap()
}

/// The state of the first instance.
pub(crate) fn state() -> String {
    status()["instances"][0]["state"].as_str().unwrap().to_owned()
}

/// Sees each advert that comes out of the far end of the cable, once.
pub(crate) struct Wire(Socket);

impl Wire {
    pub(crate) fn new() -> Self {
        let ipv4 = i32::from(0x0800_u16.to_be());
        let socket = Socket::new(Domain::from(libc::AF_PACKET), Type::RAW, Some(Protocol::from(ipv4))).unwrap();
        Self(socket)
    }

    /// When and with which priority the adverts come that arrive within this time.
    pub(crate) fn adverts(&self, within: Duration) -> Vec<(Instant, u8)> {
        let end = Instant::now() + within;
        let mut seen = Vec::new();
        let mut buffer = [0; 2048];
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return seen;
            }
            self.0.set_read_timeout(Some(left)).unwrap();
            let Ok(len) = (&self.0).read(&mut buffer) else { continue };
            let frame = &buffer[..len];
            // Ethernet 14, IPv4 20 with protocol 112 and our source, then VRRP: version and type, VRID, priority.
            if frame.len() >= 42 && frame[23] == 112 && frame[14] == 0x45 && frame[26..30] == [192, 0, 2, 1] {
                seen.push((Instant::now(), frame[36]));
            }
        }
    }

    /// The longest silence between two adverts within this time.
    pub(crate) fn longest_gap(&self, within: Duration) -> Duration {
        let begun = Instant::now();
        let mut times: Vec<Instant> = self.adverts(within).into_iter().map(|(at, _)| at).collect();
        times.push(Instant::now());
        let gaps = times.iter().scan(begun, |before, at| {
            Some(at.duration_since(std::mem::replace(before, *at)))
        });
        let longest = gaps.max().unwrap();
        eprintln!("{} adverts, longest silence {longest:?}", times.len() - 1);
        longest
    }
}

/// Syslog's socket as systemd makes it: it takes 512 lines before somebody reads them; else the kernel's 10 are the limit.
pub(crate) fn roomy_syslog() -> UnixDatagram {
    std::fs::write("/proc/sys/net/unix/max_dgram_qlen", "512").unwrap();
    syslog()
}

/// Syslog's socket, which somebody may or may not read.
pub(crate) fn syslog() -> UnixDatagram {
    let socket = UnixDatagram::bind("/dev/log").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// Reads lines from syslog up to the first with this text.
pub(crate) fn read_syslog(socket: &UnixDatagram, text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut buffer = [0; 8192];
    loop {
        let len = socket
            .recv(&mut buffer)
            .unwrap_or_else(|error| panic!("no {text:?}: {error}\n{lines:#?}"));
        lines.push(String::from_utf8_lossy(&buffer[..len]).into_owned());
        if lines.last().unwrap().contains(text) {
            return lines;
        }
    }
}

/// Sends a VRRPv3 advert of this VRID and priority from an address that nobody has. `spoil` may change the bytes.
pub(crate) fn forge(times: usize, spoil: impl Fn(&mut Vec<u8>)) {
    use std::net::{IpAddr, SocketAddr};
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(112))).unwrap();
    socket.bind_device(Some(b"far0")).unwrap();
    socket.set_multicast_ttl_v4(255).unwrap();
    let mut bytes = vec![0x31, 51, 50, 1, 0, 10, 0, 0, 192, 0, 2, 99];
    spoil(&mut bytes);
    let target = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18)), 0);
    for _ in 0..times {
        socket.send_to(&bytes, &target.into()).unwrap();
    }
}

/// A program file.
pub(crate) fn script(path: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// What a program that is started under this name sees as its own name.
pub(crate) fn called(name: &'static str) -> impl FnOnce(&mut Command) {
    move |command| {
        command.arg0(name);
    }
}

pub(crate) fn exists(path: &str) -> bool {
    Path::new(path).exists()
}

pub(crate) fn text_of(path: &str) -> String {
    let mut text = String::new();
    File::open(path)
        .and_then(|mut file| file.read_to_string(&mut text))
        .unwrap_or_else(|error| panic!("{path}: {error}"));
    text
}
