//! What docsweep sends: the header with the key, the query, nothing else; and over which connections.

use std::collections::BTreeSet;

use docspace_sim::{Fault, Key, Role, Route, Server, Tls};
use docsweep::domain::{Authorization, Dump, FailureClass, Outcome};
use url::Url;

use super::rig::{Rig, class, detail};
use super::tiny::Tiny;

/// Sweeps with `text` as the key, and returns the only `Authorization` that was sent.
async fn sent(rig: &mut Rig, text: &str, form: Authorization) -> String {
    rig.use_key(text);
    rig.endpoint.authorization = form;
    let before = rig.portal.requests().len();
    rig.sweep().await;
    let requests = rig.portal.requests().split_off(before);
    let values: BTreeSet<_> =
        requests.iter().map(|request| request.header("authorization").unwrap().to_owned()).collect();
    assert_eq!(values.len(), 1, "{values:?}");
    values.into_iter().next().unwrap()
}

#[tokio::test]
async fn the_key_goes_out_as_bearer_however_it_was_configured() {
    let mut rig = Rig::new().await;
    let key = rig.key.clone();
    for text in [key.clone(), format!("Bearer {key}"), format!("bearer   {key}"), format!("  {key}\n")] {
        assert_eq!(sent(&mut rig, &text, Authorization::Bearer).await, format!("Bearer {key}"));
    }
    assert!(rig.portal.requests().iter().all(|request| request.status == Some(200)));
}

#[tokio::test]
async fn a_verbatim_key_is_not_touched() {
    let mut rig = Rig::new().await;
    let (key, session) = (rig.key.clone(), rig.portal.add_session(Role::Admin));
    for text in
        [key.clone(), session, format!("Bearer {key}"), format!("bearer {key}"), "Basic YTpi".to_owned()]
    {
        assert_eq!(sent(&mut rig, &text, Authorization::Verbatim).await, text);
    }
}

#[tokio::test]
async fn nothing_is_sent_but_what_is_needed() {
    for (dump, query) in [(Dump::Own, "Dump=false"), (Dump::ServerWide, "Dump=true")] {
        let mut rig = Rig::new().await;
        rig.job.dump = dump;
        assert_eq!(rig.sweep().await.outcome, Outcome::NothingToDelete);
        let requests = rig.portal.requests();
        let calls: Vec<_> =
            requests.iter().map(|r| (r.method.as_str(), r.path.as_str(), r.query.as_str())).collect();
        let history = ("GET", "/api/2.0/backup/getbackuphistory", query);
        assert_eq!(
            calls,
            [
                ("GET", "/api/2.0/backup/getrestoreprogress", ""),
                history,
                ("DELETE", "/api/2.0/backup/deletebackuphistory", query),
                history,
            ]
        );
        for request in &requests {
            let names: BTreeSet<_> =
                request.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
            let expected = ["accept", "accept-encoding", "authorization", "host", "user-agent"];
            assert_eq!(names.iter().map(String::as_str).collect::<Vec<_>>(), expected);
            assert_eq!(request.headers.len(), expected.len());
            assert_eq!(request.header("accept"), Some("application/json"));
            let agent = concat!("docsweep/", env!("CARGO_PKG_VERSION"));
            assert_eq!(request.header("user-agent"), Some(agent));
            assert_eq!(request.header("accept-encoding"), Some("gzip"));
            let host = rig.portal.url().replace("http://", "");
            assert_eq!(request.header("host"), Some(host.as_str()));
        }
    }
}

#[tokio::test]
async fn a_cookie_is_never_sent_back() {
    let rig = Rig::new().await;
    let headers = vec![
        ("Content-Type".to_owned(), "application/json".to_owned()),
        ("Set-Cookie".to_owned(), "asc_auth_key=stolen; Path=/".to_owned()),
    ];
    let body = br#"{"count":0,"status":0,"statusCode":200}"#.to_vec();
    rig.portal.fault(Route::RestoreProgress, Fault::Answer { status: 200, headers, body });
    assert_eq!(rig.sweep().await.outcome, Outcome::NothingToDelete);
    assert_eq!(rig.portal.requests().len(), 4);
    assert!(rig.portal.requests().iter().all(|request| request.header("cookie").is_none()));
}

#[tokio::test]
async fn a_redirect_is_told_and_not_followed() {
    let rig = Rig::new().await;
    let elsewhere = rig.server.add_portal("elsewhere").await.unwrap();
    for status in [301, 302, 303, 307, 308] {
        let location =
            format!("{}/api/2.0/backup/deletebackuphistory?Dump=false&token=hush#x", elsewhere.url());
        rig.portal.fault(Route::DeleteHistory, Fault::Redirect { status, location });
        let report = rig.sweep().await;
        assert_eq!(class(&report), Some(FailureClass::Redirected));
        let detail = detail(&report);
        assert!(detail.contains(&elsewhere.url()) && !detail.contains("hush"), "{detail}");
    }
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn an_attempt_uses_one_connection_and_a_sweep_leaves_none() {
    for tls in [None, Some(Tls::Valid)] {
        let rig = match tls {
            None => Rig::new().await,
            Some(tls) => Rig::tls(tls).await,
        };
        rig.portal.add_backups(2);
        rig.portal.fault_times(Route::DeleteHistory, 1, Fault::GatewayPage(503));
        assert_eq!(rig.sweep().await.outcome, Outcome::Deleted);
        let connections: Vec<_> = rig.portal.requests().iter().map(|request| request.connection).collect();
        // Preflight, list, 503; then preflight, DELETE, list, with whatever is looked at before the DELETE.
        let (first, second) = connections.split_at(3);
        assert!(first.iter().all(|number| *number == 1), "{connections:?}");
        assert!(second.len() >= 3 && second.iter().all(|number| *number == 2), "{connections:?}");
        assert_eq!((rig.server.open_connections(), rig.server.connections_seen()), (0, 2));
    }
}

#[tokio::test]
async fn a_proxy_is_asked_in_place_of_the_portal() {
    let mut rig = Rig::new().await;
    rig.endpoint.proxy = Some(Url::parse(&rig.portal.url()).unwrap());
    rig.point_to("http://acme.invalid");
    // What plays the proxy is no proxy, and answers with a page.
    assert_eq!(class(&rig.sweep().await), Some(FailureClass::NotAPortal));
    let paths: Vec<_> = rig.portal.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(paths, ["http://acme.invalid/api/2.0/backup/getrestoreprogress"]);
}

#[tokio::test]
async fn a_proxy_sees_nothing_of_a_tls_portal_but_its_address() {
    let mut rig = Rig::tls(Tls::Valid).await;
    let proxy = Tiny::tunnel().await;
    rig.endpoint.proxy = Some(Url::parse(&proxy.url()).unwrap());
    rig.portal.add_backups(2);
    let report = rig.sweep().await;
    assert_eq!((report.outcome, report.verified), (Outcome::Deleted, true));
    let heads = proxy.heads();
    assert_eq!(heads.len(), 1, "one tunnel for the whole attempt");
    assert!(heads[0].starts_with(&format!("CONNECT localhost:{} HTTP/1.1\r\n", rig.portal.port())));
    assert!(!heads[0].to_ascii_lowercase().contains("authorization"), "{}", heads[0]);
}

#[tokio::test]
async fn a_proxy_that_is_down_is_an_unreachable_portal() {
    let mut rig = Rig::new().await;
    let proxy = rig.server.add_portal("proxy").await.unwrap();
    rig.endpoint.proxy = Some(Url::parse(&proxy.url()).unwrap());
    proxy.refuse_connections().await.unwrap();
    assert_eq!(class(&rig.sweep().await), Some(FailureClass::Unreachable));
    assert_eq!(rig.server.connections_seen(), 0);
}

#[tokio::test]
async fn a_small_answer_and_a_compressed_one_are_read_alike() {
    let rig = Rig::of(Server::builder()).await;
    rig.portal.set_key(&rig.key, Key::owner());
    // The simulator compresses from 1000 bytes on, as nginx does.
    rig.portal.add_backups(50);
    let report = rig.sweep().await;
    assert_eq!(
        (report.outcome, report.counts.found, report.counts.deleted),
        (Outcome::Deleted, Some(50), Some(50))
    );
}
