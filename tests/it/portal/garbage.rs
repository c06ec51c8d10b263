//! Whatever bytes a portal answers, a sweep ends with a report whose text is short, on one line and without the key.
//!
//! The text is checked by the rig, for every sweep of every test; here the portals are hostile. The generator has a
//! fixed seed, so that a failure comes back.

use docspace_sim::{Fault, Route};
use docsweep::domain::{Dump, FailureClass};

use super::rig::{AGES, Rig, class, detail};
use super::tiny::Tiny;

/// How many answers are tried.
const CASES: usize = 200;

const JSON: &str = "application/json; charset=utf-8";

fn answer(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Fault {
    let headers = vec![("Content-Type".to_owned(), content_type.to_owned())];
    Fault::Answer { status, headers, body: body.into() }
}

fn pick<T: Copy>(rng: &mut fastrand::Rng, of: &[T]) -> T {
    *rng.choice(of).unwrap()
}

/// A text that an error message would like to quote: long, with line breaks, with the key in it.
fn text(rng: &mut fastrand::Rng, key: &str) -> String {
    let filler = pick(rng, &["x", "\\n", "\\u0000", "\\u001b[31m", "ž", "\\\"", "<b>", "\\ud83d\\ude00"]);
    let (before, after) = (filler.repeat(rng.usize(..300)), filler.repeat(rng.usize(..300)));
    format!("{before}Bearer {key}{after}")
}

fn body(rng: &mut fastrand::Rng, key: &str) -> Vec<u8> {
    let text = text(rng, key);
    let shapes = [
        format!(r#"{{"status":"{text}"}}"#),
        format!(r#"{{"status":0,"response":"{text}"}}"#),
        format!(r#"{{"status":0,"response":{{"docSpace":"2.0.{text}"}}}}"#),
        format!(r#"{{"status":0,"response":[{{"id":"{text}"}}]}}"#),
        format!(r#"{{"status":0,"response":[{{"id":["{text}"]}}]}}"#),
        format!(r#"{{"status":0,"response":["{text}"]}}"#),
        format!(r#"{{"status":0,"response":{{"{text}":1}}}}"#),
        format!(r#"{{"status":1,"error":{{"type":"{text}","message":"{text}"}}}}"#),
        format!(r#"{{"status":0,"error":"{text}"}}"#),
        format!(r#"{{"status":0,"response":[{{"id":"a","createdOn":{{"{text}":1}}}}]}}"#),
        format!("\"{text}\""),
        format!("<html>{text}</html>"),
        text,
        "[".repeat(rng.usize(..2000)),
        r#"{"status":0,"response":"#.to_owned() + &r#"{"a":"#.repeat(500),
    ];
    let mut body = rng.choice(shapes).unwrap().into_bytes();
    for _ in 0..pick(rng, &[0, 0, 1, 3, 20]) {
        let place = rng.usize(..body.len().max(1));
        if let Some(byte) = body.get_mut(place) {
            *byte = rng.u8(..);
        }
    }
    body
}

#[tokio::test]
async fn whatever_is_answered_a_sweep_ends_with_a_report() {
    let mut rig = Rig::new().await;
    rig.max_attempts(2);
    rig.waits.busy = AGES;
    let portals = rig.portals();
    let mut rng = fastrand::Rng::with_seed(20_260_101);
    let routes = [Route::RestoreProgress, Route::History, Route::DeleteHistory, Route::AnyRoute];
    for case in 0..CASES {
        let route = pick(&mut rng, &routes);
        let status = pick(
            &mut rng,
            &[200, 200, 200, 204, 206, 301, 400, 401, 402, 403, 403, 404, 418, 429, 500, 503, 504, 999],
        );
        let kind = pick(&mut rng, &[JSON, JSON, "text/html", "application/problem+json", "", "ž"]);
        rig.portal.clear_faults();
        rig.portal.fault_always(route, answer(status, kind, body(&mut rng, &rig.key)));
        rig.job.dump = pick(&mut rng, &[Dump::Own, Dump::ServerWide]);
        let report = rig.sweep_by(&portals).await;
        assert!(report.attempts >= 1, "case {case}");
    }
}

#[tokio::test]
async fn whatever_stands_on_the_wire_a_sweep_ends_with_a_report() {
    let mut rig = Rig::new().await;
    rig.max_attempts(2);
    rig.waits.busy = AGES;
    let (server, bytes) = Tiny::say(Vec::new()).await;
    rig.point_to(&server.url());
    let portals = rig.portals();
    let mut rng = fastrand::Rng::with_seed(20_260_102);
    for case in 0..CASES {
        let head = pick(
            &mut rng,
            &[
                "",
                "HTTP/1.1 200 OK\r\n",
                "HTTP/1.1 403 \r\n",
                "HTTP/1.0 200\r\n",
                "HTTP/9.9 200 OK\r\n",
                "HTTP/1.1 99999 OK\r\n",
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n",
                "HTTP/1.1 101 Switching Protocols\r\n",
                "SSH-2.0-x\r\n",
            ],
        );
        let framing = pick(
            &mut rng,
            &[
                "\r\n",
                "Content-Length: 9\r\n\r\n",
                "Content-Length: -1\r\n\r\n",
                "Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
                "Transfer-Encoding: chunked\r\n\r\n",
                "Content-Encoding: gzip\r\n\r\n",
                "Location: \r\nRetry-After: x\r\n\r\n",
                "X: ",
            ],
        );
        let mut said = [head, framing].concat().into_bytes();
        let rest = match rng.u8(..3) {
            0 => body(&mut rng, &rig.key),
            1 => std::iter::repeat_with(|| rng.u8(..)).take(500).collect(),
            _ => format!("ffffffffffffffffff\r\n{}", rig.key).repeat(3).into_bytes(),
        };
        said.extend(rest);
        *bytes.lock().unwrap() = said;
        let report = rig.sweep_by(&portals).await;
        assert!(class(&report).is_some(), "case {case}: {report:?}");
    }
    assert!(server.heads().len() >= CASES);
}

/// A portal, or a gateway that explains itself, may show the request in its answer.
#[tokio::test]
async fn an_answer_that_shows_the_key_is_recorded_without_it() {
    let rig = Rig::new().await;
    let key = rig.key.clone();
    let (beginning, _) = key.split_at(12);
    let shown = format!("no such token: Bearer {key}");
    // So long that the key is where a quotation ends.
    let at_the_end = format!("{}{key}", "x".repeat(190));
    let cases = [
        (500, JSON, format!(r#"{{"status":1,"error":{{"type":"{shown}","message":"{shown}"}}}}"#)),
        (500, JSON, format!(r#"{{"status":1,"error":{{"type":"E","message":"{at_the_end}"}}}}"#)),
        (403, "text/plain", shown.clone()),
        (403, "text/plain", at_the_end.clone()),
        (200, JSON, format!(r#"{{"status":0,"response":"{shown}"}}"#)),
        (200, JSON, format!(r#"{{"status":"{shown}"}}"#)),
        (
            418,
            JSON,
            format!(r#"{{"status":1,"error":{{"message":"{}"}}}}"#, shown.replace("sk-", "\\u0073k-")),
        ),
    ];
    for (status, kind, body) in cases {
        for route in [Route::RestoreProgress, Route::History, Route::DeleteHistory] {
            rig.portal.clear_faults();
            rig.portal.fault_always(route, answer(status, kind, body.clone()));
            let report = rig.sweep().await;
            assert!(!detail(&report).contains(beginning), "not even its beginning: {}", detail(&report));
        }
    }
    rig.portal.clear_faults();
    let location = format!("https://elsewhere.example/login/{key}/");
    rig.portal.fault_always(Route::AnyRoute, Fault::Redirect { status: 302, location });
    let report = rig.sweep().await;
    assert_eq!(class(&report), Some(FailureClass::Redirected));
    assert!(!detail(&report).contains(beginning), "{}", detail(&report));
}

/// A parser's error quotes what it stumbles over, and that can be as long as the body.
#[tokio::test]
async fn an_answer_of_one_long_text_is_not_quoted_in_full() {
    let rig = Rig::new().await;
    let long = "x".repeat(500_000);
    for body in [
        format!(r#"{{"status":"{long}"}}"#),
        format!(r#"{{"status":0,"response":"{long}"}}"#),
        format!(r#"{{"status":0,"response":["{long}"]}}"#),
    ] {
        for route in [Route::RestoreProgress, Route::History, Route::DeleteHistory] {
            rig.portal.clear_faults();
            rig.portal.fault_always(route, answer(200, JSON, body.clone()));
            rig.sweep().await;
        }
    }
}
