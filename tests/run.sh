#!/bin/sh
# run.sh SANITIZED PLAIN: every Criterion test of the sanitized build, and the
# scripts of tests/program/ on both, as many at a time as there are processors
# (SNUG_TEST_JOBS). Prints a line for each as it ends, what failed below it, and
# one line of counts at the end.
set -u

# What takes longest begins first: nothing long is left for the end.
longest="calibrate recompute_test targets chunk_test method fuzz
    attention_operators_test operators_test operators2_test
    operators_index_test operators_types_test attention_test transfer_test
    random_test kernel_test contract_test contract_whole_test rewrite_test
    golden_test op_test chunk_stream_test plan node_suite install tutorial"

# one SANITIZED PLAIN TEST: runs it, leaves its counts in $results, tells.
one() {
    name=$(basename "$3" .sh)
    log=$results/$name.log
    start=$(date +%s)
    case $3 in
    *.sh)
        "$3" "$1" "$2" >"$log" 2>&1
        status=$?
        good=$(grep -c '^ok ' "$log")
        bad=$(grep -c '^FAIL ' "$log")
        ;;
    *)
        "$3" --jobs 1 >"$log" 2>&1
        status=$?
        line=$(sed 's/\x1b\[[0-9;]*m//g' "$log" | grep 'Synthesis:' |
            tail -n 1)
        tested=$(echo "$line" | sed -n 's/.*Tested: *\([0-9]*\).*/\1/p')
        good=$(echo "$line" | sed -n 's/.*Passing: *\([0-9]*\).*/\1/p')
        good=${good:-0}
        bad=$((${tested:-1} - good))
        ;;
    esac
    [ $status -eq 0 ] || [ "$bad" -ne 0 ] || bad=1
    echo "$good $bad" >"$results/$name.counts"
    {
        printf '%-24s %5d passed %3d failed %4d s\n' "$name" "$good" "$bad" \
            $(($(date +%s) - start))
        if [ "$bad" -eq 0 ]; then grep '^not run' "$log"; else cat "$log"; fi
    } >"$log.told"
    flock "$results" cat "$log.told"
    return 0
}

if [ $# -eq 3 ]; then
    one "$@"
    exit
fi

sanitized=$1
plain=$2
# A small quarantine: fresh pages cost more time than all that is looked at.
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:quarantine_size_mb=32
export UBSAN_OPTIONS=print_stacktrace=1
results=$(mktemp -d)
SNUG_CACHE=$results/cache
export results SNUG_CACHE
trap 'rm -rf "$results"' EXIT

{
    for name in $longest; do
        ls "$sanitized/tests/$name" "tests/program/$name.sh" 2>/dev/null
    done
    ls "$sanitized"/tests/*_test tests/layers.sh tests/program/*.sh
} | awk '!seen[$0]++' |
    xargs -P "${SNUG_TEST_JOBS:-$(nproc)}" -n 1 "$0" "$sanitized" "$plain"

cat "$results"/*.counts |
    awk '{ good += $1; bad += $2 }
         END { print good + bad " tests: " good " passed, " bad " failed"
               exit !good || bad }'
