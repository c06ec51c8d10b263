//! The real program as a child process: a configuration in a folder of its own, a clean environment, what the child
//! writes line by line, signals, and its end.
//!
//! Nothing here sleeps: whoever waits does so for a line, a request, or the end of the process. [`LIMIT`] is for tests
//! that would otherwise hang; no assertion depends on it.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use docspace_sim::{Key, Portal};
use docsweep::clock::{Clock as _, SystemClock};
use jiff::ToSpan as _;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::Child;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The longest that anything is waited for.
pub(crate) const LIMIT: Duration = Duration::from_mins(2);

/// A schedule whose only slot of a year is in the far future: for portals that are swept by hand.
pub(crate) const NEVER_NOW: &str = "[schedules.s]\ncron = \"0 0 29 2 *\"\n";

/// What portals of tests have in common: plain HTTP, and no long waits.
pub(crate) const DEFAULTS: &str = "[defaults]\nschedule = \"s\"\nallow_http = true\nconnect_timeout = \"10s\"\n\
                                   retry = { initial_backoff = \"20ms\", max_backoff = \"100ms\" }\n";

/// A configuration with its key files, in a folder of its own.
pub(crate) struct Setup {
    folder: TempDir,
    text: String,
}

impl Setup {
    /// A configuration that begins with these texts.
    pub(crate) fn new(texts: &[&str]) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), text: texts.concat() }
    }

    /// Swept by hand alone.
    pub(crate) fn by_hand() -> Self {
        Self::new(&[NEVER_NOW, DEFAULTS])
    }

    /// Due in every second that this cron field names.
    pub(crate) fn seconds(field: &str) -> Self {
        Self::new(&[&format!("[schedules.s]\ncron = \"{field} * * * * *\"\n"), DEFAULTS])
    }

    /// Adds a portal with a fresh admin key in a file, and returns the key.
    pub(crate) fn admit(&mut self, portal: &Portal) -> String {
        self.admit_with(portal, "")
    }

    /// The same, with further keys of its table.
    pub(crate) fn admit_with(&mut self, portal: &Portal, more: &str) -> String {
        let key = portal.add_key(Key::admin());
        self.add(portal, &key, more);
        key
    }

    /// Adds a portal with this key in a file.
    pub(crate) fn add(&mut self, portal: &Portal, key: &str, more: &str) {
        let name = portal.name();
        self.private(&format!("{name}.key"), key);
        self.table(portal, &format!("api_key = {{ file = \"{name}.key\" }}\n{more}"));
    }

    /// Adds a portal whose table ends with these keys. Each is a server of its own.
    pub(crate) fn table(&mut self, portal: &Portal, more: &str) {
        let (name, url) = (portal.name(), portal.url());
        let server = if more.contains("server =") { String::new() } else { format!("server = \"{name}\"\n") };
        writeln!(self.text, "[[portals]]\nname = \"{name}\"\nurl = \"{url}\"\n{server}{more}").unwrap();
    }

    /// Writes a file that nobody else can read, in place of an older one in one step.
    pub(crate) fn private(&self, name: &str, text: &str) -> PathBuf {
        let (path, new) = (self.folder().join(name), self.folder().join(format!("{name}.new")));
        let mut options = fs::OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(&new);
        std::io::Write::write_all(&mut file.unwrap(), text.as_bytes()).unwrap();
        fs::rename(&new, &path).unwrap();
        path
    }

    /// Adds mistakes of several kinds to what is there.
    pub(crate) fn spoil(&mut self) {
        self.text.push_str("[[portals]]\nnmae = 1\n[defaults.x]\n");
        self.text = self
            .text
            .replace("proxy = \"http://", "proxy = \"htp://")
            .replace("api_key = \"", "api_kee = \"");
    }

    /// Where all of it is.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes the configuration, and returns its path.
    pub(crate) fn write(&self) -> PathBuf {
        self.private("config.toml", &self.text)
    }

    /// Starts the program on the configuration.
    pub(crate) fn start(&self, arguments: &[&str]) -> Process {
        self.start_with(arguments, &[])
    }

    /// The same, with these variables.
    pub(crate) fn start_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Process {
        let mut command = self.command(arguments);
        command.envs(variables.iter().copied());
        Process::start(command)
    }

    /// The program on the configuration, with its ledger in the setup's own folder.
    pub(crate) fn command(&self, arguments: &[&str]) -> tokio::process::Command {
        let mut command = program(arguments);
        command.arg("--config").arg(self.write()).env("STATE_DIRECTORY", self.folder());
        command
    }

    /// Runs the program on the configuration to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).end().await
    }

    /// Starts the daemon so that it meets exactly one slot, a moment from now, and the next one a year later. The
    /// configuration's cron expression is `AT`. A machine that takes longer to start than the moment is given a
    /// longer one.
    pub(crate) async fn start_before_slot(&self, variables: &[(&str, &str)]) -> Process {
        for lead in [2, 5, 15, 40] {
            let slot = SystemClock.now().round(jiff::Unit::Second).unwrap() + lead.seconds();
            let cron = slot.strftime("%S %M %H %d %m *").to_string();
            let path = self.private("config.toml", &self.text.replace("AT", &cron));
            let mut command = program(&["run"]);
            command.arg("--config").arg(path).env("STATE_DIRECTORY", self.folder());
            command.envs(variables.iter().copied());
            let mut process = Process::start(command);
            process.stderr.line("docsweep started").await;
            if process.stderr.lines().iter().any(|line| line.contains(&slot.to_string())) {
                return process;
            }
        }
        panic!("the program takes more than 40 s to start");
    }
}

/// The program with these arguments, in a folder and an environment that say nothing.
pub(crate) fn program(arguments: &[&str]) -> tokio::process::Command {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_docsweep"));
    command.args(arguments).env_clear().current_dir("/");
    command
}

/// What a child has written so far on one of its streams, by lines.
pub(crate) struct Stream(watch::Receiver<Vec<String>>);

impl Stream {
    /// Every line so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.borrow().clone()
    }

    /// Waits until the lines are enough for the caller.
    pub(crate) async fn until(&mut self, mut enough: impl FnMut(&[String]) -> bool) {
        let ended = match tokio::time::timeout(LIMIT, self.0.wait_for(|lines| enough(lines))).await {
            Ok(seen) if seen.is_ok() => return,
            Ok(_) => "the stream ended first",
            Err(_) => "nothing more came",
        };
        panic!("{ended}:\n{}", self.lines().join("\n"));
    }

    /// Waits for a line with this text.
    pub(crate) async fn line(&mut self, text: &str) {
        self.until(|lines| lines.iter().any(|line| line.contains(text))).await;
    }

    /// Waits until so many records of this message are there, and returns all of them.
    pub(crate) async fn records(&mut self, message: &str, count: usize) -> Vec<Value> {
        self.until(|lines| records(lines, message).len() >= count).await;
        records(&self.lines(), message)
    }
}

/// The log records with this message.
pub(crate) fn records(lines: &[String], message: &str) -> Vec<Value> {
    let parsed = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    parsed.filter(|record| record["message"] == message).collect()
}

/// The records of the sweeps that ended.
pub(crate) fn sweeps(lines: &[String]) -> Vec<Value> {
    records(lines, "sweep finished")
}

/// A child process. It is killed when this is dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) stdout: Stream,
    pub(crate) stderr: Stream,
    readers: JoinSet<()>,
}

/// How a process ended, and all that it wrote.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<String>,
    pub(crate) stderr: Vec<String>,
}

impl Process {
    /// Starts a command with both of its streams piped.
    pub(crate) fn start(mut command: tokio::process::Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut readers = JoinSet::new();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let (stdout, stderr) = (read(&mut readers, stdout), read(&mut readers, stderr));
        Self { child, stdout, stderr, readers }
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(self.id().cast_signed()).unwrap();
        kill_process(id, signal).unwrap();
    }

    /// Waits for the end.
    pub(crate) async fn end(mut self) -> Ended {
        let Ok(status) = tokio::time::timeout(LIMIT, self.child.wait()).await else {
            panic!("it does not end:\n{}", self.stderr.lines().join("\n"));
        };
        while self.readers.join_next().await.is_some() {}
        Ended { status: status.unwrap(), stdout: self.stdout.lines(), stderr: self.stderr.lines() }
    }
}

impl Ended {
    /// The exit code; a process that a signal killed fails the test.
    pub(crate) fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("{self:#?}"))
    }

    /// Both streams, for texts that must not be there.
    pub(crate) fn everything(&self) -> String {
        [self.stdout.join("\n"), self.stderr.join("\n")].join("\n")
    }
}

fn read(readers: &mut JoinSet<()>, stream: impl AsyncRead + Send + Unpin + 'static) -> Stream {
    let (sender, receiver) = watch::channel(Vec::new());
    readers.spawn(async move {
        let mut lines = BufReader::new(stream).lines();
        while let Some(line) = lines.next_line().await.unwrap() {
            sender.send_modify(|seen| seen.push(line));
        }
    });
    Stream(receiver)
}
