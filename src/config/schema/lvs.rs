//! Keywords of keepalived's LVS side. vrrpd only looks whether they are written rightly and keeps the blocks.

use super::nearest_of;

/// The keywords of one LVS block.
#[derive(Debug)]
pub(in crate::config) struct LvsInfo {
    /// Path of the block: keywords joined by ` / `.
    pub(in crate::config) path: &'static str,
    keywords: &'static [&'static str],
}

impl LvsInfo {
    /// Whether keepalived knows the keyword here.
    pub(in crate::config) fn knows(&self, key: &str) -> bool {
        self.keywords.is_empty() || self.keywords.contains(&key)
    }

    /// The known keyword that is most like a mistyped one.
    pub(in crate::config) fn nearest(&self, key: &str) -> Option<&'static str> {
        nearest_of(key, self.keywords.iter().copied())
    }
}

/// What stands inside of a block at the top level.
pub(in crate::config) fn lvs(key: &str) -> Option<&'static LvsInfo> {
    LVS.iter().find(|info| info.path == key)
}

/// What stands inside of a block of an LVS block. Without keywords: lines are data.
pub(in crate::config) fn lvs_inside(outer: &LvsInfo, key: &str) -> Option<&'static LvsInfo> {
    let is_inner = |info: &&LvsInfo| {
        let rest = info
            .path
            .strip_prefix(outer.path)
            .and_then(|rest| rest.strip_prefix(" / "));
        rest == Some(key)
    };
    LVS.iter().find(is_inner)
}

const LVS: &[LvsInfo] = &[
    LvsInfo {
        path: "SSL",
        keywords: &["password", "ca", "certificate", "key"],
    },
    LvsInfo {
        path: "virtual_server",
        keywords: &[
            "ip_family",
            "retry",
            "delay_before_retry",
            "warmup",
            "connect_timeout",
            "delay_loop",
            "inhibit_on_failure",
            "lb_algo",
            "lvs_sched",
            "hashed",
            "ops",
            "flag-1",
            "flag-2",
            "flag-3",
            "sh-port",
            "sh-fallback",
            "mh-port",
            "mh-fallback",
            "lb_kind",
            "lvs_method",
            "persistence_engine",
            "persistence_timeout",
            "persistence_granularity",
            "protocol",
            "ha_suspend",
            "smtp_alert",
            "virtualhost",
            "snmp_name",
            "alpha",
            "omega",
            "quorum_up",
            "quorum_down",
            "quorum",
            "hysteresis",
            "weight",
            "sorry_server",
            "sorry_server_inhibit",
            "sorry_server_lvs_method",
            "real_server",
        ],
    },
    LvsInfo {
        path: "virtual_server / real_server",
        keywords: &[
            "weight",
            "lvs_method",
            "uthreshold",
            "lthreshold",
            "inhibit_on_failure",
            "notify_up",
            "notify_down",
            "alpha",
            "retry",
            "delay_before_retry",
            "warmup",
            "connect_timeout",
            "delay_loop",
            "smtp_alert",
            "virtualhost",
            "snmp_name",
            "MISC_CHECK",
            "SMTP_CHECK",
            "TCP_CHECK",
            "PING_CHECK",
            "UDP_CHECK",
            "HTTP_GET",
            "SSL_GET",
            "DNS_CHECK",
            "FILE_CHECK",
            "BFD_CHECK",
        ],
    },
    LvsInfo {
        path: "virtual_server / real_server / MISC_CHECK",
        keywords: &[
            "retry",
            "delay_before_retry",
            "warmup",
            "delay_loop",
            "alpha",
            "log_all_failures",
            "misc_path",
            "misc_timeout",
            "misc_dynamic",
            "user",
        ],
    },
    LvsInfo {
        path: "virtual_server / real_server / SMTP_CHECK",
        keywords: &[
            "helo_name",
            "connect_ip",
            "connect_port",
            "bindto",
            "bind_port",
            "bind_if",
            "connect_timeout",
            "fwmark",
            "retry",
            "delay_before_retry",
            "warmup",
            "delay_loop",
            "alpha",
            "log_all_failures",
            "host",
        ],
    },
    LvsInfo {
        path: "virtual_server / real_server / SMTP_CHECK / host",
        keywords: &[
            "connect_ip",
            "connect_port",
            "bindto",
            "bind_port",
            "bind_if",
            "connect_timeout",
            "fwmark",
            "retry",
            "delay_before_retry",
            "warmup",
            "delay_loop",
            "alpha",
            "log_all_failures",
        ],
    },
    LvsInfo {
        path: "virtual_server / real_server / TCP_CHECK",
        keywords: &[
            "connect_ip",
            "connect_port",
            "bindto",
            "bind_port",
            "bind_if",
            "connect_timeout",
            "fwmark",
            "retry",
            "delay_before_retry",
            "warmup",
            "delay_loop",
            "alpha",
            "log_all_failures",
        ],
    },
    LvsInfo {
        path: "virtual_server / real_server / PING_CHECK",
        keywords: &[
            "connect_ip",
            "connect_port",
            "bindto",
            "bind_port",
            "bind_if",
            "connect_timeout",
            "fwmark",
            "retry",
            "delay_before_retry",
            "warmup",
            "delay_loop",
            "alpha",
            "log_all_failures",
        ],
    },
    LvsInfo {
        path: "virtual_server / real_server / UDP_CHECK",
        keywords: &[
            "connect_ip",
            "connect_port",
            "bindto",
            "bind_port",
            "bind_if",
            "connect_timeout",
            "fwmark",
            "retry",
            "delay_before_retry",
            "warmup",
            "delay_loop",
            "alpha",
            "log_all_failures",
            "payload",
            "require_reply",
            "min_reply_length",
            "max_reply_length",
        ],
    },
    LvsInfo {
        path: "virtual_server / real_server / HTTP_GET",
        keywords: &[
            "connect_ip",
            "connect_port",
            "bindto",
            "bind_port",
            "bind_if",
            "connect_timeout",
            "fwmark",
            "retry",
            "delay_before_retry",
            "warmup",
            "delay_loop",
            "alpha",
            "log_all_failures",
            "nb_get_retry",
            "virtualhost",
            "http_protocol",
            "enable_sni",
            "sni_name",
            "fast_recovery",
            "url",
        ],
    },
    LvsInfo {
        path: "virtual_server / real_server / HTTP_GET / url",
        keywords: &[
            "path",
            "digest",
            "status_code",
            "virtualhost",
            "regex",
            "regex_no_match",
            "regex_options",
            "regex_min_offset",
            "regex_max_offset",
            "regex_stack",
        ],
    },
    LvsInfo {
        path: "virtual_server / real_server / SSL_GET",
        keywords: &[
            "connect_ip",
            "connect_port",
            "bindto",
            "bind_port",
            "bind_if",
            "connect_timeout",
            "fwmark",
            "retry",
            "delay_before_retry",
            "warmup",
            "delay_loop",
            "alpha",
            "log_all_failures",
            "nb_get_retry",
            "virtualhost",
            "http_protocol",
            "enable_sni",
            "sni_name",
            "fast_recovery",
            "tls_compliant",
            "url",
        ],
    },
    LvsInfo {
        path: "virtual_server / real_server / SSL_GET / url",
        keywords: &[
            "path",
            "digest",
            "status_code",
            "virtualhost",
            "regex",
            "regex_no_match",
            "regex_options",
            "regex_min_offset",
            "regex_max_offset",
            "regex_stack",
            "tls_compliant",
        ],
    },
    LvsInfo {
        path: "virtual_server / real_server / DNS_CHECK",
        keywords: &[
            "connect_ip",
            "connect_port",
            "bindto",
            "bind_port",
            "bind_if",
            "connect_timeout",
            "fwmark",
            "retry",
            "delay_before_retry",
            "warmup",
            "delay_loop",
            "alpha",
            "log_all_failures",
            "type",
            "name",
        ],
    },
    LvsInfo {
        path: "virtual_server / real_server / FILE_CHECK",
        keywords: &["track_file", "weight"],
    },
    LvsInfo {
        path: "virtual_server / real_server / BFD_CHECK",
        keywords: &["name", "alpha"],
    },
];
