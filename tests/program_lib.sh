# lib.sh: what the program tests share. Sourced with SANITIZED PLAIN as $1 $2.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
sanitized=$(cd "$1" && pwd)
plain=$(cd "$2" && pwd)
digits=$root/examples/digits
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
SNUG_CACHE=$work/cache
export SNUG_CACHE
cd "$root" || exit 1

ok() {
    echo "ok $1"
}

bad() {
    echo "FAIL $1"
}

# check NAME COMMAND...: ok if the command succeeds
check() {
    name=$1
    shift
    if "$@" >"$work/out" 2>&1; then ok "$name"; else
        bad "$name"
        tail -n 20 "$work/out"
    fi
}

# refuse NAME STATUS WORDS COMMAND...: the command must end with this status and
# say these words (a basic regular expression) on one line of its output
refuse() {
    name=$1 status=$2 words=$3
    shift 3
    timeout 60 "$@" >"$work/out" 2>&1
    got=$?
    if [ $got -eq "$status" ] && grep -q -- "$words" "$work/out" &&
        ! grep -q 'ERROR: AddressSanitizer\|runtime error:' "$work/out"; then
        ok "$name"
    else
        bad "$name: status $got, $status expected, with '$words'"
        head -n 8 "$work/out"
    fi
}
