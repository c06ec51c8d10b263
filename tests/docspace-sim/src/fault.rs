//! What can be made to go wrong with a request, and the script that decides when.
//!
//! A [`Fault`] is translated into a plan of four independent parts: a delay, whether the work is done,
//! an answer in place of the real one, and how the bytes are delivered. The pipeline and the transport
//! each look at their own parts only.

use std::time::Duration;

use serde_json::json;

use crate::answer::{Answer, Exception};
use crate::route::Route;
use crate::wire::Head;

/// A success wrapper that is not quite one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `response` is `false`.
    False,
    /// No `response` key.
    Absent,
    /// `response` is a text.
    WrongType,
    /// `response` is `true`, but `status` is 1.
    StatusOne,
}

/// One way for a request to go wrong. Unless it says so, the handler's work is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// This answer, bare of the application's headers.
    Answer {
        /// The status code.
        status: u16,
        /// Names and values.
        headers: Vec<(String, String)>,
        /// The body.
        body: Vec<u8>,
    },
    /// §5: 429, empty.
    RateLimited {
        /// The value of `Retry-After`, sent as it is.
        retry_after: Option<String>,
    },
    /// §6: an edge that sends the client elsewhere.
    Redirect {
        /// 301, 302, 307 or 308.
        status: u16,
        /// The value of `Location`.
        location: String,
    },
    /// A login page or captive proxy: 200 and HTML.
    HtmlPage,
    /// A gateway that filters the call out: 404, empty.
    NotFoundEmpty,
    /// A gateway that filters the verb out: 405, empty.
    MethodNotAllowedEmpty,
    /// A wrapper of another shape.
    Wrapper(Shape),
    /// Does the work; a complete HTTP message whose JSON is cut.
    TruncatedJson,
    /// Does the work; the promised length is not kept, the connection closes.
    TruncatedBody,
    /// Never answers.
    HangBeforeWork,
    /// Does the work, never answers.
    HangAfterWork,
    /// Closes after reading the request.
    DropBeforeWork,
    /// Does the work, then closes.
    DropAfterWork,
    /// Resets after reading the request.
    ResetBeforeWork,
    /// Does the work, then resets.
    ResetAfterWork,
    /// Does the work; the body comes a byte at a time, at this interval.
    DripBody(Duration),
    /// Does the work; the head comes a byte at a time, at this interval.
    SlowHead(Duration),
    /// 200 and valid JSON of so many bytes.
    HugeBody {
        /// The body's length.
        bytes: u64,
    },
    /// 200 and JSON of so many bytes once decompressed, small on the wire.
    GzipBomb {
        /// The decompressed length.
        bytes: u64,
    },
    /// Bytes that are no HTTP.
    Garbage,
    /// §6 no. 6: nginx's page for 502, 503 or 504.
    GatewayPage(u16),
    /// §6: an unexpected exception.
    ServerError500,
    /// §6, trap: a transient database fault that looks like a permission.
    InvalidOperation403,
    /// §4.3: a database hiccup while loading the key's creator.
    DatabaseHiccup401,
    /// §6 no. 1, any exception.
    Dotnet {
        /// The status code.
        status: u16,
        /// The exception's full type name.
        kind: String,
        /// Its message.
        message: String,
    },
    /// Waits, then goes on as if nothing had been; a client that leaves meanwhile ends it.
    Delay(Duration),
    /// Does the work, then goes wrong all the same: a 504 while the server goes on (§7).
    AfterWork(Box<Fault>),
    /// Waits, then goes wrong; a client that leaves meanwhile ends it.
    Late(Duration, Box<Fault>),
}

impl Fault {
    /// A bare answer with an empty body.
    pub fn status(status: u16) -> Self {
        Self::Answer { status, headers: Vec::new(), body: Vec::new() }
    }

    /// The same fault, after the handler's work.
    #[must_use]
    pub fn after_work(self) -> Self {
        Self::AfterWork(Box::new(self))
    }

    /// The same fault, after a wait.
    #[must_use]
    pub fn late(self, delay: Duration) -> Self {
        Self::Late(delay, Box::new(self))
    }

    pub(crate) fn plan(&self, head: &Head) -> Plan {
        match self {
            Self::AfterWork(fault) => Plan { work: true, ..fault.plan(head) },
            Self::Late(delay, fault) => Plan { delay: Some(*delay), ..fault.plan(head) },
            Self::Delay(delay) => Plan { delay: Some(*delay), ..Plan::normal() },
            Self::TruncatedJson => Plan::worked(Delivery::CutJson),
            Self::TruncatedBody => Plan::worked(Delivery::CutBody),
            Self::HangAfterWork => Plan::worked(Delivery::Hang),
            Self::DropAfterWork => Plan::worked(Delivery::Drop),
            Self::ResetAfterWork => Plan::worked(Delivery::Reset),
            Self::DripBody(pause) => Plan::worked(Delivery::DripBody(*pause)),
            Self::SlowHead(pause) => Plan::worked(Delivery::SlowHead(*pause)),
            Self::HangBeforeWork => Plan::idle(Delivery::Hang),
            Self::DropBeforeWork => Plan::idle(Delivery::Drop),
            Self::ResetBeforeWork => Plan::idle(Delivery::Reset),
            Self::HugeBody { bytes } => Plan::idle(Delivery::Huge(*bytes)),
            Self::GzipBomb { bytes } => Plan::idle(Delivery::Bomb(*bytes)),
            Self::Garbage => Plan::idle(Delivery::Garbage),
            _ => Plan { answer: self.answer(head), ..Plan::idle(Delivery::Whole) },
        }
    }

    /// The answer of a fault that is nothing but an answer.
    fn answer(&self, head: &Head) -> Option<Answer> {
        Some(match self {
            Self::Answer { status, headers, body } => {
                Answer { headers: headers.clone(), body: body.clone(), ..Answer::bare(*status) }
            }
            Self::RateLimited { retry_after } => {
                let answer = Answer::empty(429)
                    .header("X-RateLimit-Limit", "1500")
                    .header("X-RateLimit-Remaining", "0");
                match retry_after {
                    Some(value) => answer.header("Retry-After", value),
                    None => answer,
                }
            }
            Self::Redirect { status, location } => Answer::bare(*status).header("Location", location),
            Self::HtmlPage => Answer::web_client(),
            Self::NotFoundEmpty => Answer::bare(404),
            Self::MethodNotAllowedEmpty => Answer::bare(405),
            Self::Wrapper(Shape::False) => Answer::success(head, Some(json!(false))),
            Self::Wrapper(Shape::Absent) => Answer::success(head, None),
            Self::Wrapper(Shape::WrongType) => Answer::success(head, Some(json!("true"))),
            Self::Wrapper(Shape::StatusOne) => Answer::wrapper(head, 1, 200, Some(json!(true))),
            Self::GatewayPage(status) => Answer::gateway(*status),
            Self::ServerError500 => Answer::exception(
                500,
                &Exception::new(
                    "MySqlConnector.MySqlException",
                    "Unable to connect to any of the specified hosts.",
                ),
            ),
            Self::InvalidOperation403 => Answer::exception(
                403,
                &Exception::new(
                    "System.InvalidOperationException",
                    "An exception has been raised that is likely due to a transient failure.",
                ),
            ),
            Self::DatabaseHiccup401 => Answer::empty(401),
            Self::Dotnet { status, kind, message } => {
                Answer::exception(*status, &Exception::new(kind, message))
            }
            _ => return None,
        })
    }
}

/// How the bytes of an answer go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    Whole,
    CutJson,
    CutBody,
    DripBody(Duration),
    SlowHead(Duration),
    Huge(u64),
    Bomb(u64),
    Garbage,
    Hang,
    Drop,
    Reset,
}

/// What is to happen to one request.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) delay: Option<Duration>,
    pub(crate) work: bool,
    /// Sent in place of the handler's answer.
    pub(crate) answer: Option<Answer>,
    pub(crate) delivery: Delivery,
}

impl Plan {
    pub(crate) fn normal() -> Self {
        Self::worked(Delivery::Whole)
    }

    fn worked(delivery: Delivery) -> Self {
        Self { delay: None, work: true, answer: None, delivery }
    }

    fn idle(delivery: Delivery) -> Self {
        Self { work: false, ..Self::worked(delivery) }
    }
}

/// When a fault strikes: a route, optionally one value of `Dump`, and how often.
#[derive(Debug, Clone)]
pub struct Rule {
    route: Route,
    fault: Fault,
    dump: Option<bool>,
    skip: usize,
    /// `None` is for ever.
    left: Option<usize>,
}

impl Rule {
    /// The next request of this route.
    pub fn new(route: Route, fault: Fault) -> Self {
        Self { route, fault, dump: None, skip: 0, left: Some(1) }
    }

    /// The next `count` requests.
    #[must_use]
    pub fn times(self, count: usize) -> Self {
        Self { left: Some(count), ..self }
    }

    /// Every request from now on.
    #[must_use]
    pub fn always(self) -> Self {
        Self { left: None, ..self }
    }

    /// Only requests with this value of `Dump`; an absent one counts as false.
    #[must_use]
    pub fn dump(self, dump: bool) -> Self {
        Self { dump: Some(dump), ..self }
    }

    /// Lets the first `count` matching requests pass.
    #[must_use]
    pub fn skip(self, count: usize) -> Self {
        Self { skip: count, ..self }
    }

    /// Takes the fault of the first rule that matches, and counts it as used.
    pub(crate) fn take(rules: &mut Vec<Self>, route: Route, dump: bool) -> Option<Fault> {
        let mut found = None;
        for rule in rules.iter_mut() {
            if !rule.route.selects(route) || rule.dump.is_some_and(|wanted| wanted != dump) {
                continue;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            match &mut rule.left {
                Some(0) => continue,
                Some(left) => *left -= 1,
                None => {}
            }
            found = Some(rule.fault.clone());
            break;
        }
        rules.retain(|rule| rule.left != Some(0));
        found
    }
}
