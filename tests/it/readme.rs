//! The README says what the program does: its tables and its configuration are held against the code.

use docsweep::config::{Config, FileInfo};
use docsweep::domain::FailureClass;

const README: &str = include_str!("../../README.md");

#[test]
fn every_failure_class_is_in_the_readme_with_its_advice() {
    let rows: Vec<&str> = README.lines().filter(|line| line.starts_with("| `")).collect();
    for class in FailureClass::ALL {
        let start = format!("| `{}` |", class.as_str());
        let row = rows.iter().find(|row| row.starts_with(&start));
        let row = row.unwrap_or_else(|| panic!("the README has no row for {}", class.as_str()));
        assert!(
            row.ends_with(&format!("| {} |", class.advice())),
            "{row}\nshould end with\n{}",
            class.advice()
        );
    }
}

#[test]
fn the_minimal_configuration_is_valid() {
    let toml = README.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let file = FileInfo { path: "README.md".into(), readable_by_others: true };
    let config = Config::parse(toml, &file).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(config.portals.len(), 1);
}

#[test]
fn the_demo_prints_the_same_configuration() {
    let toml = README.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let demo = include_str!("../../examples/demo.rs");
    for line in toml.lines().filter(|line| !line.is_empty()) {
        assert!(demo.contains(&format!("    {line}\n")), "the demo lacks {line}");
    }
}
