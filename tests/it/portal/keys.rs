//! Keys out of files: read anew for each attempt, and refused before anything is sent.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use docspace_sim::{Key, Route};
use docsweep::domain::{FailureClass, Outcome};
use docsweep::keys::ApiKeySource;

use super::rig::{Rig, class, detail};

async fn check_unavailable(rig: &mut Rig, path: &Path, part: &str) {
    rig.endpoint.api_key = ApiKeySource::File(path.to_owned());
    let report = rig.sweep().await;
    assert_eq!(class(&report), Some(FailureClass::KeyUnavailable));
    let detail = detail(&report);
    assert!(detail.contains(path.to_str().unwrap()) && detail.contains(part), "{detail}");
    assert_eq!(report.attempts, 3, "it may be put in place meanwhile");
    assert_eq!(rig.server.connections_seen(), 0);
}

#[tokio::test]
async fn a_missing_key_file() {
    let mut rig = Rig::new().await;
    let path = rig.dir.path().join("missing");
    check_unavailable(&mut rig, &path, "cannot read").await;
}

#[tokio::test]
async fn a_key_file_that_is_a_pipe() {
    let mut rig = Rig::new().await;
    let pipe = rig.dir.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    check_unavailable(&mut rig, &pipe, "no regular file").await;
}

#[tokio::test]
async fn a_key_file_that_everybody_can_read() {
    let mut rig = Rig::new().await;
    let path = rig.file("key", &rig.key);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    check_unavailable(&mut rig, &path, "mode 0644").await;
}

#[tokio::test]
async fn an_empty_key_file() {
    let mut rig = Rig::new().await;
    let path = rig.file("key", " \n");
    check_unavailable(&mut rig, &path, "empty").await;
}

#[tokio::test]
async fn a_key_file_of_two_lines() {
    let mut rig = Rig::new().await;
    let path = rig.file("key", &format!("{}\nsk-other\n", rig.key));
    check_unavailable(&mut rig, &path, "more than one line").await;
}

#[tokio::test]
async fn a_key_file_that_no_header_can_carry() {
    let mut rig = Rig::new().await;
    let path = rig.file("key", &format!("{}ž", rig.key));
    check_unavailable(&mut rig, &path, "HTTP header").await;
}

#[tokio::test]
async fn a_key_file_of_binary_rubbish() {
    let mut rig = Rig::new().await;
    let path = rig.file("key", "");
    std::fs::write(&path, [0xff, 0xfe, 0, 1]).unwrap();
    check_unavailable(&mut rig, &path, "cannot read").await;
}

#[tokio::test]
async fn a_directory_in_place_of_a_key_file() {
    let mut rig = Rig::new().await;
    let path = rig.dir.path().join("key");
    std::fs::create_dir(&path).unwrap();
    check_unavailable(&mut rig, &path, "no regular file").await;
}

#[tokio::test]
async fn a_key_file_put_right_between_attempts() {
    let mut rig = Rig::new().await;
    rig.portal.add_backups(1);
    let old = rig.portal.add_key(Key::admin().expired());
    let path = rig.file("key", &old);
    rig.endpoint.api_key = ApiKeySource::File(path);
    // The first attempt stands at its list, with the old key, while the file is changed.
    let hold = rig.portal.hold(Route::History);
    let rotate = async {
        hold.arrived(1).await;
        rig.file("key", &format!("{}\n", rig.key));
        hold.release();
    };
    let (report, ()) = tokio::join!(Box::pin(rig.sweep()), rotate);
    assert_eq!((report.outcome, report.attempts), (Outcome::Deleted, 2));
    let sent: Vec<_> =
        rig.portal.requests().iter().map(|r| r.header("authorization").unwrap().to_owned()).collect();
    let (old, new) = (format!("Bearer {old}"), format!("Bearer {}", rig.key));
    assert_eq!(sent.iter().collect::<Vec<_>>(), [&old, &old, &new, &new, &new, &new]);
}
