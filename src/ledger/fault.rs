//! What SQLite says, as one of the ledger's own errors.

use std::io::ErrorKind;
use std::path::Path;

use rusqlite::ErrorCode;

use super::LedgerError;

/// What a piece of work on the database can end in.
#[derive(Debug)]
pub(super) enum Fault {
    /// The database said so.
    Sql(rusqlite::Error),
    /// The work itself said so.
    Ledger(LedgerError),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<LedgerError> for Fault {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl Fault {
    /// The fault as the ledger's error.
    pub(super) fn about(self, path: &Path) -> LedgerError {
        match self {
            Self::Ledger(error) => error,
            Self::Sql(error) => translate(&error, path),
        }
    }
}

/// What an error of the database means for the ledger at `path`.
pub(super) fn translate(error: &rusqlite::Error, path: &Path) -> LedgerError {
    let (path, detail) = (path.to_owned(), error.to_string());
    let Some(code) = error.sqlite_error_code() else {
        return match error {
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::Utf8Error(..) => LedgerError::Corrupt { path, detail },
            _ => LedgerError::Refused { detail },
        };
    };
    match code {
        ErrorCode::DiskFull => LedgerError::Full { path },
        ErrorCode::DatabaseCorrupt => LedgerError::Corrupt { path, detail },
        ErrorCode::NotADatabase => LedgerError::NotALedger { path, detail },
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => LedgerError::Busy { path },
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied => {
            LedgerError::ReadOnly { path, detail }
        }
        ErrorCode::CannotOpen => LedgerError::Denied { path, detail },
        ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig => {
            LedgerError::Refused { detail }
        }
        _ => LedgerError::Io { path, detail },
    }
}

/// What an error of the file system means for the ledger at `path`.
pub(super) fn translate_io(error: &std::io::Error, path: &Path) -> LedgerError {
    let (detail, path) = (error.to_string(), path.to_owned());
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            LedgerError::NoDirectory { path: path.parent().map(Path::to_owned).unwrap_or(path) }
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => LedgerError::ReadOnly { path, detail },
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => LedgerError::Full { path },
        _ => LedgerError::Io { path, detail },
    }
}
