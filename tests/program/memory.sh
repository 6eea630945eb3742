#!/bin/sh
# memory.sh: what the compiled programs take, measured: arena, resident memory,
# allocations, libraries, size.
. "$(dirname "$0")/../program_lib.sh"

cc -shared -fPIC -D_GNU_SOURCE -O1 -o "$work/count.so" \
    tests/program/count_allocations.c -ldl || bad "the counter builds"

field() { # NAME: a number of the summary, the last line of the log
    tail -n 1 "$work/log.jsonl" | sed -n "s/.*\"$1\": *\([0-9]*\).*/\1/p"
}

allocations() { # STEPS
    COUNT_TO=$work/count LD_PRELOAD=$work/count.so "$work/train" \
        --data "$data" --steps "$1" --threads 2 --quiet &&
        cat "$work/count"
}

for model in mlp lenet; do
    data=$digits/digits-train.npz
    [ $model = lenet ] && data=$digits/digits28-train.npz
    "$plain/snug" compile "$digits/$model.legacy.onnx" -o "$work/train" \
        2>"$work/told" || bad "$model compiles"
    planned=$(sed -n 's/^peak.*(\([0-9]*\) bytes)/\1/p' "$work/told")
    "$work/train" --data "$data" --steps 200 --threads 2 --quiet \
        --log "$work/log.jsonl" || bad "$model trains"
    measured=$(field arena_bytes)
    if [ -n "$planned" ] && [ "$planned" = "$measured" ]; then
        ok "$model: planned arena $planned = measured"
    else
        bad "$model: planned arena '$planned', measured '$measured'"
    fi
    weights=$(stat -c %s "$work/train.safetensors")
    rss=$(field peak_rss_bytes)
    limit=$((planned + weights + 6 * 1024 * 1024))
    if [ "$rss" -le $limit ]; then
        ok "$model: peak RSS $rss <= $limit, $((limit - rss)) to spare"
    else
        bad "$model: peak RSS $rss > $limit"
    fi
    few=$(allocations 2)
    many=$(allocations 500)
    if [ -n "$few" ] && [ "$few" = "$many" ]; then
        ok "$model: $few allocations in 2 steps and in 500"
    else
        bad "$model: '$few' allocations in 2 steps, '$many' in 500"
    fi
    others=$(ldd "$work/train" | grep -v 'linux-vdso\|ld-linux\|libc\.so\|libm\.so')
    if [ -z "$others" ]; then ok "$model: libc and libm only"; else
        bad "$model: links $others"
    fi
    size=$(stat -c %s "$work/train")
    if [ "$size" -lt 1048576 ]; then ok "$model: program of $size bytes"; else
        bad "$model: program of $size bytes"
    fi
    # obeyed to the byte: the peak itself fits; one byte less does not, or
    # something is run again for it; nothing fits below the bound
    check "$model: --memory $planned is enough" "$plain/snug" compile \
        "$digits/$model.legacy.onnx" --memory "$planned" -o "$work/exact"
    "$plain/snug" compile "$digits/$model.legacy.onnx" \
        --memory $((planned - 1)) -o "$work/less" 2>"$work/told"
    status=$?
    less=$(sed -n 's/^peak.*(\([0-9]*\) bytes)/\1/p' "$work/told")
    if [ $status -eq 3 ] || { [ $status -eq 0 ] && [ "$less" -lt "$planned" ]; }
    then
        ok "$model: one byte less is obeyed or refused"
    else
        bad "$model: one byte less: status $status, peak '$less'"
    fi
    bound=$("$plain/snug" plan "$digits/$model.legacy.onnx" --memory 1 2>&1 |
        sed -n 's/.*comes on top: \([0-9]*\) bytes/\1/p')
    refuse "$model: below the bound $bound is refused" 3 "no plan" \
        "$plain/snug" compile "$digits/$model.legacy.onnx" \
        --memory $((bound - 1)) -o "$work/never"
done
