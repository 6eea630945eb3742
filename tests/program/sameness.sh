#!/bin/sh
# sameness.sh: one value of sha256 over the weights after 200 steps, for 1, 2, 3
# and 8 threads, two runs, with and without each memory pass, and after kills at
# random moments with --resume.
. "$(dirname "$0")/../program_lib.sh"

full=fold,cse,dce,loss,grad,optimizer,fold,cse,dce
run() { # program, options: the digest of the weights
    program=$1
    shift
    "$program" --data "$data" --steps 200 --seed 3 --quiet \
        --save "$work/w.safetensors" "$@" >"$work/log" 2>&1 ||
        { cat "$work/log" >&2; echo failed; return; }
    sha256sum <"$work/w.safetensors" | cut -c1-64
}

compile() { # name, passes
    "$plain/snug" compile "$source" --quiet \
        --passes "$2" -o "$work/$1" || echo "compile $1 failed" >&2
}

same() { # name, digest
    if [ "$2" = "$want" ]; then ok "$model $1"; else
        bad "$model $1: $2 instead of $want"
    fi
}

kills() { # kill -9 at random moments, then go on
    rm -rf "$work/run"
    i=0
    while [ $i -lt 20 ]; do
        "$work/train" --data "$data" --steps 200 --seed 3 --quiet \
            --checkpoint "$work/run" --every 7 --resume \
            --save "$work/w.safetensors" >/dev/null 2>&1 &
        pid=$!
        sleep "0.0$(od -An -N2 -tu2 /dev/urandom | tr -d ' ' | cut -c1-2)"
        kill -9 $pid 2>/dev/null
        wait $pid 2>/dev/null
        i=$((i + 1))
    done
    run "$work/train" --checkpoint "$work/run" --every 7 --resume
}

for model in mlp lenet attention; do
    data=$digits/digits-train.npz
    source=$digits/$model.legacy.onnx
    [ $model = attention ] && source=tests/program/attention.snug
    [ $model = lenet ] && data=$digits/digits28-train.npz
    compile train default
    want=$(run "$work/train" --threads 1)
    for threads in 1 2 3 8; do
        same "threads $threads" "$(run "$work/train" --threads $threads)"
    done
    compile nothing "$full,workspace,schedule{states=0},place"
    same "no memory pass" "$(run "$work/nothing")"
    compile nofuse "$full,inplace,workspace,schedule,place"
    same "without fuse" "$(run "$work/nofuse")"
    compile noinplace "$full,fuse,workspace,schedule,place"
    same "without inplace" "$(run "$work/noinplace")"
    compile noorder "$full,fuse,inplace,workspace,schedule{states=0},place"
    same "without schedule" "$(run "$work/noorder")"
    compile nosearch "$full,fuse,inplace,workspace,schedule,place{nodes=0}"
    same "without the search of place" "$(run "$work/nosearch")"
    same "after 20 kills" "$(kills)"
done
