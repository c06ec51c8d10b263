//! The state of one installation: its portals, its tables, its files, its log.
//!
//! One history table serves all portals, with the tenant in each row and -1 for the server-wide dumps
//! (§2.1). Files are a set apart: removing a row says nothing about its file, which is the point of
//! the whole simulation.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use uuid::Uuid;

use crate::limit::{Limiter, RateLimit};
use crate::log::Request;
use crate::model::{Backup, Database, Progress, Record, Schedule};
use crate::portal_state::PortalState;
use crate::tls::Tls;

/// The tenant of the server-wide dumps (§2.1).
pub(crate) const DUMPS: i64 = -1;

/// A portal, named by the port of its listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PortalId(pub(crate) u16);

/// Major, minor, patch.
pub(crate) type Version = (u32, u32, u32);

/// What is settled when the server starts, or changed for all its portals.
pub(crate) struct Config {
    pub(crate) standalone: bool,
    pub(crate) version: Version,
    /// §2.2: the text of `settings/version/build`, a packaging hint that may differ from the truth.
    pub(crate) reported_version: String,
    pub(crate) database: Database,
    pub(crate) rate_limit: Option<RateLimit>,
    /// §1: the feature "Backup" is in `web:hide-settings`; only `SaaS` heeds it.
    pub(crate) backup_hidden: bool,
    /// How new portals speak TLS, and how stray listeners do.
    pub(crate) tls: Option<Tls>,
}

/// A row of `backup_backup`.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) id: Uuid,
    pub(crate) tenant: i64,
    /// The file's identity, which survives the new ids of a restore.
    pub(crate) file: Uuid,
    /// The portal whose storage holds the file; `None` for a dump without `tenantId`.
    pub(crate) owner: Option<PortalId>,
    pub(crate) backup: Backup,
    pub(crate) removed: bool,
    /// The database refuses to flag this row.
    pub(crate) flag_fails: bool,
}

/// Connections and requests at work, for a portal or the whole server.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    pub(crate) connections: usize,
    pub(crate) in_flight: usize,
    pub(crate) peak: usize,
}

/// Everything behind the lock.
pub(crate) struct State {
    pub(crate) config: Config,
    /// Keyed by port; `order` keeps the first portal first.
    pub(crate) portals: BTreeMap<PortalId, PortalState>,
    pub(crate) order: Vec<PortalId>,
    /// Rows are never taken out, only flagged.
    rows: Vec<Row>,
    places: HashMap<Uuid, usize>,
    pub(crate) files: BTreeSet<Uuid>,
    pub(crate) schedules: BTreeMap<i64, Schedule>,
    pub(crate) backups: BTreeMap<i64, Progress>,
    pub(crate) restores: BTreeMap<i64, Progress>,
    pub(crate) requests: Vec<Request>,
    pub(crate) meter: Meter,
    pub(crate) limiter: Limiter,
    pub(crate) connections_seen: u64,
    next_tenant: i64,
}

impl State {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config,
            portals: BTreeMap::new(),
            order: Vec::new(),
            rows: Vec::new(),
            places: HashMap::new(),
            files: BTreeSet::new(),
            schedules: BTreeMap::new(),
            backups: BTreeMap::new(),
            restores: BTreeMap::new(),
            requests: Vec::new(),
            meter: Meter::default(),
            limiter: Limiter::default(),
            connections_seen: 0,
            next_tenant: 1,
        }
    }

    /// A tenant id never used before.
    pub(crate) fn new_tenant(&mut self) -> i64 {
        let tenant = self.next_tenant;
        self.next_tenant += 1;
        tenant
    }

    /// The version is at least this.
    pub(crate) fn since(&self, major: u32, minor: u32, patch: u32) -> bool {
        self.config.version >= (major, minor, patch)
    }

    pub(crate) fn portal(&self, id: PortalId) -> Option<&PortalState> {
        self.portals.get(&id)
    }

    pub(crate) fn tenant_of(&self, id: PortalId) -> Option<i64> {
        self.portal(id).map(|portal| portal.tenant)
    }

    /// Stores a backup of `tenant`, whose file lies in the storage of `owner`.
    pub(crate) fn store(&mut self, tenant: i64, owner: Option<PortalId>, mut backup: Backup) -> Uuid {
        let id = Uuid::new_v4();
        backup.file_name.get_or_insert_with(|| format!("backup_{}.tar.gz", id.simple()));
        if backup.has_file {
            self.files.insert(id);
        }
        let owner = owner.filter(|_| backup.has_owner);
        self.insert(Row { id, tenant, file: id, owner, backup, removed: false, flag_fails: false });
        id
    }

    fn insert(&mut self, row: Row) {
        self.places.insert(row.id, self.rows.len());
        self.rows.push(row);
    }

    /// §3: after a restore the rows are there again under the new tenant, with new ids.
    pub(crate) fn copy_rows(&mut self, from: i64, to: i64) {
        let copies: Vec<Row> = self.rows_of(from).cloned().collect();
        for row in copies {
            self.insert(Row { id: Uuid::new_v4(), tenant: to, ..row });
        }
    }

    /// The rows of exactly this tenant.
    pub(crate) fn rows_of(&self, tenant: i64) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.tenant == tenant)
    }

    pub(crate) fn row(&self, id: Uuid) -> Option<&Row> {
        self.rows.get(*self.places.get(&id)?)
    }

    pub(crate) fn row_mut(&mut self, id: Uuid) -> Option<&mut Row> {
        self.rows.get_mut(*self.places.get(&id)?)
    }

    /// §2.1 no. 3: all rows of exactly this tenant that are not flagged.
    pub(crate) fn listed(&self, tenant: i64) -> Vec<Uuid> {
        self.rows_of(tenant).filter(|row| !row.removed).map(|row| row.id).collect()
    }

    /// Every row of a tenant, flagged or not, as seen from outside the API.
    pub(crate) fn records(&self, tenant: i64) -> Vec<Record> {
        self.rows_of(tenant)
            .map(|row| Record {
                id: row.id,
                file_name: row.backup.file_name.clone().unwrap_or_default(),
                storage: row.backup.storage,
                created: row.backup.created,
                removed: row.removed,
                dump: row.tenant == DUMPS,
                has_file: self.files.contains(&row.file),
            })
            .collect()
    }
}
