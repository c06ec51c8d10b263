# What CI runs, by name. `just` alone lists the recipes.

_default:
    @just --list

# Everything that must pass before a commit.
check: fmt clippy test doc deny

# The README's test command.
test:
    cargo test

# What takes minutes: the daemon is killed two hundred times.
slow:
    cargo test --locked --test it -- --ignored two_hundred_kills --nocapture

fmt:
    cargo fmt --all --check

clippy:
    cargo clippy --locked --workspace --all-targets -- -D warnings

doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps

# Advisories need the network's database; these three work offline.
deny:
    cargo deny --locked check bans licenses sources

# The try-out.
demo:
    cargo run --locked --release --example demo
