//! The state of one portal: its keys, its storages' health, and what is scripted for it.
//!
//! Everything here is changed through the [`crate::Portal`] handle; the pipeline only reads it, except
//! for scripts, which are used up.

use std::collections::{BTreeMap, BTreeSet};

use tokio_util::sync::CancellationToken;

use crate::door::Door;
use crate::fault::Rule;
use crate::hold::Standing;
use crate::model::{Key, Role, Status, StorageKind};
use crate::portal::Portal;
use crate::route::Route;
use crate::state::Meter;
use crate::tls::Tls;

/// How a kind of storage behaves for a portal (§2.3, §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Health {
    #[default]
    Working,
    /// It opens, but each access fails.
    Broken,
    /// It cannot be opened.
    Unopenable,
    /// It opens and finds nothing: another bucket, credentials gone.
    Lost,
}

/// A switch that is on or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Flag {
    Unpaid,
    IpRestricted,
    LimitedAccessSpace,
    /// The host resolves to nothing any more.
    Gone,
    /// The listener accepts, then resets.
    ResetOnAccept,
    /// Automatic backups run (`getservicestate`).
    ServiceEnabled,
}

/// Before or after the work of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    Before,
    After,
}

/// Something to do when a request of a route is worked on.
pub(crate) struct Action {
    pub(crate) route: Route,
    pub(crate) moment: Moment,
    pub(crate) run: Box<dyn FnOnce(&Portal) + Send>,
}

/// One portal.
pub(crate) struct PortalState {
    pub(crate) name: String,
    pub(crate) tenant: i64,
    pub(crate) status: Status,
    pub(crate) flags: BTreeSet<Flag>,
    /// Keyed by the key's text.
    pub(crate) keys: BTreeMap<String, Key>,
    pub(crate) sessions: BTreeMap<String, Role>,
    pub(crate) storages: BTreeMap<StorageKind, Health>,
    /// §7: what each record of a delete takes.
    pub(crate) pace: std::time::Duration,
    pub(crate) rules: Vec<Rule>,
    pub(crate) holds: Vec<Standing>,
    pub(crate) actions: Vec<Action>,
    pub(crate) meter: Meter,
    pub(crate) tls: Option<Tls>,
    /// Cancelled to cut every open connection, then replaced.
    pub(crate) connections: CancellationToken,
    pub(crate) door: Door,
}

impl PortalState {
    pub(crate) fn new(name: &str, tenant: i64, tls: Option<Tls>, door: Door) -> Self {
        Self {
            name: name.to_owned(),
            tenant,
            status: Status::Active,
            flags: BTreeSet::from([Flag::ServiceEnabled]),
            keys: BTreeMap::new(),
            sessions: BTreeMap::new(),
            storages: BTreeMap::new(),
            pace: std::time::Duration::ZERO,
            rules: Vec::new(),
            holds: Vec::new(),
            actions: Vec::new(),
            meter: Meter::default(),
            tls,
            connections: CancellationToken::new(),
            door,
        }
    }

    pub(crate) fn is(&self, flag: Flag) -> bool {
        self.flags.contains(&flag)
    }

    pub(crate) fn set(&mut self, flag: Flag, on: bool) {
        if on {
            self.flags.insert(flag);
        } else {
            self.flags.remove(&flag);
        }
    }

    pub(crate) fn health(&self, kind: StorageKind) -> Health {
        self.storages.get(&kind).copied().unwrap_or_default()
    }

    /// Takes the actions due now.
    pub(crate) fn take_actions(&mut self, route: Route, moment: Moment) -> Vec<Action> {
        self.actions.extract_if(.., |action| action.moment == moment && action.route.selects(route)).collect()
    }
}
