#!/bin/sh
# tables.sh: embeddings that are updated by the rows that a step names: the
# weights after 12 steps have the sha256 of those that are updated whole, for 1
# and 2 threads and under methods that touch the same bytes, in less memory.
. "$(dirname "$0")/../program_lib.sh"

model=tests/program/tables.onnx

# Five words a line, many of them often, some negative or out of range.
awk 'BEGIN {
    for (row = 0; row < 96; row++) {
        line = row % 4
        for (k = 0; k < 5; k++) {
            word = (row * row * 31 + k * k * 17) % 23
            if (k == 3) word = (row * 37) % 900 - 150
            line = line "," word
        }
        print line
    }
}' | awk -F, '{ print $2 "," $3 "," $4 "," $5 "," $6 "," $1 }' >"$work/d.csv"

# trained THREADS OPTIONS...: the digest of the weights, and the arena's bytes
trained() {
    threads=$1
    shift
    "$plain/snug" compile "$model" -o "$work/train" --quiet \
        --set sparse.least=0 "$@" >"$work/out" 2>&1 &&
        "$work/train" --data "$work/d.csv" --steps 12 --seed 3 --quiet \
            --threads "$threads" --spill "$work" \
            --save "$work/w.safetensors" --log "$work/log.jsonl" \
            >"$work/out" 2>&1 || cat "$work/out" >&2
    got=$(sha256sum <"$work/w.safetensors" | cut -c1-64)
    bytes=$(sed -n 's/.*"arena_bytes":\([0-9]*\).*/\1/p' "$work/log.jsonl" |
        tail -n 1)
    rm -f "$work/w.safetensors"
}

# same NAME LESS OPTIONS...: the bits of $want, in less than LESS bytes
same() {
    name=$1 less=$2
    shift 2
    trained "$@"
    if [ "$got" != "$want" ]; then
        bad "$name: $got instead of $want"
    elif [ "$bytes" -ge "$less" ]; then
        bad "$name: $bytes bytes, not less than $less"
    else
        ok "$name"
    fi
}

for rule in "sgd --set mu=0" adagrad lomo; do
    # The rule's options are words of their own.
    set -- --optimizer $rule
    trained 1 "$@" --set sparse.most=0
    want=$got whole=$bytes rows="--set sparse.most=1"
    same "$rule, 1 thread" "$whole" 1 "$@" $rows
    same "$rule, 2 threads" "$whole" 2 "$@" $rows
    same "$rule, batch in parts" "$whole" 2 "$@" $rows --method microbatch
    same "$rule, no memory pass" "$whole" 2 "$@" $rows --passes plain
done

trained 1 --optimizer adagrad --set sparse.most=0 --method zero-offload
whole=$bytes
set -- --optimizer adagrad --set sparse.most=1
trained 1 --optimizer adagrad --set sparse.most=0
want=$got
same "adagrad, states in host memory" "$whole" 2 "$@" --method zero-offload

for rule in adagrad adamw; do
    "$plain/snug" plan "$model" --optimizer $rule --set sparse.most=9 \
        --set sparse.least=0 --print-after=sparse >"$work/$rule" 2>&1
done
if grep -q 'op="set"' "$work/adagrad" && grep -q scatter "$work/adamw" &&
    ! grep -q 'op="set"' "$work/adamw"; then
    ok "adamw moves every row"
else
    bad "adamw moves every row"
fi
