//! One simulated server with one portal, and docsweep's side of it.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use docspace_sim::{Builder, Key, Portal, Request, Route, Server, Tls};
use docsweep::clock::{Clock, SystemClock};
use docsweep::domain::{
    Authorization, Backup, Dump, FailureClass, Method, Outcome, PortalName, PortalUrl, RetryPolicy,
    ScheduleLabel, SkipReason, SweepId, SweepReport, Trigger,
};
use docsweep::keys::{ApiKey, ApiKeySource};
use docsweep::portal::{Endpoint, HttpPortals, TlsProfiles};
use docsweep::retry::Stop;
use docsweep::sweep::{Admission, Job, Sweeping, Waits, Work as _};
use jiff::Timestamp;
use tempfile::TempDir;
use tokio::time::{Instant, timeout};

/// Longer than anything here takes: only a test that hangs meets it.
const PATIENCE: Duration = Duration::from_mins(2);

/// The longest detail that a record may carry, in characters.
const MAX_DETAIL: usize = 600;

/// Lets every sweep in, and remembers the pauses.
#[derive(Default)]
pub(crate) struct Gate(Mutex<Vec<Duration>>);

impl Gate {
    pub(crate) fn pauses(&self) -> Vec<Duration> {
        self.0.lock().unwrap().clone()
    }
}

impl Admission for Gate {
    type Permit = ();

    async fn enter(&self) {}

    fn pause(&self, pause: Duration) {
        self.0.lock().unwrap().push(pause);
    }

    fn is_paused(&self) -> bool {
        false
    }

    async fn witness(&self, _: &Job, _: &[Backup]) -> Result<(), String> {
        Ok(())
    }
}

/// A portal and a sweep of it; every field may be changed before [`Rig::sweep`].
pub(crate) struct Rig {
    pub(crate) server: Server,
    pub(crate) portal: Portal,
    pub(crate) key: String,
    pub(crate) endpoint: Endpoint,
    pub(crate) job: Job,
    pub(crate) waits: Waits,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) gate: Gate,
    pub(crate) dir: TempDir,
}

impl Rig {
    /// A standalone server without TLS, a portal without backups, an admin's key.
    pub(crate) async fn new() -> Self {
        Self::of(Server::builder()).await
    }

    /// The same over TLS, the server's authority in the portal's `ca_file`.
    pub(crate) async fn tls(tls: Tls) -> Self {
        let mut rig = Self::of(Server::builder().tls(tls)).await;
        rig.endpoint.ca_file = Some(rig.file("ca.pem", &rig.server.ca_pem()));
        rig
    }

    pub(crate) async fn of(builder: Builder) -> Self {
        let server = builder.start().await.unwrap();
        let portal = server.add_portal("acme").await.unwrap();
        let key = portal.add_key(Key::admin());
        let endpoint = Endpoint {
            url: PortalUrl::parse(&portal.url(), true).unwrap(),
            api_key: literal(&key),
            authorization: Authorization::Bearer,
            connect_timeout: Duration::from_secs(20),
            timeout: Duration::from_secs(30),
            ca_file: None,
            proxy: None,
        };
        Self {
            server,
            portal,
            key,
            endpoint,
            job: job(),
            waits: Waits {
                rate_limited: MS,
                outcome_unknown: MS,
                key_rejected: MS,
                busy: MS,
                retry_after: (Duration::ZERO, MS),
            },
            clock: Arc::new(SystemClock),
            gate: Gate::default(),
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// Sends everything to another address.
    pub(crate) fn point_to(&mut self, url: &str) {
        self.endpoint.url = PortalUrl::parse(url, true).unwrap();
    }

    /// Uses another key, or a token.
    pub(crate) fn use_key(&mut self, text: &str) {
        text.clone_into(&mut self.key);
        self.endpoint.api_key = literal(text);
    }

    pub(crate) fn max_attempts(&mut self, attempts: u32) {
        self.job.retry.max_attempts = NonZeroU32::new(attempts).unwrap();
    }

    /// A private file in the rig's directory, written anew.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// The adapter as it is configured now.
    pub(crate) fn portals(&self) -> Sweeping<HttpPortals> {
        let endpoints = HashMap::from([(self.job.portal.clone(), self.endpoint.clone())]);
        let connect = HttpPortals::new(endpoints, TlsProfiles::from_system(), Arc::clone(&self.clock));
        Sweeping { connect, clock: Arc::clone(&self.clock) }
    }

    pub(crate) async fn sweep(&self) -> SweepReport {
        self.sweep_by(&self.portals()).await
    }

    /// Sweeps, waits until no connection is left, and checks what holds for every sweep.
    pub(crate) async fn sweep_by(&self, portals: &Sweeping<HttpPortals>) -> SweepReport {
        let stop = Stop::default();
        let job = Job { end: Instant::now() + PATIENCE / 2, ..self.job.clone() };
        let running = Box::pin(portals.work(&job, &self.gate, &self.waits, &stop));
        let report = timeout(PATIENCE, running).await.expect("a sweep ends");
        timeout(PATIENCE, self.server.wait_idle()).await.expect("a finished sweep leaves no connection");
        self.check_text(&report);
        report
    }

    /// Bounded, on one line, without the key.
    fn check_text(&self, report: &SweepReport) {
        let record = report.record();
        for text in [record.detail, record.note].into_iter().flatten() {
            assert!(text.chars().count() <= MAX_DETAIL, "{} characters: {text}", text.chars().count());
            assert!(!text.contains(char::is_control), "{text:?}");
        }
        let json = serde_json::to_string(&record).unwrap();
        assert!(!json.contains(&self.key), "the key is in {json}");
    }

    /// The calls that arrived, in their order.
    pub(crate) fn routes(&self) -> Vec<Route> {
        self.portal.requests().iter().map(|request| request.route).collect()
    }

    pub(crate) fn deletes(&self) -> Vec<Request> {
        self.portal.deletes()
    }
}

/// The grain of every wait here.
pub(crate) const MS: Duration = Duration::from_millis(1);

/// Past the end of every sweep here.
pub(crate) const AGES: Duration = Duration::from_hours(1);

fn job() -> Job {
    Job {
        sweep_id: SweepId::random(),
        portal: PortalName::new("acme").unwrap(),
        schedule: ScheduleLabel::new("nightly"),
        slot: None,
        trigger: Trigger::Manual,
        dump: Dump::Own,
        method: Method::Bulk,
        keep: None,
        wipes: None,
        verify: true,
        retry: RetryPolicy {
            max_attempts: NonZeroU32::new(3).unwrap(),
            initial_backoff: MS,
            max_backoff: MS,
            deadline: PATIENCE,
        },
        // Set anew when the sweep begins.
        end: Instant::now(),
        began: SystemClock.now(),
        over_at: Timestamp::MAX,
        time: Duration::from_secs(3600),
        timeout: Duration::from_secs(100),
        next_slot: None,
    }
}

pub(crate) fn literal(text: &str) -> ApiKeySource {
    ApiKeySource::Literal(ApiKey::new(text).unwrap())
}

/// What a sweep failed with; a portal that stayed busy counts, though nothing was touched.
pub(crate) fn class(report: &SweepReport) -> Option<FailureClass> {
    match &report.outcome {
        Outcome::Failed(failure) => Some(failure.class),
        Outcome::Skipped(SkipReason::Busy) => Some(FailureClass::Busy),
        _ => None,
    }
}

/// The failure's text.
pub(crate) fn detail(report: &SweepReport) -> String {
    report.record().detail.unwrap_or_default().to_owned()
}

/// Found, deleted, remaining.
pub(crate) fn counts(report: &SweepReport) -> (Option<u64>, Option<u64>, Option<u64>) {
    (report.counts.found, report.counts.deleted, report.counts.remaining)
}
