#!/bin/sh
# solver_faults.sh: plans while the solver fails: each ends in time, in a plan
# that the checker accepts or a refusal, and leaves no process and no file.
# SNUG_FAULTS=N plants N faults; those that hang are few unless it is given.
. "$(dirname "$0")/../program_lib.sh"

snug=$plain/snug
faults=${SNUG_FAULTS:-28}
quick="exit signal close-input half-question half-question-signal echo
noise words word zeros ones few many numbers part part-signal status
true-but-failed true-but-dies spoiled spoiled-once spoiled-word true-and-more
memory flood flood-of-numbers one-long-line"
slow="hang hang-at-once close-output part-hang orphan spin slow"
kinds=$quick
[ -z "${SNUG_FAULTS:-}" ] || kinds="$quick $slow"
plans=0
refused=0
calls=0

# The fault NUMBER has its own folder: plan.snug or err, status and seconds.
plant() {
    folder=$work/$1
    mkdir -p "$folder/tmp" "$folder/cwd"
    cp "$plain/tests/false_solver" "$folder/snug-milp"
    set -- "$1" $kinds
    number=$1
    shift
    shift $((number % $#))
    echo "$1 $number $plain/snug-milp" >"$folder/fault"
    echo "$1" >"$folder/kind"
    with=$snug
    [ $((number % 7)) -ne 0 ] || with=$sanitized/snug
    budget=$((least + (most - least) * (number % 5 - 1) / 4))
    start=$(date +%s)
    (cd "$folder/cwd" && TMPDIR=$folder/tmp SNUG_MILP=$folder/snug-milp \
        timeout 120 "$with" compile "$root/tests/program/deep.snug" \
        --emit plan --memory $budget -o "$folder/plan.snug" \
        >"$folder/out" 2>"$folder/err")
    echo $? >"$folder/status"
    echo $(($(date +%s) - start)) >"$folder/seconds"
}

# Processes that still run the false solver of a folder, or its real one.
left_running() {
    for process in /proc/[0-9]*; do
        case $(readlink "$process/exe" 2>/dev/null) in
        "$1"/*) echo "$process" ;;
        esac
    done
}

verify() {
    folder=$work/$1
    status=$(cat "$folder/status")
    wrong=
    [ ! -e "$folder/calls" ] ||
        calls=$((calls + $(wc -c <"$folder/calls")))
    case $status in
    0)
        plans=$((plans + 1))
        "$snug" plan check "$folder/plan.snug" >"$folder/verdict" 2>&1 ||
            wrong="the plan does not hold"
        ;;
    3)
        refused=$((refused + 1))
        grep -q 'hint: ' "$folder/err" || wrong="refused without a hint"
        [ ! -e "$folder/plan.snug" ] || wrong="refused, and a plan"
        ;;
    *) wrong="status $status" ;;
    esac
    [ "$(cat "$folder/seconds")" -le 90 ] ||
        wrong="$(cat "$folder/seconds") seconds"
    [ -z "$(ls -A "$folder/tmp" "$folder/cwd" | grep -v :)" ] ||
        wrong="files are left"
    [ -z "$(left_running "$folder")" ] || wrong="a process is left"
    if [ -n "$wrong" ]; then
        bad "$(cat "$folder/kind") $1: $wrong"
        head -n 5 "$folder/err" "$folder/verdict" 2>/dev/null
        failed=1
    fi
}

"$snug" plan tests/program/deep.snug --pareto --json >"$work/json"
least=$(sed -n 's/.*"least_budget": \([0-9]*\).*/\1/p' "$work/json")
most=$("$snug" plan tests/program/deep.snug --json |
    sed -n 's/.*"peak": \([0-9]*\).*/\1/p' | head -n 1)
failed=0
number=1
while [ $number -le "$faults" ]; do
    plant $number
    verify $number
    rm -rf "${work:?}/$number"
    number=$((number + 1))
done
if [ $failed -eq 0 ] && [ $calls -ge "$faults" ]; then
    ok "$faults planted faults, met $calls times: $plans plans, $refused refused"
else
    bad "$faults planted faults, met $calls times"
fi
