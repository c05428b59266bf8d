# Runs PgBouncer in a directory of its own until standard input ends; then ends it
# and removes the directory. $1: pgbouncer, $2: port, $3: host and $4: port of the
# server, $5: user, $6: password, then settings
trap '' INT TERM HUP
pgbouncer=$1 port=$2 server_host=$3 server_port=$4 user=$5 password=$6
shift 6
umask 077
dir=$(mktemp -d "${TMPDIR:-/tmp}/ledger-pgbouncer.XXXXXX") || exit 1
echo "\"$user\" \"$password\"" >"$dir/users"
{
    echo '[databases]'
    echo "* = host=$server_host port=$server_port"
    echo '[pgbouncer]'
    echo 'listen_addr = 127.0.0.1'
    echo "listen_port = $port"
    echo 'unix_socket_dir ='
    echo 'auth_type = plain'
    echo "auth_file = $dir/users"
    echo "admin_users = $user"
    # What drivers set for themselves, and PgBouncer does not know.
    echo 'ignore_startup_parameters = extra_float_digits'
    echo 'pool_mode = transaction'
    for setting in "$@"; do echo "$setting"; done
} >"$dir/pgbouncer.ini"
"$pgbouncer" "$dir/pgbouncer.ini" </dev/null >"$dir/log" 2>&1 &
pid=$!
echo "started $dir"
while read -r command; do
    case $command in
        # A child that has ended is a zombie until it is waited for.
        state)
            case $(cut -d ' ' -f 3 "/proc/$pid/stat" 2>/dev/null) in
                '' | Z | X) echo "ended: $(tr '\n' ' ' <"$dir/log")" ;;
                *) echo running ;;
            esac
            ;;
    esac
done
kill -KILL "$pid" 2>/dev/null
wait "$pid" 2>/dev/null
rm -rf "$dir"
