#!/bin/sh
# run.sh SANITIZED PLAIN: every Criterion test of the sanitized build, then the
# scripts of tests/program/ on both. Prints failures as they come and one line of
# counts at the end.
set -u
sanitized=$1
plain=$2
passed=0
failed=0
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0
export UBSAN_OPTIONS=print_stacktrace=1
log=$(mktemp)
SNUG_CACHE=$(mktemp -d)
export SNUG_CACHE
trap 'rm -rf "$log" "$SNUG_CACHE"' EXIT

for test in "$sanitized"/tests/*_test; do
    name=$(basename "$test")
    start=$(date +%s)
    "$test" --jobs 2 >"$log" 2>&1
    status=$?
    line=$(sed 's/\x1b\[[0-9;]*m//g' "$log" | grep 'Synthesis:' | tail -n 1)
    tested=$(echo "$line" | sed -n 's/.*Tested: *\([0-9]*\).*/\1/p')
    good=$(echo "$line" | sed -n 's/.*Passing: *\([0-9]*\).*/\1/p')
    tested=${tested:-1}
    good=${good:-0}
    bad=$((tested - good))
    [ $status -ne 0 ] && [ $bad -eq 0 ] && bad=1
    passed=$((passed + good))
    failed=$((failed + bad))
    printf '%-24s %5d passed %3d failed %4d s\n' "$name" "$good" "$bad" \
        $(($(date +%s) - start))
    [ $bad -eq 0 ] || cat "$log"
done

for script in tests/layers.sh tests/program/*.sh; do
    name=$(basename "$script" .sh)
    start=$(date +%s)
    "$script" "$sanitized" "$plain" >"$log" 2>&1
    status=$?
    good=$(grep -c '^ok ' "$log")
    bad=$(grep -c '^FAIL ' "$log")
    [ $status -ne 0 ] && [ "$bad" -eq 0 ] && bad=1
    passed=$((passed + good))
    failed=$((failed + bad))
    printf '%-24s %5d passed %3d failed %4d s\n' "$name" "$good" "$bad" \
        $(($(date +%s) - start))
    if [ "$bad" -eq 0 ]; then grep '^not run' "$log"; else cat "$log"; fi
done

echo "$((passed + failed)) tests: $passed passed, $failed failed"
[ $failed -eq 0 ]
