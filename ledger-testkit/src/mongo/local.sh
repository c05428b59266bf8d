# Runs a mongod in a directory of its own until standard input ends, which it does
# when the process at its other end dies in whatever way; then kills the server and
# removes the directory. Commands on standard input: state, kill, start, freeze, thaw.
# $1: mongod, $2: port, then its options
trap '' INT TERM HUP
mongod=$1 port=$2
shift 2
dir=$(mktemp -d "${TMPDIR:-/tmp}/ledger-mongo.XXXXXX") || exit 1
mkdir "$dir/data"
start() {
    "$mongod" --dbpath "$dir/data" --port "$port" --bind_ip 127.0.0.1 --nounixsocket \
        --logpath "$dir/log" --logappend "$@" </dev/null >>"$dir/out" 2>&1 &
    pid=$!
}
# The shell tells of a kill on its standard error.
stop() {
    kill -KILL "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
}
# A child that has ended is a zombie until it is waited for.
state() {
    case $(cut -d ' ' -f 3 "/proc/$pid/stat" 2>/dev/null) in
        '' | Z | X) echo "ended: $(grep -E '"s":"(F|E)"' "$dir/log" | tail -n 1)" ;;
        *) echo running ;;
    esac
}
cd "$dir" || exit 1
start "$@"
echo "started $dir"
while read -r command; do
    case $command in
        state) state ;;
        kill) stop; echo done ;;
        start) start "$@"; echo done ;;
        freeze) kill -STOP "$pid"; echo done ;;
        thaw) kill -CONT "$pid"; echo done ;;
    esac
done
stop
rm -rf "$dir"
