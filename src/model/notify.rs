//! Who is told what: programs at changes of state, FIFOs, mail, programs at the start and the end of the daemon.

use super::{Account, Micros, Program, ProgramUser};
use serde::{Deserialize, Serialize};

/// The programs of an instance or a sync group. What is `None` is not run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NotifyPrograms {
    /// `notify_master`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub master: Option<Program>,
    /// `notify_backup`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup: Option<Program>,
    /// `notify_fault`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<Program>,
    /// `notify_stop`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<Program>,
    /// `notify`: every change; kind, name, state and priority are appended as arguments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub any: Option<Program>,
    /// `notify_deleted` is written: DELETED instead of FAULT when a reload removes the instance. Instances only.
    #[serde(skip_serializing_if = "super::is_default")]
    pub deleted: bool,
    /// The program of `notify_deleted`. Instances only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted_program: Option<Program>,
    /// `notify_master_rx_lower_pri`: a master has heard a worse advert. Instances only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub master_rx_lower_pri: Option<Program>,
}

impl NotifyPrograms {
    /// Every program that is set, in a fixed order.
    pub fn programs(&self) -> impl Iterator<Item = &Program> {
        let all = [
            &self.master,
            &self.backup,
            &self.fault,
            &self.stop,
            &self.any,
            &self.deleted_program,
            &self.master_rx_lower_pri,
        ];
        all.into_iter().flatten()
    }
}

/// A FIFO that gets one line for every change (`notify_fifo`, `vrrp_notify_fifo`, `lvs_notify_fifo`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NotifyFifo {
    /// Its path; `None`: there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Who owns it. `None`: the daemon's own user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<ProgramUser>,
    /// Who owns it, as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
    /// The program that reads it; the path is appended as last argument.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<Program>,
}

/// Mail (`smtp_server` and what belongs to it).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mail {
    /// `smtp_server`: host name or address; `None`: no mail.
    pub server: Option<String>,
    /// Port of `smtp_server`.
    pub port: u16,
    /// `smtp_helo_name`; `None`: the host name.
    pub helo_name: Option<String>,
    /// `smtp_connect_timeout`.
    pub connect_timeout: Micros,
    /// `notification_email_from`; `None`: user@host.
    pub from: Option<String>,
    /// `notification_email`.
    pub to: Vec<String>,
    /// `smtp_alert`: default of everything.
    pub alert: Option<bool>,
    /// `smtp_alert_vrrp`: default of instances and groups.
    pub alert_vrrp: Option<bool>,
    /// `smtp_alert_checker`.
    pub alert_checker: Option<bool>,
    /// `no_email_faults`: no mail about FAULT.
    pub no_faults: bool,
}

impl Default for Mail {
    fn default() -> Self {
        Self {
            server: None,
            port: 25,
            helo_name: None,
            connect_timeout: Micros::from_secs(30),
            from: None,
            to: Vec::new(),
            alert: None,
            alert_vrrp: None,
            alert_checker: None,
            no_faults: false,
        }
    }
}

/// A program that runs once, at the start or the end of the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OnceProgram {
    /// The program; `None`: nothing is run.
    pub program: Option<Program>,
    /// When it is killed, 1 to 1000 s.
    pub timeout: Micros,
}

impl Default for OnceProgram {
    fn default() -> Self {
        Self {
            program: None,
            timeout: Micros::from_secs(10),
        }
    }
}
