//! What a test can see afterwards, and how it stands in the way.

use docspace_sim::{Backup, Route};

use crate::client::{Client, DELETE_ALL, HISTORY, bearer, call, portal};

#[tokio::test]
async fn requests_are_logged_with_everything() {
    let (server, portal, key) = portal().await;
    let other = server.add_portal("globex").await.unwrap();
    call(&portal, "DELETE", &format!("{DELETE_ALL}?Dump=TRUE"), &key).await;
    call(&other, "GET", HISTORY, &key).await;
    let log = server.requests();
    assert_eq!(log.len(), 2);
    let first = &log[0];
    assert_eq!((first.seq, first.portal.as_str(), first.route), (0, "acme", Route::DeleteHistory));
    assert_eq!(
        (first.method.as_str(), first.path.as_str(), first.query.as_str()),
        ("DELETE", DELETE_ALL, "Dump=TRUE")
    );
    assert_eq!((first.dump, first.status, first.worked), (Some(true), Some(200), true));
    assert_eq!(first.header("authorization"), Some(bearer(&key).as_str()));
    assert_ne!(first.connection, log[1].connection);
    assert_eq!((log[1].dump, log[1].status, log[1].worked), (None, Some(401), false));
    assert_eq!((portal.requests().len(), portal.deletes().len(), other.deletes().len()), (1, 1, 0));
    assert_eq!(portal.requests_of(Route::History).len(), 0);
    assert_eq!((server.deletes().len(), server.portals().len()), (1, 2));
}

#[tokio::test]
async fn a_hold_lets_through_in_order_and_the_peak_is_kept() {
    let (server, portal, key) = portal().await;
    portal.add_backup(Backup::documents());
    let hold = portal.hold(Route::DeleteHistory);
    let authorization = bearer(&key);
    let mut clients = Vec::new();
    for place in 1..=3 {
        let mut client = Client::connect(&portal).await.unwrap();
        client.send("DELETE", DELETE_ALL, &[("Authorization", &authorization)]).await;
        hold.arrived(place).await;
        clients.push(client);
    }
    assert_eq!((hold.count(), portal.in_flight(), server.in_flight()), (3, 3, 3));
    assert_eq!(portal.open_connections(), 3);
    assert_eq!(call(&portal, "GET", HISTORY, &key).await.json()["count"], 1, "others pass");
    hold.release_some(1);
    assert_eq!(clients[0].receive().await.unwrap().status, 200);
    assert!(portal.records().is_empty());
    assert_eq!(portal.deletes().iter().filter(|request| request.worked).count(), 1);
    drop(hold);
    for client in &mut clients[1..] {
        assert_eq!(client.receive().await.unwrap().status, 200);
    }
    drop(clients);
    server.wait_idle().await;
    assert_eq!((server.max_concurrent(), portal.max_concurrent()), (4, 4));
    assert_eq!(call(&portal, "DELETE", DELETE_ALL, &key).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn serial_requests_never_overlap() {
    let (server, portal, key) = portal().await;
    for _ in 0..50 {
        call(&portal, "GET", HISTORY, &key).await;
    }
    assert_eq!(server.max_concurrent(), 1);
}
