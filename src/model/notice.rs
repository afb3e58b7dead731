//! What is told of a change: to FIFOs by a line, to programs by their arguments and environment.

use super::NotifyPrograms;
use super::Program;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// State of an instance as users know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum StateName {
    /// Not started.
    Init,
    /// Listens to a master. RFC 9568: Backup.
    Backup,
    /// Holds the addresses. RFC 9568: Active.
    Master,
    /// Cannot take part.
    Fault,
}

impl StateName {
    /// The word in logs, notify arguments and FIFO lines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Init => "INIT",
            Self::Backup => "BACKUP",
            Self::Master => "MASTER",
            Self::Fault => "FAULT",
        }
    }
}

/// What something is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum NoticeOf {
    /// A `vrrp_instance`.
    Instance,
    /// A `vrrp_sync_group`.
    Group,
}

impl NoticeOf {
    /// The first word of a FIFO line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Instance => "INSTANCE",
            Self::Group => "GROUP",
        }
    }
}

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum NoticeEvent {
    /// It is master.
    Master,
    /// It is backup.
    Backup,
    /// It cannot take part.
    Fault,
    /// The daemon stops.
    Stop,
    /// A reload has removed it (`notify_deleted`).
    Deleted,
    /// A master has heard a worse advert.
    MasterRxLowerPri,
    /// The effective priority of a master has changed.
    MasterPriority,
    /// The effective priority has changed in any other state.
    BackupPriority,
}

impl NoticeEvent {
    /// keepalived's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Master => "MASTER",
            Self::Backup => "BACKUP",
            Self::Fault => "FAULT",
            Self::Stop => "STOP",
            Self::Deleted => "DELETED",
            Self::MasterRxLowerPri => "MASTER_RX_LOWER_PRI",
            Self::MasterPriority => "MASTER_PRIORITY",
            Self::BackupPriority => "BACKUP_PRIORITY",
        }
    }

    /// Whether it says what state something is in.
    #[must_use]
    pub const fn is_state(self) -> bool {
        match self {
            Self::Master | Self::Backup | Self::Fault | Self::Stop | Self::Deleted => true,
            Self::MasterRxLowerPri | Self::MasterPriority | Self::BackupPriority => false,
        }
    }

    /// The event of a state; nobody is told of Init.
    #[must_use]
    pub const fn of_state(state: StateName) -> Option<Self> {
        match state {
            StateName::Init => None,
            StateName::Backup => Some(Self::Backup),
            StateName::Master => Some(Self::Master),
            StateName::Fault => Some(Self::Fault),
        }
    }

    /// The programs that are run for it, in this order (behaviour §13.1).
    #[must_use]
    pub const fn programs(self) -> &'static [NotifyKind] {
        match self {
            Self::Master => &[NotifyKind::Master, NotifyKind::Any],
            Self::Backup => &[NotifyKind::Backup, NotifyKind::Any],
            Self::Fault => &[NotifyKind::Fault, NotifyKind::Any],
            Self::Stop => &[NotifyKind::Stop, NotifyKind::Any],
            Self::Deleted => &[NotifyKind::Deleted, NotifyKind::Any],
            Self::MasterRxLowerPri => &[NotifyKind::MasterRxLowerPri],
            Self::MasterPriority | Self::BackupPriority => &[],
        }
    }
}

/// Which of the programs of an instance or a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum NotifyKind {
    /// `notify_master`.
    Master,
    /// `notify_backup`.
    Backup,
    /// `notify_fault`.
    Fault,
    /// `notify_stop`.
    Stop,
    /// `notify`.
    Any,
    /// `notify_deleted`.
    Deleted,
    /// `notify_master_rx_lower_pri`.
    MasterRxLowerPri,
}

impl NotifyKind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Master,
        Self::Backup,
        Self::Fault,
        Self::Stop,
        Self::Any,
        Self::Deleted,
        Self::MasterRxLowerPri,
    ];

    /// The keyword.
    #[must_use]
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Master => "notify_master",
            Self::Backup => "notify_backup",
            Self::Fault => "notify_fault",
            Self::Stop => "notify_stop",
            Self::Any => "notify",
            Self::Deleted => "notify_deleted",
            Self::MasterRxLowerPri => "notify_master_rx_lower_pri",
        }
    }
}

impl NotifyPrograms {
    /// The program of this kind, if one is configured and was found.
    #[must_use]
    pub fn get(&self, kind: NotifyKind) -> Option<&Program> {
        let program = match kind {
            NotifyKind::Master => &self.master,
            NotifyKind::Backup => &self.backup,
            NotifyKind::Fault => &self.fault,
            NotifyKind::Stop => &self.stop,
            NotifyKind::Any => &self.any,
            NotifyKind::Deleted => &self.deleted_program,
            NotifyKind::MasterRxLowerPri => &self.master_rx_lower_pri,
        };
        program.as_ref().filter(|program| program.path.is_some())
    }
}

/// Whose programs, by position in one configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum NotifyOwner {
    /// Position in [`crate::model::Model::instances`].
    Instance(u32),
    /// Position in [`crate::model::Model::groups`].
    Group(u32),
}

/// What is told and why, without the name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Circumstances {
    /// What.
    pub event: NoticeEvent,
    /// Effective priority now; 0 for groups.
    pub priority: u8,
    /// State before.
    pub previous: StateName,
    /// Why, as a stable word (`docs/operations.md`).
    pub code: String,
    /// Why, in plain words.
    pub detail: String,
    /// Counts the changes of state of this instance or group from 1.
    pub sequence: u64,
}

/// Which FIFO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FifoKind {
    /// `notify_fifo`.
    Global,
    /// `vrrp_notify_fifo`.
    Vrrp,
}

impl FifoKind {
    /// What stands before "notify fifo" in keepalived's messages.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Global => "",
            Self::Vrrp => "vrrp ",
        }
    }
}

/// One thing that is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Of what.
    pub of: NoticeOf,
    /// Its name.
    pub name: Arc<str>,
    /// What and why.
    pub what: Circumstances,
}

impl Notice {
    /// The line for a FIFO, with its newline. The name is not escaped, as keepalived's.
    #[must_use]
    pub fn line(&self) -> String {
        let (of, event) = (self.of.as_str(), self.what.event.as_str());
        format!("{of} \"{}\" {event} {}\n", self.name, self.what.priority)
    }
}
