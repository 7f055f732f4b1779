# For the scripts beside this one: starts the local stack on free ports, and
# stops what was started, whatever happens. Sourced, with $bin set to the
# directory of the built executables. $work is a directory of the script's own.

work=$(mktemp -d)
pids=()
clean_up() {
    local pid
    for pid in "${pids[@]}"; do
        kill "$pid" 2>/dev/null || true
    done
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap clean_up EXIT

fail() {
    printf '%s: %s\n' "$(basename "$0")" "$1" >&2
    local file
    for file in "$work"/*; do
        # Not a pipe, which would wait for somebody to write.
        [ -f "$file" ] && head -c 2000 "$file" >&2
    done
    exit 1
}

# Waits until a file has a line that matches, for half a minute.
wait_for() {
    local file=$1 pattern=$2
    for _ in $(seq 300); do
        if grep -q -- "$pattern" "$file" 2>/dev/null; then
            return 0
        fi
        sleep 0.1
    done
    fail "no '$pattern' in $(basename "$file")"
}

# Starts a stack, with options of its own; sets $http and $ws.
start_stack() {
    "$bin/fanout-local" --http 127.0.0.1:0 --ws 127.0.0.1:0 "$@" \
        >"$work/stack" 2>"$work/stack-log" &
    stack=$!
    pids+=("$stack")
    wait_for "$work/stack" '^ready '
    http=$(sed -n 's/^ready .*http=\(http:[^ ]*\) ws=.*/\1/p' "$work/stack")
    ws=$(sed -n 's/^ready .* ws=\([^ ]*\) .*/\1/p' "$work/stack")
}

stop_stack() {
    kill -INT "$stack"
    wait "$stack" || fail 'the stack did not stop well'
    rm "$work/stack"
}
