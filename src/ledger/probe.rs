//! How a failing ledger finds out that it can be written again.
//!
//! It asks for more room than the next batch of claims will need. A smaller question would be answered well on a disk
//! that is still as good as full, and the ledger would be said to come and go.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::fault::{Fault, translate_io};
use super::lock::private;

/// On the file system: a batch of claims of 512 portals, each on index pages of its own, writes some 1000 pages.
const ON_DISK: usize = 4 * 1024 * 1024;

/// In the database, whose size may be bounded by itself.
const IN_DATABASE: u32 = 256 * 1024;

/// Tries for room on the file system and in the database, and gives it back.
pub(super) fn probe(connection: &Connection, path: &Path) -> Result<(), Fault> {
    let beside = beside(path);
    let tried = private(OpenOptions::new().create(true).truncate(true), &beside).and_then(fill);
    let given_back = std::fs::remove_file(&beside);
    tried.and(given_back).map_err(|error| translate_io(&error, path))?;
    connection.execute("INSERT INTO probe (room) VALUES (zeroblob(?1))", [IN_DATABASE])?;
    connection.execute("DELETE FROM probe", [])?;
    Ok(())
}

fn fill(mut file: File) -> std::io::Result<()> {
    let chunk = [0; 8 * 1024];
    for _ in 0..ON_DISK / chunk.len() {
        file.write_all(&chunk)?;
    }
    // Some file systems find out only now.
    file.sync_all()
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".probe");
    name.into()
}
