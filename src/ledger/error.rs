//! Why the ledger could not do what was asked of it, and what a person should do about it.

use std::path::PathBuf;

use crate::domain::{DumpSetting, SweepId};

/// An error of the ledger. The first line says what is wrong, the second what to do.
///
/// It is plain text and can be cloned, because one failed commit is the answer to everybody whose work was in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// Another process holds the ledger.
    #[error(
        "the ledger {} is in use by {}\nstop that process, or give this configuration a `ledger` of its own",
        path.display(), holder(*pid)
    )]
    Locked {
        /// Which ledger.
        path: PathBuf,
        /// The process that holds it; `None` while that process has not yet said which it is.
        pid: Option<u32>,
    },
    /// The folder that the ledger is to lie in is not there.
    #[error(
        "the ledger's folder {} is not there\ncreate it, owned by the user that docsweep runs as, or name another \
         place as `ledger`",
        path.display()
    )]
    NoDirectory {
        /// Which folder.
        path: PathBuf,
    },
    /// The ledger or its folder may not be written.
    #[error(
        "the ledger {} cannot be written: {detail}\nlet the user that docsweep runs as write the file and its folder, \
         and see that the file system is not mounted read-only",
        path.display()
    )]
    ReadOnly {
        /// Which ledger.
        path: PathBuf,
        /// What the system said.
        detail: String,
    },
    /// The ledger, or one of the files beside it, may not be opened.
    #[error(
        "the ledger {} cannot be opened: {detail}\nrun this as the user that docsweep runs as, and see that the file and \
         those beside it (-wal, -shm, .lock) belong to that user",
        path.display()
    )]
    Denied {
        /// Which ledger.
        path: PathBuf,
        /// What the system said.
        detail: String,
    },
    /// The file that was opened does not lie there any more.
    #[error(
        "the ledger {} was moved, deleted or replaced while docsweep has it open\nput the file back, or restart \
         docsweep, which then uses the file that lies there or makes a new one",
        path.display()
    )]
    Gone {
        /// Which ledger.
        path: PathBuf,
    },
    /// There is no room.
    #[error(
        "there is no room to write the ledger {}\nfree space on its file system, or lower `ledger_retention`; sweeps \
         go on by themselves once there is room",
        path.display()
    )]
    Full {
        /// Which ledger.
        path: PathBuf,
    },
    /// The file is damaged. It is not written any more.
    #[error(
        "the ledger {} is damaged: {detail}\nrun `docsweep ledger check`, then stop docsweep and put back a copy, or \
         save what can be read with `sqlite3 {} .recover`, or move the file away to begin a new ledger; docsweep does \
         not write to it",
        path.display(), path.display()
    )]
    Corrupt {
        /// Which ledger.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// The ledger was written by a newer docsweep.
    #[error(
        "the ledger {} has schema {found}, and this docsweep knows schemas up to {known}\nupdate docsweep to the \
         version that wrote it, or put back the copy from before that update",
        path.display()
    )]
    Newer {
        /// Which ledger.
        path: PathBuf,
        /// The schema of the file.
        found: u32,
        /// The newest schema that this program knows.
        known: u32,
    },
    /// The ledger has a schema that only the daemon brings up to date.
    #[error(
        "the ledger {} has schema {found}, and this docsweep reads schema {known}\nstart the daemon of this version \
         once: it brings the ledger up to date",
        path.display()
    )]
    Older {
        /// Which ledger.
        path: PathBuf,
        /// The schema of the file.
        found: u32,
        /// The schema that this program reads.
        known: u32,
    },
    /// What lies there is something else.
    #[error(
        "{} is no ledger of docsweep: {detail}\nname another file as `ledger`; this one is left as it is",
        path.display()
    )]
    NotALedger {
        /// Which file.
        path: PathBuf,
        /// How it shows.
        detail: String,
    },
    /// There is no file yet.
    #[error("there is no ledger at {}\nthe daemon makes it when it starts: see that `ledger` names the same file", path.display())]
    Absent {
        /// Which file.
        path: PathBuf,
    },
    /// Another program held the database for too long.
    #[error(
        "the ledger {} is held by another program\nend the program that keeps a transaction open on it, such as a \
         `sqlite3` shell or a backup job",
        path.display()
    )]
    Busy {
        /// Which ledger.
        path: PathBuf,
    },
    /// Anything else that the system or the store said.
    #[error(
        "the ledger {} failed: {detail}\nlook into the system's log for its disk and file system; sweeps go on by \
         themselves once it works again",
        path.display()
    )]
    Io {
        /// Which ledger.
        path: PathBuf,
        /// What was said.
        detail: String,
    },
    /// A sweep was to be completed that was never claimed, or has an outcome already.
    #[error(
        "the ledger holds no running sweep {sweep_id} with dump = {}\nreport this as a defect of docsweep, with the \
         log lines around it", dump.as_str()
    )]
    NotRunning {
        /// Which sweep.
        sweep_id: SweepId,
        /// For which `Dump` value.
        dump: DumpSetting,
    },
    /// A value was refused by the ledger's own rules.
    #[error(
        "the ledger refused a record: {detail}\nreport this as a defect of docsweep, with the log lines around it"
    )]
    Refused {
        /// Which rule.
        detail: String,
    },
    /// The ledger's writer is gone.
    #[error(
        "the ledger's writer has stopped\nrestart docsweep, and report this as a defect with the log lines around it"
    )]
    Stopped,
}

impl LedgerError {
    /// Whether this says that the ledger cannot be written, and not only that one request made no sense.
    pub fn is_outage(&self) -> bool {
        !matches!(self, Self::NotRunning { .. } | Self::Refused { .. })
    }

    /// Whether the file must not be written any more, whatever comes.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Corrupt { .. } | Self::NotALedger { .. } | Self::Newer { .. })
    }
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}
