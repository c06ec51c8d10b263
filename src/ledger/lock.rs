//! One process per ledger: an advisory lock on a file beside it, which the kernel drops with the process that held it,
//! however that process ended. The file itself stays; only its lock counts. It holds the pid of the last holder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::LedgerError;
use super::fault::translate_io;

/// Held as long as this process may write the ledger.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of the ledger at `path`, for the process `pid`.
    pub(super) fn take(path: &Path, pid: u32) -> Result<Self, LedgerError> {
        let failed = |error: std::io::Error| translate_io(&error, path);
        let mut file =
            private(OpenOptions::new().create(true).truncate(false), &beside(path)).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                file.take(16).read_to_string(&mut text).map_err(failed)?;
                return Err(LedgerError::Locked { path: path.to_owned(), pid: text.trim().parse().ok() });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        file.set_len(0).map_err(failed)?;
        file.write_all(format!("{pid}\n").as_bytes()).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

/// Opens a file that only its owner may read. Made by root in somebody else's folder, as by a command that is run by
/// hand, it is given to the folder's owner: else the daemon could not open it afterwards.
pub(super) fn private(options: &mut OpenOptions, path: &Path) -> std::io::Result<File> {
    let file = options.read(true).write(true).mode(0o600).open(path)?;
    let (made, folder) = (file.metadata()?, path.parent().map(std::fs::metadata).transpose()?);
    if let Some(folder) = folder.filter(|folder| made.uid() == 0 && folder.uid() != 0) {
        std::os::unix::fs::fchown(&file, Some(folder.uid()), Some(folder.gid()))?;
    }
    Ok(file)
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}
