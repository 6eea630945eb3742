#!/bin/sh
# plan.sh: the plan told: text within 80 columns, JSON against docs/schemas, the
# ladder of budgets, ways to fit, the story of a tensor, trace and drawing.
. "$(dirname "$0")/../program_lib.sh"

snug=$sanitized/snug
schema=$sanitized/tests/schema
schemas=$root/docs/schemas
cd "$work" || exit 1

# valid NAME SCHEMA COMMAND...: its output is JSON by docs/schemas/SCHEMA.json
valid() {
    name=$1 of=$schemas/$2.json
    shift 2
    "$@" >json 2>err
    status=$?
    if [ $status -le 1 ] && "$schema" "$of" json >told; then ok "$name"; else
        bad "$name: status $status"
        head -n 8 err told
    fi
}

# says NAME WORDS FILE: the file has a line with these words
says() {
    if grep -q -- "$2" "$3"; then ok "$1"; else
        bad "$1: no '$2'"
        head -n 20 "$3"
    fi
}

# narrow NAME FILE: no line takes more than 80 columns
narrow() {
    columns=$(LC_ALL=C.UTF-8 wc -L <"$2")
    if [ "$columns" -le 80 ]; then ok "$1"; else bad "$1: $columns"; fi
}

# field NAME: a number of the JSON object in the file json
field() {
    sed -n "s/.*\"$1\": \([0-9]*\).*/\1/p" json | head -n 1
}

# Eight layers: what they keep can be run again.
cp "$root/tests/program/deep.snug" .
lenet=$digits/lenet.legacy.onnx
mlp=$digits/mlp.legacy.dyn.onnx

# ---- text
for model in "$lenet" "$digits/mlp.legacy.onnx" deep.snug; do
    LC_ALL=C.UTF-8 "$snug" plan "$model" >utf8
    LC_ALL=C "$snug" plan "$model" >ascii
    narrow "text within 80 columns: ${model##*/}" utf8
    says "memory over the step: ${model##*/}" '▁\|▂\|▃\|▄\|▅\|▆\|▇\|█' utf8
    if LC_ALL=C grep -q '[^ -~]' ascii; then
        bad "plain text in a plain locale: ${model##*/}"
    else
        ok "plain text in a plain locale: ${model##*/}"
    fi
    valid "plan --json: ${model##*/}" plan "$snug" plan "$model" --json
    valid "pareto --json: ${model##*/}" pareto \
        "$snug" plan "$model" --pareto --json
    # The least budget that is said is met; a budget that was refused is not,
    # where nothing is cut into parts.
    least=$(field least_budget)
    check "the least budget is met: ${model##*/}" \
        "$snug" plan "$model" --memory "$least" -o under
    says "its budget: ${model##*/}" "^budget .* $least bytes" under
    refuse "what was refused is refused: ${model##*/}" 3 "hint: " \
        "$snug" plan "$model" --memory "$(field refused)" \
        --set chunk.parts=1 --set chunk.blocks=1 --set chunk.batch=1
    valid "inspect --json: ${model##*/}" inspect "$snug" inspect "$model" --json
    check "trace: ${model##*/}" "$snug" plan "$model" --trace trace.json \
        --dot plan.dot -o text
    valid "trace: its form: ${model##*/}" trace cat trace.json
    if command -v dot >/dev/null; then
        check "dot: ${model##*/}" dot -Tdot plan.dot -o drawn.dot
    fi
    "$snug" compile "$model" --emit plan -o plan.snug
    "$snug" compile "$model" --emit plan -o under.snug --memory "$least"
    valid "plan diff --json: ${model##*/}" plan_diff \
        "$snug" plan diff plan.snug under.snug --json
    says "it differs: ${model##*/}" '"same": false' json
    valid "plan diff --json of the same: ${model##*/}" plan_diff \
        "$snug" plan diff plan.snug plan.snug --json
    says "it does not: ${model##*/}" '"same": true' json
done
command -v dot >/dev/null || echo "not run: drawings: no dot here"

# ---- a refusal of a deep net names what the best of all cuts takes, also where
# the one with the lowest bound takes more than none
awk 'BEGIN {
    print "snug 1 stage=model\nmodule \"residual\""
    for (i = 0; i < 20; i++)
        print "param %w" i " : f32[16,16] = random " i + 1 " 0.1"
    print "graph forward {\ninput %x0 : f32[64,16]"
    for (i = 0; i < 20; i++) {
        print "f %p" i " = contract %x" i ", %w" i \
            " labels=\"mk,kn->mn\" split=1 : f32[64,16]"
        print "f %t" i " = tanh %p" i " : f32[64,16]"
        print "f %x" i + 1 " = add %x" i ", %t" i " : f32[64,16]"
    }
    print "output %x20\n}"
}' >residual.snug
names() { # OPTION...: the budget that a refusal names
    "$plain/snug" plan residual.snug --loss mse --memory 10000 "$@" 2>&1 |
        sed -n 's/^hint: --memory \([0-9]*\) would fit.*/\1/p'
}
least=$(names)
uncut=$(names --set chunk.parts=1 --set chunk.classes=1 --set chunk.blocks=1 \
    --set chunk.layers=1 --set chunk.batch=1)
if [ "${least:-0}" -gt 0 ] && [ "$least" -le "$uncut" ]; then
    ok "a refusal names no more than fits uncut"
else
    bad "a refusal names no more than fits uncut: $least, $uncut"
fi
check "what it names fits" "$plain/snug" plan residual.snug --loss mse \
    --memory "$least" -o under
valid "ops --json" ops "$snug" ops --json

# ---- the trace: slices follow one another, and their sum is the prediction
"$snug" plan "$lenet" --trace trace.json --json -o json
awk '
/"process_name"/ { main = /"train"/ }
main && /"ph": "X"/ {
    match($0, /"ts": [0-9.]+/); ts = substr($0, RSTART + 6, RLENGTH - 6)
    match($0, /"dur": [0-9.]+/); dur = substr($0, RSTART + 7, RLENGTH - 7)
    if (ts - end > 0.01 || end - ts > 0.01) print "gap at " ts
    end = ts + dur
}
END { print end }' trace.json >sum
seconds=$(sed -n 's/.*"seconds_predicted": \([0-9.e+-]*\).*/\1/p' json)
if [ "$(wc -l <sum)" = 1 ] && awk -v s="$seconds" '
    { d = $1 - 1e6 * s; exit !(d < 0.5 && d > -0.5) }' sum; then
    ok "trace: slices one after another, as long as predicted"
else
    bad "trace: slices: $(head -n 2 sum) beside $seconds s"
fi

# ---- the ladder on a page
"$snug" plan deep.snug --pareto --html ladder.html >text
narrow "pareto within 80 columns" text
says "pareto: the least budget" '^least budget that works: --memory ' text
rungs=$(grep -c '\.[0-9]* ms ' text)
pages=$(grep -o '{"model":' ladder.html | wc -l)
if [ "$rungs" = "$pages" ] && [ "$rungs" -ge 2 ]; then
    ok "pareto: a plan on the page for each row"
else
    bad "pareto: $rungs rows, $pages plans on the page"
fi
# Less bytes, more seconds, from row to row: columns from the right.
if grep '\.[0-9]* ms ' text | awk '
    { sub(/^ *none/, " 0 B") }
    NR > 1 && ($5 + 0 >= bytes || $6 + 0 < ms) { exit 1 }
    { bytes = $5 + 0; ms = $6 + 0 }'; then
    ok "pareto: less bytes, more seconds"
else
    bad "pareto: less bytes, more seconds"
    cat text
fi
refuse "pareto: not under a budget" 2 "leave --memory out" \
    "$snug" plan deep.snug --pareto --memory 1M
refuse "pareto: not of a plan" 2 "is a plan already" \
    "$snug" plan plan.snug --pareto

# ---- ways to fit
"$snug" plan "$mlp" --dim batch=64 --pareto --json -o json
budget=$(($(field least_budget) * 97 / 100))
valid "suggest --json" suggest "$snug" plan "$mlp" --dim batch=64 --suggest \
    --memory $budget --json
"$snug" plan "$mlp" --dim batch=64 --suggest --memory $budget >text
narrow "suggest within 80 columns" text
for word in 'optimizer sgd' '--precision bf16' '--dim batch='; do
    says "suggest: $word" "$word" text
done
# What it says is so: the first way, typed.
options=$(sed -n 's/^   1 .* %  *//p' text)
case $options in
*--dim*) ;;
"as it is"*) options="--dim batch=64" ;;
*) options="$options --dim batch=64" ;;
esac
# shellcheck disable=SC2086
check "suggest: the first way fits: $options" \
    "$snug" plan "$mlp" --memory $budget $options
valid "suggest: what fits as it is" suggest \
    "$snug" plan "$mlp" --dim batch=64 --suggest --memory 1G --json
says "suggest: nothing changes" '"changes": "nothing"' json
refuse "suggest: nothing fits" 3 "does not fit" \
    "$snug" plan "$mlp" --dim batch=64 --suggest --memory 1000
check "suggest: beside a method" "$snug" plan "$mlp" --dim batch=64 --suggest \
    --memory 1G --method "chunk parts=2; recompute policy=sqrt"
refuse "suggest: of no budget" 2 "give --memory" "$snug" plan "$mlp" --suggest
refuse "a refusal names it" 3 "with --suggest" \
    "$snug" plan "$mlp" --dim batch=64 --memory 1000

# ---- what was tried is what is planned: no plan is slower than the fastest try
# that fits by more than a proof is worth, or refused where one does; deep.snug
# is a step, lenet a model.
for model in deep.snug "$lenet"; do
    "$plain/snug" plan "$model" --set recompute.spare=0 --json -o json
    peak=$(field peak)
    fits=0
    for share in 95 90 80 70 60 50; do
        "$plain/snug" plan "$model" --memory $((peak * share / 100)) \
            --json --log=chunk -o json 2>log
        status=$?
        tried=$(sed -n 's/.*: fits, \([^ ]*\) s.*/\1/p' log | sort -g | head -n 1)
        [ -n "$tried" ] || continue
        fits=$((fits + 1))
        planned=$(sed -n 's/.*"seconds_predicted": \([0-9.e+-]*\).*/\1/p' json)
        [ $status = 0 ] && awk -v a="$planned" -v b="$tried" \
            'BEGIN { exit !(a <= b * 1.00101) }' ||
            bad "as tried: ${model##*/} $share: status $status, $planned, $tried"
    done
    if [ $fits -ge 1 ]; then ok "as tried: ${model##*/}"; else
        bad "as tried: ${model##*/}: nothing fits"
    fi
done

# ---- a layer of one position cannot be cut along the sequence, and says so
sed 's/f32\[64,64\]/f32[64,8]/
s/f32\[64,8,8\]$/f32[64,1,8]/
s/\[64,8,\(16\|32\)\]/[64,1,\1]/
s/\[64,8,\([24]\),8\]/[64,1,\1,8]/
s/\[64,\([24]\),8,8\]/[64,\1,1,8]/
s/f32\[64,4,8\]$/f32[64,4,1]/' "$root/tests/program/attention.snug" >one.snug
valid "a layer stays whole" plan "$snug" plan one.snug --set chunk.layers=4 \
    --json --log=chunk
says "a layer stays whole: decided" '"its layer stays whole: ' json
says "a layer stays whole: told" 'train: the layer of y stays whole' err
"$snug" plan one.snug --memory 120000 --log=chunk >text 2>err
check "a layer stays whole: but not in plans that are tried" \
    test "$(grep -c 'stays whole' err)" -eq 0
says "a layer stays whole: in parts it was tried" 'chunk. blocks=' err

# ---- the story of a tensor
"$snug" compile deep.snug --emit plan -o deep.plan.snug
for tensor in x0 w x1 x5 g7 w1 loss %x3; do
    valid "explain --json $tensor" explain \
        "$snug" explain deep.plan.snug "$tensor" --json
    "$snug" explain deep.plan.snug "$tensor" >text
    says "explain $tensor" "${tensor#%}" text
done
refuse "explain: did you mean" 1 "did you mean 'loss'" \
    "$snug" explain deep.plan.snug losss
refuse "explain: no such tensor" 1 "is named 'nothing.like.it'" \
    "$snug" explain deep.plan.snug nothing.like.it
check "explain of a model" "$snug" explain "$lenet" input

# ---- the checker's word
valid "plan check --json" plan_check "$snug" plan check deep.plan.snug --json
says "a plan that holds" '"holds": true' json
sed 's/^meta peak=.*/meta peak="64"/' deep.plan.snug >wrong.snug
valid "plan check --json of a wrong one" plan_check \
    "$snug" plan check wrong.snug --json
says "a plan that does not" '"holds": false' json
says "and why" 'peak' json

# ---- names and numbers that nobody means well
cat >names.snug <<'E'
snug 1 stage=model
module "</script>"
param %"a\"b\\c" : f32[16,4] = 1
graph forward {
input %"<!--" : f32[8,16]
f %"{\"x\":1}" = contract %"<!--", %"a\"b\\c" labels="mk,kn->mn" split=1 : f32[8,4] from "\"];\n}" MatMul
output %"{\"x\":1}"
}
E
valid "names: plan" plan "$snug" plan names.snug --trace names.trace \
    --dot names.dot --json
valid "names: trace" trace cat names.trace
valid "names: explain" explain "$snug" explain names.snug 'a"b\c' --json
valid "names: inspect" inspect "$snug" inspect names.snug --json
"$snug" compile names.snug --emit plan -o names.plan.snug
valid "names: diff" plan_diff \
    "$snug" plan diff names.plan.snug deep.plan.snug --json
if [ "$(grep -c '^}$' names.dot)" = 1 ] && grep -q '\\"];' names.dot; then
    ok "names: drawing"
else
    bad "names: drawing"
fi
for budget in 99999999999999999999 -5 1e5; do
    sed "s/^meta peak=.*/&\\nmeta budget=\"$budget\"/" deep.plan.snug >wrong.snug
    "$snug" plan wrong.snug --json >wrong.json 2>err
    case $? in
    0) valid "a budget of $budget in a plan" plan cat wrong.json ;;
    1) says "a budget of $budget in a plan" 'is not sound' err ;;
    *) bad "a budget of $budget in a plan: $(cat err)" ;;
    esac
done
