//! Opens the ledger's file: looks first and without writing, and writes only to what is surely a sound ledger.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::LedgerError;
use super::fault::{translate, translate_io};
use super::lock::private;

/// Marks a file as a ledger of docsweep: "dswp". `file(1)` and other programs see it, too.
const APPLICATION_ID: u32 = 0x6473_7770;

/// The schemas, each from the one before; the first makes a new ledger.
const MIGRATIONS: [&str; 1] = [include_str!("migrations/0001.sql")];

/// The schema that this program writes.
#[expect(clippy::cast_possible_truncation, reason = "there are few migrations")]
pub(super) const SCHEMA: u32 = MIGRATIONS.len() as u32;

/// Up to this size a ledger is checked as a whole each time it is opened, which takes about a second at most. A larger
/// one is checked as far as it is read, and wholly by `docsweep ledger check`.
const CHECKED_AT_OPEN: u64 = 256 * 1024 * 1024;

/// The first bytes of every SQLite file.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Bounds of the ledger's database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long a write waits for another program that holds the database.
    pub busy_timeout: Duration,
    /// The most pages of 4 KiB that the file may grow to; `None`: as many as its file system holds.
    pub max_pages: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { busy_timeout: Duration::from_secs(5), max_pages: None }
    }
}

/// The one name of a ledger, whatever links lead to it: its lock lies beside that.
pub(super) fn resolve(path: &Path) -> Result<PathBuf, LedgerError> {
    if let Ok(real) = path.canonicalize() {
        return Ok(real);
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = parent.canonicalize().map_err(|error| translate_io(&error, path))?;
    let name = path.file_name().ok_or_else(|| LedgerError::NotALedger {
        path: path.to_owned(),
        detail: "it names no file".to_owned(),
    })?;
    Ok(folder.join(name))
}

/// Opens a ledger for writing, making it or bringing it up to date where needed. The caller holds its lock.
pub(super) fn open(path: &Path, limits: &Limits) -> Result<Connection, LedgerError> {
    if !path.exists() {
        private(OpenOptions::new().create_new(true), path).map_err(|error| translate_io(&error, path))?;
    }
    let schema = inspect(path)?;
    let failed = |error: rusqlite::Error| translate(&error, path);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(limits.busy_timeout).map_err(failed)?;
    let mode: String =
        connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(failed)?;
    if mode != "wal" {
        let detail = format!("its file system does not carry the WAL mode, only {mode:?}");
        return Err(LedgerError::Io { path: path.to_owned(), detail });
    }
    connection
        .execute_batch(
            "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;
             PRAGMA cell_size_check = ON; PRAGMA journal_size_limit = 67108864;",
        )
        .map_err(failed)?;
    if let Some(pages) = limits.max_pages {
        connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).map_err(failed)?;
    }
    migrate(&mut connection, schema).map_err(failed)?;
    sync_folder(path).map_err(|error| translate_io(&error, path))?;
    Ok(connection)
}

/// Opens a ledger for reading beside its writer, and says what schema it has.
pub(super) fn open_to_read(path: &Path) -> Result<(Connection, u32), LedgerError> {
    let failed = |error: rusqlite::Error| translate(&error, path);
    let unreadable = |error: std::io::Error| match error.kind() {
        ErrorKind::PermissionDenied => {
            LedgerError::Denied { path: path.to_owned(), detail: error.to_string() }
        }
        _ => translate_io(&error, path),
    };
    match path.metadata() {
        Ok(metadata) if !metadata.is_file() => return Err(not_a_ledger(path, "it is no file")),
        Ok(metadata) if metadata.len() == 0 => {}
        Ok(_) if !has_magic(path).map_err(unreadable)? => {
            return Err(not_a_ledger(path, "it is no SQLite database"));
        }
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(LedgerError::Absent { path: path.to_owned() });
        }
        Err(error) => return Err(unreadable(error)),
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(Limits::default().busy_timeout).map_err(failed)?;
    connection.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;").map_err(failed)?;
    let pragma = |name: &str| {
        connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, u32>(0)).map_err(failed)
    };
    let (application, schema) = (pragma("application_id")?, pragma("user_version")?);
    let tables: u32 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(failed)?;
    match (application, schema, tables) {
        (APPLICATION_ID, 1..=SCHEMA, 1..) => Ok((connection, schema)),
        // Its creation was cut short: nothing is in it yet.
        (0, 0, 0) => Ok((connection, 0)),
        (APPLICATION_ID, found, _) if found > SCHEMA => {
            Err(LedgerError::Newer { path: path.to_owned(), found, known: SCHEMA })
        }
        (APPLICATION_ID, ..) => {
            Err(LedgerError::Corrupt { path: path.to_owned(), detail: "its tables are gone".to_owned() })
        }
        _ => Err(not_a_ledger(path, "it is another program's database")),
    }
}

/// Looks at a file without writing to it: what schema it has, and whether it is sound.
fn inspect(path: &Path) -> Result<u32, LedgerError> {
    let (connection, schema) = open_to_read(path)?;
    if path.metadata().is_ok_and(|file| file.len() <= CHECKED_AT_OPEN) {
        let problems = problems(&connection, "quick_check(1)").map_err(|error| translate(&error, path))?;
        if let Some(detail) = problems.into_iter().next() {
            return Err(LedgerError::Corrupt { path: path.to_owned(), detail });
        }
    }
    Ok(schema)
}

/// What one of SQLite's own checks finds; empty if all is well.
pub(super) fn problems(connection: &Connection, check: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(&format!("PRAGMA {check}"))?;
    let lines = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    Ok(lines.into_iter().filter(|line| line != "ok").collect())
}

fn migrate(connection: &mut Connection, schema: u32) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for migration in MIGRATIONS.iter().skip(schema as usize) {
        transaction.execute_batch(migration)?;
    }
    transaction.commit()
}

fn has_magic(path: &Path) -> std::io::Result<bool> {
    let mut start = Vec::new();
    File::open(path)?.take(MAGIC.len() as u64).read_to_end(&mut start)?;
    Ok(start == MAGIC)
}

fn not_a_ledger(path: &Path, detail: &str) -> LedgerError {
    LedgerError::NotALedger { path: path.to_owned(), detail: detail.to_owned() }
}

/// Makes the file's own entry in its folder durable: SQLite does so for its rollback journals only.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
