# The everyday commands. Each can be run as it stands here, without just.

# Lists the commands.
default:
    @just --list

# Every test, and what was not run.
test:
    scripts/test

# The tests of one crate: just crate ledger-core
crate name:
    cargo test -p {{ name }}

# Installs the server programs that the tests start.
servers:
    scripts/servers

# The PostgreSQL backend against real servers.
test-pg:
    cargo test -p ledger-testkit -p ledger-postgres

# The MongoDB backend against real servers.
test-mongo:
    cargo test -p ledger-mongo

# Every backend that needs a server.
test-integration: test-pg test-mongo

# Which broken store is caught by which case of the suite, as a table. Takes five minutes or so.
kill-matrix:
    cargo test -p ledger-storetest --test mutants -- --ignored --nocapture matrix

# Faults of MongoDB's servers and network, far more of them than in the gate.
mongo-faults:
    LEDGER_LONG=1 cargo test -p ledger-mongo --test it faults:: -- --nocapture --test-threads 1

# The conformance suites against servers in containers, from images made here.
test-docker:
    scripts/test-docker

# Every bit and byte of the embedded log's files damaged, and many crashes. Takes an hour or so.
file-flips:
    LEDGER_LONG=1 cargo test -p ledger-file --test it -- --nocapture crash::

# Which broken embedded log is caught by which test. Takes minutes.
file-mutants:
    cargo test -p ledger-file --features mutants --test it -- --ignored --nocapture mutants::

# Every backend against the conformance suite.
conformance:
    cargo test --workspace --tests thread::

# Formats the code.
fmt:
    cargo fmt --all

# What the compiler and clippy have to say; nothing is allowed.
lint:
    cargo clippy --workspace --all-targets -- -D warnings

# The documentation, without warnings.
docs:
    RUSTDOCFLAGS=-Dwarnings cargo doc --workspace --no-deps

# The flights of a day; just quickstart --year for those of a year.
quickstart *arguments:
    scripts/quickstart {{ arguments }}

# The 336,776 flights of 2013, for quickstart --year.
fetch-flights:
    scripts/fetch-flights

# Ours against the same work without us: just bench all|sqlite|postgres|mongo|file|file-memory|typed.
bench group *arguments:
    cargo run --release -p ledger-bench -- {{ group }} {{ arguments }}

# Licences, duplicates and sources of the dependencies.
deny:
    cargo deny check --hide-inclusion-graph licenses bans sources

# Known vulnerabilities of the dependencies; fetches the database.
advisories:
    cargo deny check advisories

# Everything that has to pass before a change lands.
gate:
    .ci/run
