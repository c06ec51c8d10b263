//! The shapes of answers: the success wrapper (§1.1), the error bodies (§6), and nginx's own pages.
//!
//! An [`Answer`] from the application carries `Server-Timing` and `api-supported-versions`; one from
//! the edge carries neither (§6, source hint). Null members are omitted everywhere (§1.1).

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Map, Value, json};

use crate::wire::Head;

/// nginx compresses nothing shorter (§9).
const GZIP_MINIMUM: usize = 1000;

/// A whole answer, before it meets the wire.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Bytes with no headers of their own.
    pub(crate) fn bare(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    /// §4.3, §6 no. 3: an empty answer of the application.
    pub(crate) fn empty(status: u16) -> Self {
        Self::from_app(status, "", Vec::new())
    }

    fn from_app(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        let mut answer = Self { status, headers: Vec::new(), body };
        if !content_type.is_empty() {
            answer = answer.header("Content-Type", content_type);
        }
        answer
            .header("Server-Timing", "aspnetcore-request-time;dur=3")
            .header("api-supported-versions", "2.0")
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A page that no application made.
    pub(crate) fn html(status: u16, page: String) -> Self {
        Self { status, headers: Vec::new(), body: page.into_bytes() }.header("Content-Type", "text/html")
    }

    /// §1.1: the success wrapper; `None` leaves the `response` key out.
    pub(crate) fn success(head: &Head, response: Option<Value>) -> Self {
        Self::wrapper(head, 0, 200, response)
    }

    /// The wrapper with every field chosen, as the faults need it.
    pub(crate) fn wrapper(head: &Head, status: u8, code: u16, response: Option<Value>) -> Self {
        let count = match &response {
            None => 0,
            Some(Value::Array(list)) => list.len(),
            Some(_) => 1,
        };
        let mut body = Map::new();
        if let Some(response) = response {
            body.insert("response".to_owned(), response);
        }
        body.insert("count".to_owned(), json!(count));
        body.insert("links".to_owned(), json!([{ "href": full_url(head), "action": head.method }]));
        body.insert("status".to_owned(), json!(status));
        body.insert("statusCode".to_owned(), json!(code));
        Self::json(code, &Value::Object(body))
    }

    fn json(status: u16, body: &Value) -> Self {
        Self::from_app(status, "application/json; charset=utf-8", body.to_string().into_bytes())
    }

    /// §1.1: model validation comes in the wrapper, with `status` 1.
    pub(crate) fn validation(head: &Head, field: &str, value: &str) -> Self {
        let problem = json!({
            "type": "https://tools.ietf.org/html/rfc9110#section-15.5.1",
            "title": "One or more validation errors occurred.",
            "status": 400,
            "errors": { field: [format!("The value '{value}' is not valid for {field}.")] },
            "traceId": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
        });
        Self::wrapper(head, 1, 400, Some(problem))
    }

    /// §4.4, §6 no. 2: a filter's bare status result, turned into a problem document.
    pub(crate) fn problem(status: u16) -> Self {
        let mut body = json!({
            "status": status,
            "traceId": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
        });
        // ASP.NET Core knows no title for 402, so both members are absent there.
        let known = match status {
            403 => Some(("https://tools.ietf.org/html/rfc9110#section-15.5.4", "Forbidden")),
            404 => Some(("https://tools.ietf.org/html/rfc9110#section-15.5.5", "Not Found")),
            _ => None,
        };
        if let (Some((kind, title)), Some(members)) = (known, body.as_object_mut()) {
            members.insert("type".to_owned(), json!(kind));
            members.insert("title".to_owned(), json!(title));
        }
        let text = body.to_string().into_bytes();
        Self::from_app(status, "application/problem+json; charset=utf-8", text)
    }

    /// §6 no. 1: `ErrorApiResponse`, with the stack trace it leaks.
    pub(crate) fn exception(status: u16, exception: &Exception) -> Self {
        let mut error = json!({
            "message": exception.message,
            "type": exception.kind,
            "hresult": exception.hresult(),
        });
        // §6: the stack is null on 401 and 415, and null members are omitted.
        if !matches!(status, 401 | 415)
            && let Some(members) = error.as_object_mut()
        {
            members.insert("stack".to_owned(), json!(stack_of(&exception.kind)));
        }
        Self::json(status, &json!({ "status": 1, "statusCode": status, "error": error }))
    }

    /// §4.4: the IP filter's localised string, quoted if JSON was asked for.
    pub(crate) fn ip_restricted(head: &Head) -> Self {
        let text = "The access to the portal is restricted";
        if head.header("accept").is_some_and(|accept| accept.contains("application/json")) {
            Self::json(403, &json!(text))
        } else {
            Self::from_app(403, "text/plain; charset=utf-8", text.as_bytes().to_vec())
        }
    }

    /// §6 no. 6: nginx's own page.
    pub(crate) fn gateway(status: u16) -> Self {
        let title = reason(status);
        Self::html(
            status,
            format!(
                "<!DOCTYPE html>\n<html>\n<head><title>{status} {title}</title></head>\n\
                 <body>\n<center><h1>{status} {title}</h1></center>\n<hr><center>nginx</center>\n</body>\n</html>\n"
            ),
        )
    }

    /// §1: what stands outside the API's prefix; also what a login page looks like.
    pub(crate) fn web_client() -> Self {
        Self::html(
            200,
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head><title>DocSpace</title></head>\n\
             <body><div id=\"root\"></div><form action=\"/login\"></form></body>\n</html>\n"
                .to_owned(),
        )
    }

    /// §9: compressed if asked for and long enough.
    pub(crate) fn compressed_for(self, head: &Head) -> Self {
        let asked = head.header("accept-encoding").is_some_and(|value| value.contains("gzip"));
        if !asked || self.body.len() < GZIP_MINIMUM {
            return self;
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        let packed = encoder.write_all(&self.body).and_then(|()| encoder.finish());
        match packed {
            Ok(body) => Self { body, ..self }.header("Content-Encoding", "gzip"),
            Err(_) => self,
        }
    }
}

/// A .NET exception as an answer names it.
#[derive(Debug, Clone)]
pub(crate) struct Exception {
    pub(crate) kind: String,
    pub(crate) message: String,
}

impl Exception {
    pub(crate) fn new(kind: &str, message: &str) -> Self {
        Self { kind: kind.to_owned(), message: message.to_owned() }
    }

    fn hresult(&self) -> i32 {
        match self.kind.as_str() {
            "System.NullReferenceException" => -2_147_467_261,
            "System.InvalidOperationException" => -2_146_233_079,
            "System.Security.SecurityException" => -2_146_233_078,
            "System.ArgumentException" => -2_147_024_809,
            _ => -2_146_233_088,
        }
    }
}

fn stack_of(kind: &str) -> String {
    format!(
        "   at ASC.Data.Backup.Services.BackupService.DemandPermissionsBackupAsync() in \
         /app/src/BackupService.cs:line 412\n   at ASC.Data.Backup.Controllers.BackupController \
         ({kind})\n   at Microsoft.AspNetCore.Mvc.Infrastructure.ActionMethodExecutor.Execute()"
    )
}

fn full_url(head: &Head) -> String {
    let scheme = if head.secure { "https" } else { "http" };
    let host = head.header("host").unwrap_or_default();
    let mark = if head.query.is_empty() { "" } else { "?" };
    format!("{scheme}://{host}{}{mark}{}", head.path, head.query)
}

/// The reason phrase of a status line.
pub(crate) fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        415 => "Unsupported Media Type",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Temporarily Unavailable",
        504 => "Gateway Time-out",
        _ => "Status",
    }
}
