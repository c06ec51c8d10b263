//! The handle of a portal: what it is, what it holds, and what it is going through.
//!
//! Handles are cheap clones that share the server's state; each call takes effect at once for the
//! requests that arrive after it. Scripts, sockets and the log are in `control`.

mod control;

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::core::Core;
use crate::model::{Backup, Key, Progress, Record, Role, Schedule, Status, StorageKind};
use crate::portal_state::{Flag, Health, PortalState};
use crate::server::{put, url};
use crate::state::{DUMPS, PortalId, State};

/// A portal.
#[derive(Clone)]
pub struct Portal {
    core: Arc<Core>,
    id: PortalId,
}

/// What it is and what it holds.
impl Portal {
    pub(crate) fn new(core: &Arc<Core>, id: PortalId) -> Self {
        Self { core: Arc::clone(core), id }
    }

    fn read<R: Default>(&self, look: impl FnOnce(&PortalState) -> R) -> R {
        self.core.lock().portal(self.id).map(look).unwrap_or_default()
    }

    fn edit<R: Default>(&self, change: impl FnOnce(&mut PortalState) -> R) -> R {
        self.core.edit(|state| state.portals.get_mut(&self.id).map(change).unwrap_or_default())
    }

    fn edit_tenant<R>(&self, change: impl FnOnce(&mut State, i64) -> R) -> R {
        self.core.edit(|state| {
            let tenant = state.tenant_of(self.id).unwrap_or_default();
            change(state, tenant)
        })
    }

    /// The name given to it.
    pub fn name(&self) -> String {
        self.read(|portal| portal.name.clone())
    }

    /// `http://127.0.0.1:PORT`, or `https://localhost:PORT` with TLS.
    pub fn url(&self) -> String {
        url(self.read(|portal| portal.tls), self.id.0)
    }

    /// The port of its listener.
    pub fn port(&self) -> u16 {
        self.id.0
    }

    /// Its tenant id, which changes with a restore (§3).
    pub fn tenant_id(&self) -> i64 {
        self.read(|portal| portal.tenant)
    }

    /// Creates an API key and returns its text: `sk-` and 64 hex digits (§4.2).
    pub fn add_key(&self, key: Key) -> String {
        let text = format!("sk-{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        self.set_key(&text, key);
        text
    }

    /// Changes what an existing key is, as when its creator is demoted or disabled.
    pub fn set_key(&self, text: &str, key: Key) {
        self.edit(|portal| portal.keys.insert(text.to_owned(), key));
    }

    /// Deletes a key.
    pub fn revoke(&self, text: &str) {
        self.edit(|portal| portal.keys.remove(text));
    }

    /// Signs a user in and returns the session token (§4.1).
    pub fn add_session(&self, role: Role) -> String {
        let token = format!("session{}", Uuid::new_v4().simple());
        self.edit(|portal| portal.sessions.insert(token.clone(), role));
        token
    }

    /// Adds a copy to the history.
    pub fn add_backup(&self, backup: Backup) -> Uuid {
        self.edit_tenant(|state, tenant| state.store(tenant, Some(self.id), backup))
    }

    /// Adds so many copies in the portal's own documents.
    pub fn add_backups(&self, count: usize) -> Vec<Uuid> {
        (0..count).map(|_| self.add_backup(Backup::documents())).collect()
    }

    /// Adds a dump made by this portal: server-wide since 3.1.0, under the portal's own tenant before
    /// (§2.1).
    pub fn add_dump(&self, backup: Backup) -> Uuid {
        self.edit_tenant(|state, tenant| {
            let tenant = if state.since(3, 1, 0) { DUMPS } else { tenant };
            state.store(tenant, Some(self.id), backup)
        })
    }

    /// The records of its history that are not flagged removed.
    pub fn records(&self) -> Vec<Record> {
        self.all_records().into_iter().filter(|record| !record.removed).collect()
    }

    /// The records of its history, flagged or not.
    pub fn all_records(&self) -> Vec<Record> {
        let state = self.core.lock();
        state.tenant_of(self.id).map(|tenant| state.records(tenant)).unwrap_or_default()
    }

    /// The ids of its copies whose file exists, whatever their records say.
    pub fn files(&self) -> Vec<Uuid> {
        self.all_records().into_iter().filter(|record| record.has_file).map(|record| record.id).collect()
    }

    /// The ids of its copies whose record is gone while the file is not.
    pub fn orphans(&self) -> Vec<Uuid> {
        let orphan = |record: &Record| record.removed && record.has_file;
        self.all_records().into_iter().filter(orphan).map(|record| record.id).collect()
    }

    /// Deletes a copy's file behind the server's back.
    pub fn lose_file(&self, id: Uuid) {
        self.core.edit(|state| {
            if let Some(file) = state.row(id).map(|row| row.file) {
                state.files.remove(&file);
            }
        });
    }

    /// The database refuses to flag this record: it stays listed after a delete (§2.1 no. 5).
    pub fn fail_flag(&self, id: Uuid) {
        self.core.edit(|state| state.row_mut(id).map(|row| row.flag_fails = true));
    }

    /// The schedule of its automatic backups.
    pub fn set_schedule(&self, schedule: Option<Schedule>) {
        self.edit_tenant(|state, tenant| put(&mut state.schedules, tenant, schedule));
    }

    /// The progress of a backup being made.
    pub fn set_backup_progress(&self, progress: Option<Progress>) {
        self.edit_tenant(|state, tenant| put(&mut state.backups, tenant, progress));
    }

    /// The progress of a restore; the status is a matter of its own, see [`Portal::set_status`].
    pub fn set_restore_progress(&self, progress: Option<Progress>) {
        self.edit_tenant(|state, tenant| put(&mut state.restores, tenant, progress));
    }
}

/// What it is going through.
impl Portal {
    /// §4.4.
    pub fn set_status(&self, status: Status) {
        self.edit(|portal| portal.status = status);
    }

    /// §3: the archive is being downloaded; deletes still pass.
    pub fn queue_restore(&self) {
        self.set_restore_progress(Some(Progress::queued()));
    }

    /// §3: the status is set; everything but `getrestoreprogress` is 403.
    pub fn start_restoring(&self) {
        self.set_restore_progress(Some(Progress::running(10)));
        self.set_status(Status::Restoring);
    }

    /// §3: a new tenant id, the history copied with new ids, and every API key dead.
    pub fn finish_restore(&self) {
        self.edit_tenant(|state, old| {
            let new = state.new_tenant();
            state.copy_rows(old, new);
            state.restores.insert(new, Progress::finished());
            if let Some(portal) = state.portals.get_mut(&self.id) {
                portal.tenant = new;
                portal.keys.clear();
                portal.sessions.clear();
                portal.status = Status::Active;
            }
        });
    }

    /// Its tariff has ended: 402 (§4.4).
    pub fn set_unpaid(&self, on: bool) {
        self.edit(|portal| portal.set(Flag::Unpaid, on));
    }

    /// The client's address is not allowed; owners are exempt (§4.4).
    pub fn set_ip_restricted(&self, on: bool) {
        self.edit(|portal| portal.set(Flag::IpRestricted, on));
    }

    /// `Dump=true` is denied on this portal (§1).
    pub fn set_limited_access_space(&self, on: bool) {
        self.edit(|portal| portal.set(Flag::LimitedAccessSpace, on));
    }

    /// What `getservicestate` says; on unless told.
    pub fn set_service_enabled(&self, on: bool) {
        self.edit(|portal| portal.set(Flag::ServiceEnabled, on));
    }

    /// Renamed or deleted: its host resolves to nothing (§4.4), while the server still listens.
    pub fn remove(&self) {
        self.edit(|portal| portal.set(Flag::Gone, true));
    }

    /// The host resolves again.
    pub fn bring_back(&self) {
        self.edit(|portal| portal.set(Flag::Gone, false));
    }

    /// Each access to this kind of storage fails: provider down, path not mounted, disk full (§2.3).
    pub fn break_storage(&self, kind: StorageKind) {
        self.set_health(kind, Health::Broken);
    }

    /// This kind of storage cannot be opened: its records are hidden from the list, but kept (§3).
    pub fn hide_storage(&self, kind: StorageKind) {
        self.set_health(kind, Health::Unopenable);
    }

    /// This kind of storage finds nothing: bucket renamed, credentials removed (§2.3).
    pub fn lose_storage(&self, kind: StorageKind) {
        self.set_health(kind, Health::Lost);
    }

    /// This kind of storage works again.
    pub fn mend_storage(&self, kind: StorageKind) {
        self.set_health(kind, Health::Working);
    }

    fn set_health(&self, kind: StorageKind, health: Health) {
        self.edit(|portal| portal.storages.insert(kind, health));
    }

    /// What each record of `deletebackuphistory` takes; the loop goes on when the client leaves (§7).
    pub fn set_delete_pace(&self, pace: Duration) {
        self.edit(|portal| portal.pace = pace);
    }
}
