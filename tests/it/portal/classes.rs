//! The table of failures: every row of the API's contract and every class, each produced once by a portal that really
//! behaves so, with the number of attempts and of DELETEs that it may cost.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use docspace_sim::{Backup, Fault, Key, RateLimit, Role, Route, Rule, Server, Shape, Status, Tls};
use docsweep::domain::{Dump, FailureClass, Outcome};
use docsweep::keys::ApiKeySource;

use super::rig::{AGES, Rig, class, counts, detail};

/// What a case has to come to.
struct Row {
    class: FailureClass,
    /// Attempts in all, of at most three.
    attempts: u32,
    /// DELETEs that arrived.
    deletes: usize,
}

async fn check(row: Row, prepare: impl AsyncFnOnce(&mut Rig)) {
    let mut rig = Rig::new().await;
    Box::pin(prepare(&mut rig)).await;
    rig.portal.add_backups(2);
    rig.portal.add_dump(Backup::documents());
    let before = listed(&rig);
    let report = rig.sweep().await;
    assert_eq!(class(&report), Some(row.class), "{:?}", report.outcome);
    assert_eq!(report.attempts, row.attempts, "{:?}", report.outcome);
    assert_eq!(rig.deletes().len(), row.deletes, "{:?}", report.outcome);
    assert!(report.record().advice.is_some());
    assert!(!report.verified);
    if matches!(report.outcome, Outcome::Failed(_)) {
        assert!(!detail(&report).is_empty());
    }
    // What the record says of the backups is what happened to them.
    let left = listed(&rig);
    if let Some(deleted) = report.counts.deleted {
        assert_eq!(deleted, before - left, "deleted, in {report:?}");
    }
    if let Some(remaining) = report.counts.remaining {
        assert_eq!(remaining, left, "remaining, in {report:?}");
    }
    if row.deletes == 0 {
        assert_eq!(left, before);
    }
}

/// How many of the sweep's kind of backups the server holds.
fn listed(rig: &Rig) -> u64 {
    let records = match rig.job.dump {
        Dump::Own => rig.portal.records(),
        Dump::ServerWide => rig.server.dumps(),
    };
    records.len() as u64
}

macro_rules! rows {
    ($($name:ident: $class:ident, $attempts:literal attempts, $deletes:literal deletes, $prepare:expr;)+) => {
        $(
            #[tokio::test]
            async fn $name() {
                let row = Row { class: FailureClass::$class, attempts: $attempts, deletes: $deletes };
                check(row, $prepare).await;
            }
        )+

        /// The classes of the rows.
        const PRODUCED: &[FailureClass] = &[$(FailureClass::$class),+];
    };
}

#[test]
fn every_class_has_a_row() {
    let produced: HashSet<_> = PRODUCED.iter().collect();
    let missing: Vec<_> = FailureClass::ALL
        .iter()
        .filter(|class| **class != FailureClass::Internal && !produced.contains(class))
        .collect();
    assert_eq!(missing, Vec::<&FailureClass>::new());
}

/// Makes the DELETE go wrong, each time.
fn fault(rig: &Rig, fault: Fault) {
    rig.portal.fault_always(Route::DeleteHistory, fault);
}

fn answer(status: u16, content_type: &str, body: &str) -> Fault {
    let headers = vec![("Content-Type".to_owned(), content_type.to_owned())];
    Fault::Answer { status, headers, body: body.as_bytes().to_vec() }
}

fn json(body: &str) -> Fault {
    answer(200, "application/json; charset=utf-8", body)
}

fn redirect(status: u16) -> Fault {
    Fault::Redirect { status, location: "https://moved.example/api/2.0/?secret=1".to_owned() }
}

async fn with_tls(rig: &mut Rig, tls: Tls) {
    *rig = Rig::tls(tls).await;
}

rows! {
    // 200, but not the answer.
    a_page_in_place_of_an_answer: NotAPortal, 1 attempts, 1 deletes, async |rig: &mut Rig| fault(rig, Fault::HtmlPage);
    a_web_client_at_every_path: NotAPortal, 1 attempts, 0 deletes, async |rig: &mut Rig| {
        rig.portal.fault_always(Route::AnyRoute, Fault::HtmlPage);
    };
    plain_text_in_place_of_an_answer: NotAPortal, 1 attempts, 1 deletes, async |rig: &mut Rig| {
        fault(rig, answer(200, "text/plain", "true"));
    };
    an_empty_answer_without_a_type: NotAPortal, 1 attempts, 1 deletes, async |rig: &mut Rig| {
        fault(rig, Fault::status(200));
    };
    json_of_something_else: NotAPortal, 1 attempts, 1 deletes, async |rig: &mut Rig| {
        fault(rig, json(r#"{"ok":true,"response":true}"#));
    };
    a_response_of_false: BadResponse, 1 attempts, 1 deletes, async |rig: &mut Rig| {
        fault(rig, Fault::Wrapper(Shape::False));
    };
    an_absent_response: BadResponse, 1 attempts, 1 deletes, async |rig: &mut Rig| {
        fault(rig, Fault::Wrapper(Shape::Absent));
    };
    a_response_of_another_type: BadResponse, 1 attempts, 1 deletes, async |rig: &mut Rig| {
        fault(rig, Fault::Wrapper(Shape::WrongType));
    };
    a_status_of_one_at_200: BadResponse, 1 attempts, 1 deletes, async |rig: &mut Rig| {
        fault(rig, Fault::Wrapper(Shape::StatusOne));
    };
    an_error_at_200: BadResponse, 1 attempts, 1 deletes, async |rig: &mut Rig| {
        fault(rig, json(r#"{"status":1,"statusCode":500,"error":{"type":"System.Exception","message":"no"}}"#));
    };
    json_cut_in_the_middle_after_the_work: BadResponse, 1 attempts, 1 deletes, async |rig: &mut Rig| {
        fault(rig, Fault::TruncatedJson);
    };
    an_empty_json_answer: BadResponse, 1 attempts, 1 deletes, async |rig: &mut Rig| fault(rig, json(""));
    a_list_that_is_an_object: BadResponse, 1 attempts, 0 deletes, async |rig: &mut Rig| {
        rig.portal.fault_always(Route::History, json(r#"{"status":0,"response":{"id":"x"}}"#));
    };
    a_list_of_something_else: BadResponse, 1 attempts, 0 deletes, async |rig: &mut Rig| {
        rig.portal.fault_always(Route::History, json(r#"{"status":0,"response":[{"id":7}]}"#));
    };
    an_absent_list: BadResponse, 1 attempts, 0 deletes, async |rig: &mut Rig| {
        rig.portal.fault_always(Route::History, Fault::Wrapper(Shape::Absent));
    };
    no_content: BadResponse, 1 attempts, 1 deletes, async |rig: &mut Rig| fault(rig, Fault::status(204));
    a_body_that_is_not_gzip_as_it_says: BadResponse, 1 attempts, 1 deletes, async |rig: &mut Rig| {
        let headers = vec![
            ("Content-Type".to_owned(), "application/json".to_owned()),
            ("Content-Encoding".to_owned(), "gzip".to_owned()),
        ];
        fault(rig, Fault::Answer { status: 200, headers, body: b"{\"status\":0}".to_vec() });
    };

    // 3xx.
    a_301: Redirected, 1 attempts, 1 deletes, async |rig: &mut Rig| fault(rig, redirect(301));
    a_302: Redirected, 1 attempts, 1 deletes, async |rig: &mut Rig| fault(rig, redirect(302));
    a_307: Redirected, 1 attempts, 1 deletes, async |rig: &mut Rig| fault(rig, redirect(307));
    a_308: Redirected, 1 attempts, 1 deletes, async |rig: &mut Rig| fault(rig, redirect(308));
    a_redirect_of_every_call: Redirected, 1 attempts, 0 deletes, async |rig: &mut Rig| {
        rig.portal.fault_always(Route::AnyRoute, redirect(301));
    };

    // 400.
    a_400_of_the_validation: BadResponse, 1 attempts, 1 deletes, async |rig: &mut Rig| {
        fault(rig, answer(400, "application/json", r#"{"response":{"title":"no"},"status":1,"statusCode":400}"#));
    };
    a_400_of_an_argument: BadResponse, 1 attempts, 1 deletes, async |rig: &mut Rig| {
        let (kind, message) = ("System.ArgumentException".to_owned(), "Provider id not found".to_owned());
        fault(rig, Fault::Dotnet { status: 400, kind, message });
    };
    a_418: BadResponse, 1 attempts, 1 deletes, async |rig: &mut Rig| fault(rig, Fault::status(418));

    // 401.
    an_unknown_key: KeyRejected, 2 attempts, 0 deletes, async |rig: &mut Rig| rig.portal.revoke(&rig.key);
    an_expired_key: KeyRejected, 2 attempts, 0 deletes, async |rig: &mut Rig| {
        rig.portal.set_key(&rig.key, Key::admin().expired());
    };
    an_inactive_key: KeyRejected, 2 attempts, 0 deletes, async |rig: &mut Rig| {
        rig.portal.set_key(&rig.key, Key::admin().inactive());
    };
    a_key_whose_creator_is_disabled: KeyRejected, 2 attempts, 0 deletes, async |rig: &mut Rig| {
        rig.portal.set_key(&rig.key, Key::admin().creator_disabled());
    };
    a_key_that_died_with_a_restore: KeyRejected, 2 attempts, 0 deletes, async |rig: &mut Rig| {
        rig.portal.finish_restore();
    };
    a_key_of_another_portal: KeyRejected, 2 attempts, 0 deletes, async |rig: &mut Rig| {
        let other = rig.server.add_portal("other").await.unwrap();
        rig.use_key(&other.add_key(Key::admin()));
    };
    a_key_revoked_before_the_delete: KeyRejected, 2 attempts, 2 deletes, async |rig: &mut Rig| {
        fault(rig, Fault::DatabaseHiccup401);
    };

    // 402.
    a_portal_that_is_not_paid: Unpaid, 1 attempts, 0 deletes, async |rig: &mut Rig| rig.portal.set_unpaid(true);
    a_backup_feature_hidden_by_the_plan: Unpaid, 1 attempts, 0 deletes, async |rig: &mut Rig| {
        *rig = Rig::of(Server::builder().saas()).await;
        rig.server.hide_backup_feature(true);
    };
    a_backup_feature_hidden_on_an_older_server: Unpaid, 1 attempts, 0 deletes, async |rig: &mut Rig| {
        *rig = Rig::of(Server::builder().saas().version("3.6.1")).await;
        rig.server.hide_backup_feature(true);
    };

    // 403.
    a_key_without_any_scope_for_it: KeyScope, 1 attempts, 0 deletes, async |rig: &mut Rig| {
        rig.portal.set_key(&rig.key, Key::admin().scopes(&["files:write", "rooms:write"]));
    };
    a_key_that_may_only_read: KeyScope, 1 attempts, 1 deletes, async |rig: &mut Rig| {
        rig.portal.set_key(&rig.key, Key::admin().scopes(&["*:read"]));
    };
    a_key_of_somebody_who_is_no_admin: NotAdmin, 1 attempts, 0 deletes, async |rig: &mut Rig| {
        rig.portal.set_key(&rig.key, Key::room_admin());
    };
    a_portal_being_restored: Busy, 1 attempts, 0 deletes, async |rig: &mut Rig| {
        rig.waits.busy = AGES;
        rig.portal.start_restoring();
    };
    a_portal_being_transferred: Busy, 1 attempts, 0 deletes, async |rig: &mut Rig| {
        rig.waits.busy = AGES;
        rig.portal.set_status(Status::Transferring);
    };
    a_portal_being_encrypted: Busy, 1 attempts, 0 deletes, async |rig: &mut Rig| {
        rig.waits.busy = AGES;
        rig.portal.set_status(Status::Encryption);
    };
    a_portal_that_gets_busy_before_the_delete: Busy, 1 attempts, 1 deletes, async |rig: &mut Rig| {
        rig.waits.busy = AGES;
        rig.portal.after_next(Route::History, |portal| portal.set_status(Status::Transferring));
    };
    a_portal_that_gets_busy_after_the_delete: Busy, 1 attempts, 1 deletes, async |rig: &mut Rig| {
        rig.waits.busy = AGES;
        rig.portal.after_next(Route::DeleteHistory, |portal| portal.set_status(Status::Transferring));
    };
    an_ip_restriction: IpBlocked, 1 attempts, 0 deletes, async |rig: &mut Rig| rig.portal.set_ip_restricted(true);
    a_firewall_page_at_403: IpBlocked, 1 attempts, 0 deletes, async |rig: &mut Rig| {
        let page = "<html><body>Request blocked</body></html>";
        rig.portal.fault_always(Route::AnyRoute, answer(403, "text/html", page));
    };
    dumps_of_a_cloud_portal: DumpRefused, 1 attempts, 0 deletes, async |rig: &mut Rig| {
        *rig = Rig::of(Server::builder().saas()).await;
        rig.job.dump = Dump::ServerWide;
    };
    dumps_of_a_limited_portal: DumpRefused, 1 attempts, 0 deletes, async |rig: &mut Rig| {
        rig.job.dump = Dump::ServerWide;
        rig.portal.set_limited_access_space(true);
    };
    dumps_of_a_server_that_does_not_know_dump: DumpRefused, 1 attempts, 0 deletes, async |rig: &mut Rig| {
        *rig = Rig::of(Server::builder().version("3.0.4")).await;
        rig.use_key(&rig.portal.add_session(Role::Admin));
        rig.job.dump = Dump::ServerWide;
    };
    a_403_of_the_servers_own_database: ServerError, 3 attempts, 3 deletes, async |rig: &mut Rig| {
        fault(rig, Fault::InvalidOperation403);
    };

    // 404, 405.
    a_suspended_portal: Suspended, 1 attempts, 0 deletes, async |rig: &mut Rig| {
        rig.portal.set_status(Status::Suspended);
    };
    a_portal_being_removed: Suspended, 1 attempts, 0 deletes, async |rig: &mut Rig| {
        rig.portal.set_status(Status::RemovePending);
    };
    an_empty_404_to_the_delete: NotAPortal, 1 attempts, 1 deletes, async |rig: &mut Rig| {
        fault(rig, Fault::NotFoundEmpty);
    };
    an_empty_405_to_the_delete: NotAPortal, 1 attempts, 1 deletes, async |rig: &mut Rig| {
        fault(rig, Fault::MethodNotAllowedEmpty);
    };

    // 429.
    too_many_requests: RateLimited, 3 attempts, 3 deletes, async |rig: &mut Rig| {
        fault(rig, Fault::RateLimited { retry_after: None });
    };
    the_servers_own_rate_limiter: RateLimited, 3 attempts, 0 deletes, async |rig: &mut Rig| {
        let limit = RateLimit { per_minute: 1, ..RateLimit::default() };
        *rig = Rig::of(Server::builder().rate_limit(limit)).await;
    };

    // 5xx.
    a_host_that_is_no_portal: NoSuchPortal, 1 attempts, 0 deletes, async |rig: &mut Rig| {
        rig.point_to(&rig.server.stray_url().await.unwrap());
    };
    a_portal_that_was_renamed: NoSuchPortal, 1 attempts, 0 deletes, async |rig: &mut Rig| rig.portal.remove();
    a_500: ServerError, 3 attempts, 3 deletes, async |rig: &mut Rig| fault(rig, Fault::ServerError500);
    a_502: ServerError, 3 attempts, 3 deletes, async |rig: &mut Rig| fault(rig, Fault::GatewayPage(502));
    a_503: ServerError, 3 attempts, 3 deletes, async |rig: &mut Rig| fault(rig, Fault::GatewayPage(503));
    a_408: ServerError, 3 attempts, 3 deletes, async |rig: &mut Rig| fault(rig, Fault::status(408));
    a_502_to_the_preflight: ServerError, 3 attempts, 0 deletes, async |rig: &mut Rig| {
        rig.portal.fault_always(Route::RestoreProgress, Fault::GatewayPage(502));
    };
    a_504_to_the_preflight: ServerError, 3 attempts, 0 deletes, async |rig: &mut Rig| {
        rig.portal.fault_always(Route::RestoreProgress, Fault::GatewayPage(504));
    };
    a_portal_that_drops_every_connection: ServerError, 3 attempts, 0 deletes, async |rig: &mut Rig| {
        rig.portal.fault_always(Route::AnyRoute, Fault::DropBeforeWork);
    };
    a_portal_that_never_answers_the_preflight: ServerError, 1 attempts, 0 deletes, async |rig: &mut Rig| {
        rig.portal.fault_always(Route::RestoreProgress, Fault::HangBeforeWork);
        rig.endpoint.timeout = Duration::from_millis(50);
        rig.max_attempts(1);
    };
    bytes_that_are_no_http: ServerError, 3 attempts, 0 deletes, async |rig: &mut Rig| {
        rig.portal.fault_always(Route::AnyRoute, Fault::Garbage);
    };

    // The answer to a DELETE never came.
    a_504_before_the_work: OutcomeUnknown, 3 attempts, 3 deletes, async |rig: &mut Rig| {
        fault(rig, Fault::GatewayPage(504));
    };
    a_524_of_a_content_network: OutcomeUnknown, 3 attempts, 3 deletes, async |rig: &mut Rig| {
        fault(rig, Fault::status(524));
    };
    a_read_timeout: OutcomeUnknown, 1 attempts, 1 deletes, async |rig: &mut Rig| {
        fault(rig, Fault::HangBeforeWork);
        rig.endpoint.timeout = Duration::from_secs(1);
        rig.max_attempts(1);
    };
    a_connection_dropped_after_the_request: OutcomeUnknown, 3 attempts, 3 deletes, async |rig: &mut Rig| {
        fault(rig, Fault::DropBeforeWork);
    };
    a_reset_after_the_request: OutcomeUnknown, 3 attempts, 3 deletes, async |rig: &mut Rig| {
        fault(rig, Fault::ResetBeforeWork);
    };
    bytes_that_are_no_http_to_a_delete: OutcomeUnknown, 3 attempts, 3 deletes, async |rig: &mut Rig| {
        fault(rig, Fault::Garbage);
    };
    a_lost_answer_and_no_list_since: OutcomeUnknown, 3 attempts, 1 deletes, async |rig: &mut Rig| {
        fault(rig, Fault::DropAfterWork);
        rig.portal.script(Rule::new(Route::History, Fault::ServerError500).skip(1).always());
    };
    a_lost_answer_and_no_list_at_all: OutcomeUnknown, 1 attempts, 1 deletes, async |rig: &mut Rig| {
        fault(rig, Fault::DropAfterWork);
        rig.portal.fault_always(Route::History, Fault::NotFoundEmpty);
    };

    // Not sent at all.
    a_name_that_does_not_resolve: Unreachable, 3 attempts, 0 deletes, async |rig: &mut Rig| {
        rig.point_to("http://portal.invalid");
    };
    a_refused_connection: Unreachable, 3 attempts, 0 deletes, async |rig: &mut Rig| {
        rig.portal.refuse_connections().await.unwrap();
    };
    a_connect_timeout: Unreachable, 3 attempts, 0 deletes, async |rig: &mut Rig| {
        rig.portal.black_hole().await.unwrap();
        rig.endpoint.connect_timeout = Duration::from_millis(50);
    };
    a_handshake_that_is_closed: Unreachable, 3 attempts, 0 deletes, async |rig: &mut Rig| {
        with_tls(rig, Tls::CloseInHandshake).await;
    };

    // TLS.
    an_expired_certificate: Tls, 1 attempts, 0 deletes, async |rig: &mut Rig| with_tls(rig, Tls::Expired).await;
    a_certificate_of_another_host: Tls, 1 attempts, 0 deletes, async |rig: &mut Rig| {
        with_tls(rig, Tls::WrongHost).await;
    };
    a_certificate_that_signs_itself: Tls, 1 attempts, 0 deletes, async |rig: &mut Rig| {
        with_tls(rig, Tls::UntrustedSelfSigned).await;
    };
    a_private_authority_that_nobody_named: Tls, 1 attempts, 0 deletes, async |rig: &mut Rig| {
        with_tls(rig, Tls::Valid).await;
        rig.endpoint.ca_file = None;
    };
    a_handshake_of_garbage: Tls, 1 attempts, 0 deletes, async |rig: &mut Rig| {
        with_tls(rig, Tls::GarbageHandshake).await;
    };
    a_missing_ca_file: Tls, 1 attempts, 0 deletes, async |rig: &mut Rig| {
        with_tls(rig, Tls::Valid).await;
        rig.endpoint.ca_file = Some(rig.dir.path().join("nothing.pem"));
    };
    a_ca_file_without_a_certificate: Tls, 1 attempts, 0 deletes, async |rig: &mut Rig| {
        with_tls(rig, Tls::Valid).await;
        rig.endpoint.ca_file = Some(rig.file("ca.pem", "-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n"));
    };

    // This machine.
    a_key_that_cannot_be_read: KeyUnavailable, 3 attempts, 0 deletes, async |rig: &mut Rig| {
        rig.endpoint.api_key = ApiKeySource::File(PathBuf::from("/nothing/here"));
    };
}

#[tokio::test]
async fn a_200_with_true_and_a_list_that_agrees_is_a_deletion() {
    let rig = Rig::new().await;
    rig.portal.add_backups(3);
    let report = rig.sweep().await;
    assert_eq!((report.outcome.clone(), report.verified, report.attempts), (Outcome::Deleted, true, 1));
    assert_eq!(counts(&report), (Some(3), Some(3), Some(0)));
    assert!(rig.portal.files().is_empty());
}
