//! Every scripted fault, as it looks in bytes, and whether the work was done.

use std::io::Read as _;
use std::time::Duration;

use docspace_sim::{Fault, Portal, Route, Rule, Shape};

use crate::client::{Client, DELETE_ALL, HISTORY, Reply, bearer, call, portal};

/// Short enough for a test, and never compared with anything.
const PAUSE: Duration = Duration::from_millis(1);

async fn with(portal: &Portal, key: &str, fault: Fault) -> Reply {
    portal.fault(Route::DeleteHistory, fault);
    call(portal, "DELETE", DELETE_ALL, key).await
}

/// Sends a delete and reads until the end of the connection.
async fn raw(portal: &Portal, key: &str, fault: Fault) -> Vec<u8> {
    portal.fault(Route::DeleteHistory, fault);
    let mut client = Client::connect(portal).await.unwrap();
    client.send("DELETE", DELETE_ALL, &[("Authorization", &bearer(key))]).await;
    client.rest().await
}

#[tokio::test]
async fn answers_in_place_of_the_real_one() {
    let (_server, portal, key) = portal().await;
    let kept = portal.add_backups(1);
    let headers = vec![("X-Test".to_owned(), "1".to_owned())];
    let teapot = with(&portal, &key, Fault::Answer { status: 418, headers, body: b"tea".to_vec() }).await;
    assert_eq!((teapot.status, teapot.header("x-test"), teapot.text().as_str()), (418, Some("1"), "tea"));
    assert_eq!(with(&portal, &key, Fault::status(204)).await.header("content-length"), None);

    let limited = with(&portal, &key, Fault::RateLimited { retry_after: Some("7".to_owned()) }).await;
    assert_eq!((limited.status, limited.header("retry-after"), limited.body.len()), (429, Some("7"), 0));
    let location = "https://elsewhere.example/".to_owned();
    let moved = with(&portal, &key, Fault::Redirect { status: 308, location: location.clone() }).await;
    assert_eq!((moved.status, moved.header("location")), (308, Some(location.as_str())));
    let page = with(&portal, &key, Fault::HtmlPage).await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html")));
    assert_eq!(with(&portal, &key, Fault::NotFoundEmpty).await.status, 404);
    assert_eq!(with(&portal, &key, Fault::MethodNotAllowedEmpty).await.status, 405);
    for status in [502, 503, 504] {
        let gateway = with(&portal, &key, Fault::GatewayPage(status)).await;
        assert_eq!(gateway.status, status);
        assert!(gateway.text().contains("<html>") && !gateway.is_from_app());
    }
    let hiccup = with(&portal, &key, Fault::DatabaseHiccup401).await;
    assert_eq!((hiccup.status, hiccup.body.len(), hiccup.is_from_app()), (401, 0, true));
    let internal = with(&portal, &key, Fault::InvalidOperation403).await;
    assert_eq!((internal.status, internal.error_type().as_str()), (403, "System.InvalidOperationException"));
    assert_eq!(with(&portal, &key, Fault::ServerError500).await.status, 500);
    let (kind, message) = ("A.B.CException".to_owned(), "no".to_owned());
    let own = with(&portal, &key, Fault::Dotnet { status: 415, kind, message }).await;
    assert_eq!((own.error_type().as_str(), own.json()["error"].get("stack")), ("A.B.CException", None));
    assert_eq!(portal.files(), kept, "none of them did the work");
    assert!(portal.deletes().iter().all(|request| !request.worked && request.status.is_some()));
}

#[tokio::test]
async fn wrappers_that_are_not_quite() {
    let (_server, portal, key) = portal().await;
    let body = async |shape| with(&portal, &key, Fault::Wrapper(shape)).await.json();
    assert_eq!(body(Shape::False).await["response"], false);
    assert!(body(Shape::Absent).await.get("response").is_none());
    assert_eq!(body(Shape::WrongType).await["response"], "true");
    let failed = body(Shape::StatusOne).await;
    assert_eq!(
        (&failed["response"], &failed["status"], &failed["statusCode"]),
        (&true.into(), &1.into(), &200.into())
    );
}

#[tokio::test]
async fn cut_answers_come_after_the_work() {
    let (_server, portal, key) = portal().await;
    portal.add_backups(1);
    let cut = with(&portal, &key, Fault::TruncatedJson).await;
    assert_eq!(cut.status, 200);
    assert!(serde_json::from_slice::<serde_json::Value>(&cut.body).is_err());
    assert!(portal.files().is_empty());

    let bytes = String::from_utf8(raw(&portal, &key, Fault::TruncatedBody).await).unwrap();
    let (head, body) = bytes.split_once("\r\n\r\n").unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
    assert!(!body.is_empty() && body.len() < length.parse().unwrap());
    assert!(portal.deletes().iter().all(|request| request.worked && request.status == Some(200)));
}

#[tokio::test]
async fn no_answer_at_all() {
    let (_server, portal, key) = portal().await;
    let cases = [
        (Fault::DropBeforeWork, false),
        (Fault::ResetBeforeWork, false),
        (Fault::DropAfterWork, true),
        (Fault::ResetAfterWork, true),
    ];
    for (fault, works) in cases {
        let ids = portal.add_backups(1);
        assert!(raw(&portal, &key, fault.clone()).await.is_empty(), "{fault:?}");
        let last = portal.deletes().pop().unwrap();
        assert_eq!((last.worked, last.status), (works, None), "{fault:?}");
        assert_eq!(portal.files().contains(&ids[0]), !works, "{fault:?}");
    }
    let garbage = raw(&portal, &key, Fault::Garbage).await;
    assert!(!garbage.starts_with(b"HTTP/"));
}

#[tokio::test]
async fn a_reset_is_a_reset() {
    let (_server, portal, key) = portal().await;
    portal.fault(Route::DeleteHistory, Fault::ResetAfterWork);
    let mut client = Client::connect(&portal).await.unwrap();
    client.send("DELETE", DELETE_ALL, &[("Authorization", &bearer(&key))]).await;
    let error = tokio::io::AsyncReadExt::read(&mut client.stream, &mut [0; 16]).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn hangs_end_with_their_client() {
    let (server, portal, key) = portal().await;
    let cases = [(Fault::HangBeforeWork, false), (Fault::HangAfterWork, true)];
    for (seen, (fault, works)) in cases.into_iter().enumerate() {
        let ids = portal.add_backups(1);
        portal.fault(Route::DeleteHistory, fault);
        let mut client = Client::connect(&portal).await.unwrap();
        client.send("DELETE", DELETE_ALL, &[("Authorization", &bearer(&key))]).await;
        portal.wait_route(Route::DeleteHistory, seen + 1).await;
        if works {
            portal.wait_empty().await;
        }
        drop(client);
        server.wait_idle().await;
        assert_eq!(portal.files().contains(&ids[0]), !works);
    }
}

#[tokio::test]
async fn an_endless_delay_ends_with_its_client_and_does_nothing() {
    let (server, portal, key) = portal().await;
    let ids = portal.add_backups(1);
    portal.fault(Route::DeleteHistory, Fault::Delay(Duration::from_hours(1)));
    let mut client = Client::connect(&portal).await.unwrap();
    client.send("DELETE", DELETE_ALL, &[("Authorization", &bearer(&key))]).await;
    portal.wait_requests(1).await;
    drop(client);
    server.wait_idle().await;
    assert_eq!(portal.files(), ids);
    assert_eq!(with(&portal, &key, Fault::Delay(PAUSE)).await.response(), true);
    assert!(portal.files().is_empty());
}

#[tokio::test]
async fn slow_answers_are_whole() {
    let (_server, portal, key) = portal().await;
    for fault in [Fault::DripBody(PAUSE), Fault::SlowHead(PAUSE)] {
        assert_eq!(with(&portal, &key, fault).await.response(), true);
    }
}

#[tokio::test]
async fn large_answers_have_their_size() {
    let (_server, portal, key) = portal().await;
    let huge = with(&portal, &key, Fault::HugeBody { bytes: 300_000 }).await;
    assert_eq!(huge.body.len(), 300_000);
    assert!(huge.json()["response"].is_string());
    let bomb = with(&portal, &key, Fault::GzipBomb { bytes: 5_000_000 }).await;
    assert_eq!(bomb.header("content-encoding"), Some("gzip"));
    assert!(bomb.body.len() < 50_000, "small on the wire");
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(bomb.body.as_slice()).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked.len(), 5_000_000);
}

#[tokio::test]
async fn rules_count_skip_and_look_at_dump() {
    let (_server, portal, key) = portal().await;
    let status =
        async |query: &str| call(&portal, "DELETE", &format!("{DELETE_ALL}{query}"), &key).await.status;
    portal.fault_times(Route::DeleteHistory, 2, Fault::status(502));
    assert_eq!([status("").await, status("").await, status("").await], [502, 502, 200]);
    portal.script(Rule::new(Route::DeleteHistory, Fault::status(503)).dump(true).always());
    assert_eq!([status("").await, status("?dump=true").await, status("?dump=true").await], [200, 503, 503]);
    portal.clear_faults();
    portal.script(Rule::new(Route::DeleteHistory, Fault::status(504)).skip(1));
    assert_eq!([status("").await, status("").await, status("").await], [200, 504, 200]);
    portal.fault_always(Route::AnyRoute, Fault::status(503));
    assert_eq!(call(&portal, "GET", HISTORY, &key).await.status, 503);
}

#[tokio::test]
async fn a_504_while_the_server_goes_on() {
    let (_server, portal, key) = portal().await;
    portal.add_backups(2);
    let fault = Fault::GatewayPage(504).after_work().late(PAUSE);
    assert_eq!(with(&portal, &key, fault).await.status, 504);
    assert!(portal.files().is_empty());
    let last = portal.deletes().pop().unwrap();
    assert_eq!((last.worked, last.status), (true, Some(504)));
}
