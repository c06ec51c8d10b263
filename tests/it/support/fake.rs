//! Portals without sockets, for tests in virtual time: they hold backups, follow a script, and write down every call.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use docsweep::domain::{Backup, BackupId, Dump, FailureClass, PortalName};
use docsweep::portal::{Call, Connect, DeletePortal, Look, PortalError, ReadPortal, ServerVersion};
use jiff::Timestamp;
use tokio::time::Instant;

/// What a portal does with one call in place of serving it.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// Answers with this error and does nothing.
    Fail(PortalError),
    /// Does the work, and then answers with this error.
    FailAfterwards(PortalError),
    /// Never answers.
    Hang,
    /// Panics.
    Panic,
    /// Answers true and deletes nothing.
    Lie,
    /// Serves the call.
    Pass,
    /// A backup with this id is made just before the call is served.
    Make(&'static str),
}

#[derive(Debug, Default)]
struct State {
    backups: HashMap<bool, Vec<Backup>>,
    script: Vec<(Call, u32, Act)>,
    calls: Vec<(Instant, Call)>,
    restoring: bool,
    api_key: bool,
    version: Option<String>,
    running: u32,
    sent: Vec<String>,
    at_once: usize,
    most_at_once: usize,
    ids: Vec<IdRule>,
    on_list: OnList,
}

/// Called when the list is read.
#[derive(Default)]
struct OnList(Option<Change>);

/// Changes what a portal has.
type Change = Box<dyn FnMut(&mut Vec<Backup>) + Send>;

impl std::fmt::Debug for OnList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OnList")
    }
}

/// The deletion of one backup goes wrong.
#[derive(Debug)]
struct IdRule {
    id: String,
    times: u32,
    work: bool,
    error: PortalError,
}

/// One portal.
#[derive(Debug, Clone)]
pub(crate) struct FakePortal(Arc<Mutex<State>>);

/// Many portals by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct FakePortals(pub(crate) HashMap<PortalName, FakePortal>);

impl FakePortal {
    /// A portal with backups of these ids.
    pub(crate) fn with(ids: &[&str]) -> Self {
        let portal = Self(Arc::new(Mutex::new(State { api_key: true, ..State::default() })));
        for id in ids {
            portal.make(Dump::Own, id);
        }
        portal
    }

    /// A backup appears.
    pub(crate) fn make(&self, dump: Dump, id: &str) {
        let created_on = Some("2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap());
        let backup =
            Backup { id: BackupId::new(id), file_name: format!("{id}.tar.gz"), storage: None, created_on };
        self.0.lock().unwrap().backups.entry(dump == Dump::ServerWide).or_default().push(backup);
    }

    /// The next `times` calls of this kind do this.
    pub(crate) fn script(&self, call: Call, times: u32, act: Act) -> &Self {
        self.0.lock().unwrap().script.push((call, times, act));
        self
    }

    /// Whether a restore is under way.
    pub(crate) fn restoring(&self, restoring: bool) {
        self.0.lock().unwrap().restoring = restoring;
    }

    /// The key is a session token, and the server tells this version (`None`: it does not answer).
    pub(crate) fn session_token(&self, version: Option<&str>) {
        let mut state = self.0.lock().unwrap();
        state.api_key = false;
        state.version = version.map(str::to_owned);
    }

    /// What is left of the portal's own backups.
    pub(crate) fn left(&self, dump: Dump) -> Vec<String> {
        let state = self.0.lock().unwrap();
        let backups = state.backups.get(&(dump == Dump::ServerWide)).into_iter().flatten();
        backups.map(|backup| backup.id.as_str().to_owned()).collect()
    }

    /// The next `times` deletions of this backup end in `error`; `work` is whether the record goes all the same.
    pub(crate) fn fail_id(&self, id: &str, times: u32, work: bool, error: PortalError) -> &Self {
        self.0.lock().unwrap().ids.push(IdRule { id: id.to_owned(), times, work, error });
        self
    }

    /// Calls this whenever the list is read.
    pub(crate) fn on_list(&self, call: impl FnMut(&mut Vec<Backup>) + Send + 'static) {
        self.0.lock().unwrap().on_list = OnList(Some(Box::new(call)));
    }

    /// A backup that was made at an instant.
    pub(crate) fn make_at(&self, dump: Dump, id: &str, at: &str) {
        self.make(dump, id);
        let mut state = self.0.lock().unwrap();
        let made = state.backups.get_mut(&(dump == Dump::ServerWide)).unwrap().last_mut().unwrap();
        made.created_on = Some(at.parse().unwrap());
    }

    /// The ids that were sent for deletion one by one, in their order.
    pub(crate) fn sent(&self) -> Vec<String> {
        self.0.lock().unwrap().sent.clone()
    }

    /// The most deletions of single backups at once.
    pub(crate) fn most_at_once(&self) -> usize {
        self.0.lock().unwrap().most_at_once
    }

    /// Every call so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.0.lock().unwrap().calls.iter().map(|(_, call)| *call).collect()
    }

    /// When the calls of one kind came in.
    pub(crate) fn times(&self, call: Call) -> Vec<Instant> {
        let state = self.0.lock().unwrap();
        state.calls.iter().filter(|(_, c)| *c == call).map(|(at, _)| *at).collect()
    }

    /// How many deletions were sent.
    pub(crate) fn deletions(&self) -> usize {
        self.times(Call::DeleteHistory).len()
    }

    fn act(&self, call: Call) -> Option<Act> {
        let mut state = self.0.lock().unwrap();
        state.calls.push((Instant::now(), call));
        let at = state.script.iter().position(|(of, ..)| *of == call)?;
        let (_, times, act) = &mut state.script[at];
        *times -= 1;
        let (spent, act) = (*times == 0, act.clone());
        if spent {
            state.script.remove(at);
        }
        Some(act)
    }

    /// Plays one call: what the script says, else `work`.
    async fn play<T>(
        &self,
        call: Call,
        dump: Dump,
        lie: T,
        work: impl FnOnce(&mut State) -> T,
    ) -> Result<T, PortalError> {
        match self.act(call) {
            None | Some(Act::Pass) => Ok(work(&mut self.0.lock().unwrap())),
            Some(Act::Fail(error)) => Err(error),
            Some(Act::FailAfterwards(error)) => {
                work(&mut self.0.lock().unwrap());
                Err(error)
            }
            Some(Act::Hang) => {
                self.0.lock().unwrap().running += 1;
                std::future::pending().await
            }
            Some(Act::Panic) => panic!("scripted panic"),
            Some(Act::Lie) => Ok(lie),
            Some(Act::Make(id)) => {
                self.make(dump, id);
                Ok(work(&mut self.0.lock().unwrap()))
            }
        }
    }
}

impl ReadPortal for FakePortal {
    fn has_api_key(&self) -> bool {
        self.0.lock().unwrap().api_key
    }

    async fn restore_running(&self) -> Result<bool, PortalError> {
        self.play(Call::RestoreProgress, Dump::Own, false, |state| state.restoring).await
    }

    async fn server_version(&self) -> Result<ServerVersion, PortalError> {
        let version = self.play(Call::Version, Dump::Own, None, |state| state.version.clone()).await?;
        version
            .and_then(|v| ServerVersion::parse(&v))
            .ok_or_else(|| error(FailureClass::BadResponse, Some(200)))
    }

    async fn history(&self, dump: Dump) -> Result<Vec<Backup>, PortalError> {
        let list = |state: &mut State| {
            let State { backups, on_list, .. } = state;
            let backups = backups.entry(dump == Dump::ServerWide).or_default();
            if let Some(call) = &mut on_list.0 {
                call(backups);
            }
            backups.clone()
        };
        self.play(Call::History, dump, Vec::new(), list).await
    }
}

impl DeletePortal for FakePortal {
    async fn delete_history(&self, dump: Dump) -> Result<(), PortalError> {
        let delete = |state: &mut State| {
            state.backups.remove(&(dump == Dump::ServerWide));
        };
        self.play(Call::DeleteHistory, dump, (), delete).await
    }

    async fn delete_backup(&self, id: &BackupId) -> Result<(), PortalError> {
        {
            let mut state = self.0.lock().unwrap();
            state.sent.push(id.as_str().to_owned());
            state.at_once += 1;
            state.most_at_once = state.most_at_once.max(state.at_once);
        }
        tokio::time::sleep(PACE).await;
        self.0.lock().unwrap().at_once -= 1;
        let remove =
            |state: &mut State| state.backups.values_mut().for_each(|all| all.retain(|b| b.id != *id));
        let own = {
            let mut state = self.0.lock().unwrap();
            let rule = state.ids.iter_mut().find(|rule| rule.id == id.as_str() && rule.times > 0);
            rule.map(|rule| {
                rule.times -= 1;
                (rule.work, rule.error.clone())
            })
        };
        match own {
            Some((work, error)) => {
                if work {
                    remove(&mut self.0.lock().unwrap());
                }
                Err(error)
            }
            None => self.play(Call::DeleteBackup, Dump::Own, (), remove).await,
        }
    }
}

/// How long a fake takes to delete one backup, in virtual time.
const PACE: Duration = Duration::from_millis(100);

impl Look for FakePortals {
    type Reader = FakePortal;

    async fn look(&self, portal: &PortalName) -> Result<FakePortal, PortalError> {
        Ok(self.0[portal].clone())
    }
}

impl Connect for FakePortals {
    type Portal = FakePortal;

    async fn connect(&self, portal: &PortalName) -> Result<FakePortal, PortalError> {
        Ok(self.0[portal].clone())
    }
}

/// An error of a class.
pub(crate) fn error(class: FailureClass, http_status: Option<u16>) -> PortalError {
    PortalError {
        class,
        http_status,
        retry_after: None,
        not_served: false,
        detail: format!("scripted {}", class.as_str()),
    }
}

/// A 404 or 405 of a gateway that filters.
pub(crate) fn not_served() -> PortalError {
    PortalError { not_served: true, ..error(FailureClass::NotAPortal, Some(404)) }
}
