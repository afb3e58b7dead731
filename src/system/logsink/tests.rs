//! The oracles: a captured syslog datagram of keepalived, and the kernel's pipes and sockets.

use super::*;
use std::io::Read as _;

fn settings() -> LogSettings {
    LogSettings {
        syslog: None,
        facility: 3,
        console: false,
        file: None,
        detail: 0,
        ident: "Keepalived_vrrp".to_owned(),
    }
}

fn temporary(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("vrrpd-log-{}-{name}", std::process::id()));
    drop(std::fs::remove_file(&path));
    path
}

fn receive(socket: &UnixDatagram) -> String {
    let mut buffer = [0; 5000];
    let len = socket.recv(&mut buffer).unwrap();
    String::from_utf8(buffer[..len].to_vec()).unwrap()
}

#[test]
fn a_syslog_line_has_keepalived_s_form() {
    let path = temporary("syslog");
    let listener = UnixDatagram::bind(&path).unwrap();
    let log = Log::open(LogSettings {
        syslog: Some(path.clone()),
        ..settings()
    })
    .unwrap();
    let zone = TimeZone::UTC;
    log.lock().zone = zone;
    let at: Timestamp = "2026-11-03T06:24:19Z".parse().unwrap();
    log.lock().write(Severity::Info, "(VI_1) Entering MASTER STATE", at);
    log.lock().write(Severity::Alert, "died", at);
    // samples/a-seed: `<30>Nov 23 06:24:19 Keepalived_vrrp[27294]: (VI_1) Entering MASTER STATE`; syslog(3) pads the day.
    let pid = std::process::id();
    assert_eq!(
        receive(&listener),
        format!("<30>Nov  3 06:24:19 Keepalived_vrrp[{pid}]: (VI_1) Entering MASTER STATE")
    );
    assert_eq!(
        receive(&listener),
        format!("<25>Nov  3 06:24:19 Keepalived_vrrp[{pid}]: died")
    );
    std::fs::remove_file(path).unwrap();
}

#[test]
fn syslog_is_found_again_after_a_restart_and_the_loss_is_told() {
    let path = temporary("restart");
    let log = Log::open(LogSettings {
        syslog: Some(path.clone()),
        ..settings()
    })
    .unwrap();
    log.write(Severity::Info, "nobody listens");
    let listener = UnixDatagram::bind(&path).unwrap();
    log.write(Severity::Info, "one");
    assert!(receive(&listener).ends_with("1 log lines were lost here because this log did not take them in time"));
    assert!(receive(&listener).ends_with(": one"));
    // A child that another test forks at this moment may keep it open.
    listener.shutdown(std::net::Shutdown::Both).unwrap();
    drop(listener);
    std::fs::remove_file(&path).unwrap();
    let listener = UnixDatagram::bind(&path).unwrap();
    log.write(Severity::Info, "two");
    assert!(receive(&listener).ends_with(": two"));
    assert_eq!(log.lost(), 1);
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_burst_waits_for_a_syslog_that_reads() {
    let path = temporary("burst");
    let listener = UnixDatagram::bind(&path).unwrap();
    listener
        .set_read_timeout(Some(std::time::Duration::from_secs(90)))
        .unwrap();
    let log = Log::open(LogSettings {
        syslog: Some(path.clone()),
        ..settings()
    })
    .unwrap();
    if let Some(syslog) = &mut log.lock().syslog {
        syslog.patience.tv_sec = 60;
    }
    // More than any queue: systemd's takes 512.
    let lines = 2_000;
    std::thread::scope(|scope| {
        let read = scope.spawn(|| (0..lines).map(|_| receive(&listener)).collect::<Vec<_>>());
        (0..lines).for_each(|number| log.write(Severity::Info, &format!("line {number}")));
        let read = read.join().unwrap();
        assert!(
            read.iter()
                .zip(0..)
                .all(|(line, number)| line.ends_with(&format!(": line {number}")))
        );
    });
    assert_eq!(log.lost(), 0);
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_syslog_that_does_not_read_is_waited_for_once() {
    let path = temporary("unread");
    let listener = UnixDatagram::bind(&path).unwrap();
    let log = Log::open(LogSettings {
        syslog: Some(path.clone()),
        ..settings()
    })
    .unwrap();
    let begun = clock::now();
    (0..2_000).for_each(|number| log.write(Severity::Info, &format!("line {number}")));
    let took = clock::now().since(begun);
    assert!(log.lost() > 0);
    // Waited for at each line it would be more than two minutes.
    assert!(took.0 < 60_000_000, "{took}");
    drop(listener);
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_syslog_that_was_never_there_is_no_loss_where_a_file_has_the_lines() {
    let (path, file) = (temporary("absent"), temporary("present"));
    let with = |file| {
        let syslog = Some(path.clone());
        let log = Log::open(LogSettings {
            syslog,
            file,
            ..settings()
        })
        .unwrap();
        log.write(Severity::Info, "line");
        log
    };
    assert_eq!(with(None).lost(), 1, "nobody has it");
    let log = with(Some(file.clone()));
    assert_eq!(log.lost(), 0);
    let listener = UnixDatagram::bind(&path).unwrap();
    log.write(Severity::Info, "line");
    assert!(receive(&listener).contains("1 log lines were lost"));
    drop(listener);
    std::fs::remove_file(&path).unwrap();
    log.write(Severity::Info, "line");
    assert_eq!(log.lost(), 2, "a syslog that went away does");
    std::fs::remove_file(file).unwrap();
}

#[test]
fn a_full_syslog_socket_loses_lines_and_does_not_wait() {
    let path = temporary("full");
    let listener = UnixDatagram::bind(&path).unwrap();
    let log = Log::open(LogSettings {
        syslog: Some(path.clone()),
        ..settings()
    })
    .unwrap();
    for number in 0..2000 {
        log.write(Severity::Info, &format!("line {number}"));
    }
    assert!(log.lost() > 0, "the kernel took 2000 datagrams that nobody read");
    while {
        listener.set_nonblocking(true).unwrap();
        listener.recv(&mut [0; 100]).is_ok()
    } {}
    let lost = log.lost();
    log.write(Severity::Info, "again");
    assert!(receive(&listener).ends_with(&loss(lost)));
    assert!(receive(&listener).ends_with(": again"));
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_full_pipe_loses_lines_and_does_not_wait() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let log = Log::open(settings()).unwrap();
    log.lock().console = Some(Sink::new(Stream::classify(writer.into())));
    assert!(matches!(
        log.lock().console.as_ref().unwrap().stream,
        Stream::NonBlocking(_)
    ));
    let long = "x".repeat(3000);
    for _ in 0..50 {
        log.write(Severity::Info, &long);
    }
    let lost = log.lost();
    assert!(
        (25..50).contains(&lost),
        "a pipe holds 64 KiB; lost {lost} lines of 3 KiB"
    );
    let mut buffer = vec![0; 1 << 17];
    let read = reader.read(&mut buffer).unwrap();
    let mut text = String::from_utf8(buffer[..read].to_vec()).unwrap();
    log.write(Severity::Info, "again");
    let read = reader.read(&mut buffer).unwrap();
    text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
    assert!(text.ends_with(": again\n"), "{text}");
    let whole = text.lines().filter(|line| line.ends_with(&long)).count();
    assert_eq!(u64::try_from(whole).unwrap() + lost, 50, "only whole lines");
    let told = text.lines().filter_map(|line| {
        line.split(": ")
            .nth(1)?
            .split_once(" log lines were lost")?
            .0
            .parse::<u64>()
            .ok()
    });
    assert_eq!(told.sum::<u64>(), lost);
}

#[test]
fn a_file_is_appended_to_with_the_console_s_date() {
    let path = temporary("file");
    let log = Log::open(LogSettings {
        file: Some(path.clone()),
        ..settings()
    })
    .unwrap();
    let at: Timestamp = "2026-11-23T06:24:15Z".parse().unwrap();
    log.lock().zone = TimeZone::UTC;
    log.lock().write(Severity::Info, "Startup complete", at);
    // samples/a-seed, console: `Mon Nov 23 06:24:15 2026: Starting Keepalived ...`
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        "Mon Nov 23 06:24:15 2026: Startup complete\n"
    );
    std::fs::remove_file(path).unwrap();
}

#[test]
fn tracing_events_become_lines_by_level_and_detail() {
    let path = temporary("tracing");
    let plain = Log::open(LogSettings {
        file: Some(path.clone()),
        ..settings()
    })
    .unwrap();
    let detailed = Log {
        detail: 1,
        ..plain.clone()
    };
    for log in [plain, detailed] {
        tracing::subscriber::with_default(log, || {
            tracing::info!(instance = "VI_1", "plain {}", 1);
            tracing::info!(detail = true, "in detail");
            tracing::debug!("never");
        });
    }
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text
        .lines()
        .map(|line| line.split_once("2").unwrap().1.rsplit(": ").next().unwrap())
        .collect();
    assert_eq!(lines, ["plain 1", "plain 1", "in detail"]);
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_text_is_one_line_of_bounded_length() {
    assert_eq!(clean("a\nb\r\n"), "a b");
    let long = "é".repeat(4000);
    assert_eq!(clean(&long).len(), 4000);
    assert_eq!(clean(&format!("x{long}")).len(), 3999);
}

#[test]
fn deferred_lines_do_not_touch_the_sinks_unless_refused_or_last_words() {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};
    static OPEN: AtomicBool = AtomicBool::new(true);
    let path = temporary("deferred");
    let log = Log::open(LogSettings {
        file: Some(path.clone()),
        syslog: None,
        ..settings()
    })
    .unwrap();
    let taken = Arc::new(Mutex::new(Vec::new()));
    let inbox = Arc::clone(&taken);
    log.defer(move |severity, text| {
        let open = OPEN.load(Ordering::Relaxed);
        if open {
            inbox.lock().unwrap().push((severity, text.to_owned()));
        }
        open
    });
    tracing::subscriber::with_default(log.clone(), || {
        tracing::warn!("deferred");
        tracing::error!(direct = true, "last words");
        OPEN.store(false, Ordering::Relaxed);
        tracing::warn!("refused");
    });
    log.write(Severity::Info, "written");
    assert_eq!(*taken.lock().unwrap(), [(Severity::Warning, "deferred".to_owned())]);
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().map(|line| line.rsplit(": ").next().unwrap()).collect();
    assert_eq!(lines, ["last words", "refused", "written"]);
    std::fs::remove_file(path).unwrap();
}
