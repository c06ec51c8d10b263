//! §4 and §8: who may, in which state, and which error wins.

use docspace_sim::{Backup, Key, RateLimit, Role, Route, Server, Status};

use crate::client::{
    Client, DELETE_ALL, HISTORY, KEY_SELF, RESTORE, SERVICE, VERSION, bearer, call, call_with, portal,
    portal_of,
};

#[tokio::test]
async fn every_bad_key_is_the_same_empty_401() {
    let (_server, portal, good) = portal().await;
    let bad = [
        bearer("sk-unknown"),
        bearer(&portal.add_key(Key::admin().expired())),
        bearer(&portal.add_key(Key::admin().inactive())),
        bearer(&portal.add_key(Key::admin().creator_disabled())),
        good.clone(),
        format!("bearer {good}"),
        format!("Bearer  {good}"),
        "Bearer eyJh.eyJz.c2ln".to_owned(),
    ];
    for value in bad {
        let reply = call_with(&portal, "DELETE", DELETE_ALL, &[("Authorization", &value)]).await;
        assert_eq!((reply.status, reply.body.len()), (401, 0), "{value}");
        assert_eq!(reply.header("www-authenticate"), None);
        assert!(reply.is_from_app());
    }
    assert_eq!(call_with(&portal, "DELETE", DELETE_ALL, &[]).await.status, 401);
    assert!(portal.requests().iter().all(|request| !request.worked));
    portal.revoke(&good);
    assert_eq!(call(&portal, "DELETE", DELETE_ALL, &good).await.status, 401);
}

#[tokio::test]
async fn a_key_has_its_form_and_belongs_to_one_portal() {
    let (server, portal, key) = portal().await;
    let digits = key.strip_prefix("sk-").unwrap();
    assert_eq!(digits.len(), 64);
    assert!(digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
    let other = server.add_portal("globex").await.unwrap();
    assert_eq!(call(&other, "DELETE", DELETE_ALL, &key).await.status, 401);
    assert_eq!(call(&portal, "DELETE", DELETE_ALL, &key).await.status, 200);
}

#[tokio::test]
async fn basic_is_challenged_and_bad_base64_throws() {
    let (_server, portal, _) = portal().await;
    let reply = call_with(&portal, "GET", HISTORY, &[("Authorization", "Basic YTpi")]).await;
    assert_eq!((reply.status, reply.header("www-authenticate")), (401, Some("Basic")));
    assert_eq!(call_with(&portal, "GET", HISTORY, &[("Authorization", "Basic !")]).await.status, 500);
}

#[tokio::test]
async fn a_session_works_raw_after_bearer_and_as_a_cookie_that_wins() {
    let (_server, portal, _) = portal().await;
    let token = portal.add_session(Role::Admin);
    let ways = [("Authorization", token.clone()), ("Authorization", bearer(&token))];
    for (name, value) in ways {
        assert_eq!(call_with(&portal, "GET", HISTORY, &[(name, &value)]).await.status, 200);
    }
    let cookie = format!("a=b; asc_auth_key={token}");
    assert_eq!(call_with(&portal, "GET", HISTORY, &[("Cookie", &cookie)]).await.status, 200);
    let both = [("Authorization", token.as_str()), ("Cookie", "asc_auth_key=stale")];
    assert_eq!(call_with(&portal, "GET", HISTORY, &both).await.status, 401);
}

#[tokio::test]
async fn scopes_and_roles() {
    let (_server, portal, _) = portal().await;
    let cases: [(&[&str], u16, u16); 5] = [
        (&[], 200, 200),
        (&["*"], 200, 200),
        (&["*:read"], 200, 403),
        (&["*:write"], 200, 200),
        (&["files:write", "accounts:write"], 403, 403),
    ];
    for (scopes, get, delete) in cases {
        let key = portal.add_key(Key::admin().scopes(scopes));
        assert_eq!(call(&portal, "GET", HISTORY, &key).await.status, get, "{scopes:?}");
        let reply = call(&portal, "DELETE", DELETE_ALL, &key).await;
        assert_eq!(reply.status, delete, "{scopes:?}");
        assert!(delete == 200 || reply.body.is_empty());
        assert_eq!(call(&portal, "GET", KEY_SELF, &key).await.status, 200);
    }
    let key = portal.add_key(Key::room_admin());
    let reply = call(&portal, "DELETE", DELETE_ALL, &key).await;
    assert_eq!(reply.status, 403);
    assert!(reply.error_type().ends_with("AuthorizingException"));
    assert_eq!(reply.json()["status"], 1);
    assert_eq!(call(&portal, "GET", SERVICE, &key).await.status, 403);
}

#[tokio::test]
async fn anonymous_routes_judge_a_key_only_if_there_is_one() {
    let (_server, portal, _) = portal().await;
    assert_eq!(call_with(&portal, "GET", RESTORE, &[]).await.status, 200);
    assert_eq!(call_with(&portal, "GET", VERSION, &[]).await.response()["docSpace"], "3.7.2");
    let reply = call(&portal, "GET", RESTORE, "sk-unknown").await;
    assert_eq!(reply.status, 403);
    assert_eq!(reply.header("content-type"), Some("application/problem+json; charset=utf-8"));
    let weak = portal.add_key(Key::admin().scopes(&["files:read"]));
    assert_eq!(call(&portal, "GET", RESTORE, &weak).await.status, 403);
}

#[tokio::test]
async fn states_answer_with_problem_documents() {
    let (_server, portal, key) = portal().await;
    let cases = [
        (Status::Suspended, 404),
        (Status::RemovePending, 404),
        (Status::Transferring, 403),
        (Status::Restoring, 403),
        (Status::Encryption, 403),
        (Status::Migrating, 200),
    ];
    for (status, code) in cases {
        portal.set_status(status);
        let reply = call(&portal, "DELETE", DELETE_ALL, &key).await;
        assert_eq!(reply.status, code, "{status:?}");
        if code != 200 {
            assert_eq!(reply.header("content-type"), Some("application/problem+json; charset=utf-8"));
            assert_eq!(reply.json()["status"], code);
            assert!(reply.json()["error"].is_null());
        }
        let open = if code == 404 { 404 } else { 200 };
        assert_eq!(call_with(&portal, "GET", RESTORE, &[]).await.status, open, "{status:?}");
    }
    portal.set_status(Status::Suspended);
    assert_eq!(call(&portal, "DELETE", DELETE_ALL, "sk-bad").await.status, 401, "the key is judged first");
}

#[tokio::test]
async fn unpaid_comes_before_the_ip_filter() {
    let (_server, portal, key) = portal().await;
    portal.set_unpaid(true);
    portal.set_ip_restricted(true);
    let reply = call(&portal, "DELETE", DELETE_ALL, &key).await;
    assert_eq!((reply.status, &reply.json()["status"]), (402, &402.into()));
    let allowed = call_with(&portal, "GET", RESTORE, &[]).await;
    assert_eq!(allowed.status, 403, "progress ignores the tariff, not the address");
    portal.set_unpaid(false);
    let plain = call(&portal, "DELETE", DELETE_ALL, &key).await;
    assert_eq!(plain.text(), "The access to the portal is restricted");
    let authorization = bearer(&key);
    let headers = [("Authorization", authorization.as_str()), ("Accept", "application/json")];
    let quoted = call_with(&portal, "DELETE", DELETE_ALL, &headers).await;
    assert_eq!((quoted.status, quoted.json()), (403, "The access to the portal is restricted".into()));
    let owner = portal.add_key(Key::owner());
    assert_eq!(call(&portal, "DELETE", DELETE_ALL, &owner).await.status, 200, "the owner is exempt");
}

#[tokio::test]
async fn a_host_without_a_portal() {
    let (server, portal, key) = portal().await;
    portal.remove();
    let reply = call(&portal, "DELETE", DELETE_ALL, &key).await;
    assert_eq!(reply.status, 500);
    let message = reply.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("Could not resolve current tenant"));
    assert_eq!(call_with(&portal, "DELETE", DELETE_ALL, &[]).await.status, 401);
    assert_eq!(call_with(&portal, "GET", VERSION, &[]).await.status, 404);
    portal.bring_back();

    let stray = server.stray_url().await.unwrap();
    let port = stray.rsplit_once(':').unwrap().1.parse().unwrap();
    let mut client = Client::to(port).await.unwrap();
    let reply = client.call("DELETE", DELETE_ALL, &[("Authorization", &bearer(&key))]).await;
    assert_eq!(reply.status, 500);
    assert_eq!(server.requests().last().unwrap().portal, "");
}

#[tokio::test]
async fn the_host_header_selects_the_tenant() {
    let (server, first, key) = portal().await;
    let second = server.add_portal("globex").await.unwrap();
    let authorization = bearer(&key);
    let headers = [("Authorization", authorization.as_str())];
    let by = async |host: String| {
        let client = Client::connect(&second).await.unwrap();
        client.host(&host).call("DELETE", DELETE_ALL, &headers).await.status
    };
    assert_eq!(by(format!("localhost:{}", first.port())).await, 200);
    assert_eq!(by(format!("127.0.0.1:{}", second.port())).await, 401);
    assert_eq!(by("127.0.0.1:1".to_owned()).await, 500);
    // §4.4: outside the base domain a standalone server takes its first active portal.
    assert_eq!(by("portal.example".to_owned()).await, 200);
    let replaced = format!("{DELETE_ALL}?origin=http://127.0.0.1:{}", first.port());
    assert_eq!(call(&second, "DELETE", &replaced, &key).await.status, 200);

    let (_cloud, portal, key) = portal_of(Server::builder().saas().start().await).await;
    let client = Client::connect(&portal).await.unwrap();
    let reply =
        client.host("portal.example").call("DELETE", DELETE_ALL, &[("Authorization", &bearer(&key))]).await;
    assert_eq!(reply.status, 500);
}

#[tokio::test]
async fn the_limiter_counts_users_and_answers_empty() {
    let limit = RateLimit { per_minute: 2, ..RateLimit::default() };
    let (_server, portal, key) = portal_of(Server::builder().rate_limit(limit).start().await).await;
    let same_user = portal.add_key(Key::admin());
    let other_user = portal.add_key(Key::admin().created_by("bob"));
    portal.set_status(Status::Suspended);
    assert_eq!(call(&portal, "DELETE", DELETE_ALL, &key).await.status, 404);
    assert_eq!(call(&portal, "GET", HISTORY, &same_user).await.status, 404);
    let refused = call(&portal, "DELETE", DELETE_ALL, &key).await;
    assert_eq!((refused.status, refused.body.len()), (429, 0));
    assert_eq!(refused.header("x-ratelimit-limit"), Some("2"));
    assert_eq!(refused.header("x-ratelimit-remaining"), Some("0"));
    assert_eq!((refused.header("retry-after"), refused.header("x-ratelimit-reset")), (None, None));
    let passed = call(&portal, "DELETE", DELETE_ALL, &other_user).await;
    assert_eq!((passed.status, passed.header("x-ratelimit-limit")), (404, None));
    assert_eq!(call(&portal, "DELETE", DELETE_ALL, "sk-bad").await.status, 401, "the address's own bucket");
}

#[tokio::test]
async fn concurrency_is_limited_apart_for_get_and_the_rest() {
    let limit = RateLimit { concurrent_other: 1, ..RateLimit::default() };
    let (_server, portal, key) = portal_of(Server::builder().rate_limit(limit).start().await).await;
    portal.add_backup(Backup::documents());
    let hold = portal.hold(Route::DeleteHistory);
    let mut client = Client::connect(&portal).await.unwrap();
    client.send("DELETE", DELETE_ALL, &[("Authorization", &bearer(&key))]).await;
    hold.arrived(1).await;
    assert_eq!(call(&portal, "GET", HISTORY, &key).await.status, 200);
    let one = "/api/2.0/backup/deletebackup/00000000-0000-0000-0000-000000000000";
    assert_eq!(call(&portal, "DELETE", one, &key).await.status, 429);
    hold.release();
    assert_eq!(client.receive().await.unwrap().status, 200);
    assert_eq!(call(&portal, "DELETE", one, &key).await.status, 500);
}
