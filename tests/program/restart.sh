#!/bin/sh
# restart.sh: `snug opt` can be stopped after any pass and started again from
# the text, ending in the same bytes.
. "$(dirname "$0")/../program_lib.sh"

snug=$sanitized/snug
passes="fold cse dce loss grad optimizer fold cse dce fuse inplace workspace schedule place"
join() {
    echo "$*" | tr ' ' ','
}

for model in mlp.legacy lenet.legacy mlp.dynamo; do
    # shellcheck disable=SC2086
    "$snug" opt --passes="$(join $passes)" "examples/digits/$model.onnx" \
        -o "$work/whole.snug" || bad "$model: all passes"
    set -- $passes
    done_passes=""
    while [ $# -gt 1 ]; do
        done_passes="$done_passes $1"
        shift
        # shellcheck disable=SC2086
        "$snug" opt --passes="$(join $done_passes)" \
            "examples/digits/$model.onnx" -o "$work/half.snug" &&
            "$snug" opt --passes="$(join "$@")" "$work/half.snug" \
                -o "$work/resumed.snug" &&
            cmp -s "$work/whole.snug" "$work/resumed.snug" &&
            ok "$model: stopped before $(join "$@")" ||
            bad "$model: stopped before $(join "$@")"
    done
    "$snug" opt "$work/whole.snug" -o "$work/again.snug" &&
        cmp -s "$work/whole.snug" "$work/again.snug" &&
        ok "$model: the plan's text is the same again" ||
        bad "$model: the plan's text is the same again"
    "$snug" plan check "$work/whole.snug" >/dev/null &&
        ok "$model: the plan holds" || bad "$model: the plan holds"
done
