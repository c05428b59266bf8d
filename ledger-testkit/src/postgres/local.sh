# Runs a server in a directory of its own until standard input ends, which it
# does when the process at its other end dies in whatever way; then stops the
# server and removes the directory. Commands on standard input: restart, crash.
# $1: directory of the binaries, $2: port, $3: password, $4: port of the primary
# if it is to be a standby, then settings; in LEDGER_TLS_CERTIFICATE and
# LEDGER_TLS_KEY what it shows if it is to speak TLS
trap '' INT TERM HUP
bin=$1 port=$2 password=$3 primary=$4
shift 4
dir=$(mktemp -d "${TMPDIR:-/tmp}/ledger-pg.XXXXXX") || exit 1
fail() { echo "failed: $1"; cat "$dir/log" >&2; rm -rf "$dir"; exit 1; }
start() {
    "$bin/postgres" -D "$dir/data" -k "$dir" -p "$port" -c listen_addresses=127.0.0.1 "$@" \
        </dev/null >>"$dir/log" 2>&1 &
    pid=$!
}
stop() { kill "-$1" "$pid" 2>/dev/null; wait "$pid"; }
cd "$dir" || exit 1
echo "$password" >"$dir/password"
if [ -n "$primary" ]; then
    PGPASSWORD=$password "$bin/pg_basebackup" -h 127.0.0.1 -p "$primary" -U ledger -R -c fast \
        -D "$dir/data" </dev/null >"$dir/log" 2>&1 || fail pg_basebackup
else
    "$bin/initdb" --no-sync -D "$dir/data" -U ledger -A password --pwfile="$dir/password" \
        -E UTF8 --locale=C.UTF-8 </dev/null >"$dir/log" 2>&1 || fail initdb
fi
if [ -n "$LEDGER_TLS_KEY" ]; then
    umask 077
    echo "$LEDGER_TLS_CERTIFICATE" >"$dir/server.crt"
    echo "$LEDGER_TLS_KEY" >"$dir/server.key"
    set -- "$@" -c ssl=on -c "ssl_cert_file=$dir/server.crt" -c "ssl_key_file=$dir/server.key"
fi
start "$@"
echo "started $dir"
while read -r command; do
    case $command in
        restart) stop INT; start "$@"; echo restarted ;;
        crash) stop QUIT; start "$@"; echo restarted ;;
    esac
done
stop QUIT
rm -rf "$dir"
