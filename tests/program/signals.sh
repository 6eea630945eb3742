#!/bin/sh
# signals.sh: what is interrupted is saved and goes on to the same bits; two
# runs do not share a checkpoint folder; a stopped compiler leaves nothing.
. "$(dirname "$0")/../program_lib.sh"

cd "$work" || exit 1
snug=$plain/snug
data=$digits/digits-train.npz
"$snug" compile "$digits/mlp.legacy.onnx" --quiet -o train || bad "compile"

run() { # STEPS OPTIONS
    steps=$1
    shift
    ./train --data "$data" --steps "$steps" --seed 3 --quiet "$@"
}
digest() {
    sha256sum <"$1" | cut -c1-64
}

# Signals as from a terminal: a shell's background jobs would ignore SIGINT.
interrupt() { # SIGNAL SECONDS COMMAND...: the status of the command
    kind=$1 after=$2
    shift 2
    timeout --preserve-status -s "$kind" "$after" "$@"
}

steps=6000
run $steps --save whole.safetensors || bad "the whole run"
want=$(digest whole.safetensors)
for kind in INT TERM; do
    rm -rf run
    number=130
    [ $kind = TERM ] && number=143
    stopped=0
    i=0
    while [ $i -lt 12 ]; do
        interrupt $kind "0.$((1 + i % 4))5" ./train --data "$data" \
            --steps $steps --seed 3 --quiet --checkpoint run --every 100000 \
            --resume --save parts.safetensors 2>err
        got=$?
        [ $got -eq 0 ] && break
        [ $got -eq $number ] && stopped=$((stopped + 1)) ||
            bad "SIG$kind: status $got, $number expected"
        i=$((i + 1))
    done
    [ $stopped -gt 0 ] && ok "SIG$kind stops with status $number" ||
        bad "SIG$kind: never stopped"
    [ $got -eq 0 ] || run $steps --checkpoint run --resume --every 100000 \
        --save parts.safetensors
    [ "$(digest parts.safetensors)" = "$want" ] &&
        ok "SIG$kind: $stopped stops, the same bits" ||
        bad "SIG$kind: other bits after $stopped stops"
    ls run | grep -q tmp && bad "SIG$kind left a temporary file" ||
        ok "SIG$kind: nothing temporary is left"
done

# ---- two runs on one folder
rm -rf run
./train --data "$data" --steps 100000000 --seed 3 --quiet --checkpoint run \
    --every 50 &
first=$!
tries=0
while [ ! -e run/lock ] && [ $tries -lt 100 ]; do
    sleep 0.05
    tries=$((tries + 1))
done
refuse "a second run in the folder" 1 "process $first trains" \
    ./train --data "$data" --steps 9 --checkpoint run --resume
kill -TERM $first
wait $first
[ $? -eq 143 ] && ok "the first ends by SIGTERM" || bad "the first run's end"
refuse "the folder of another run" 1 "give --resume or another folder" \
    ./train --data "$data" --steps 9 --checkpoint run

# ---- the compiler, stopped at moments
mkdir made tmp
for kind in INT TERM HUP; do
    for after in 0.03 0.08 0.15 0.25; do
        TMPDIR=$work/tmp interrupt $kind $after "$snug" compile \
            "$digits/lenet.legacy.onnx" --quiet -o made/train 2>err
        # a signal after the last rename finds the whole program there
        [ -e made/train ] && made/train --quiet --steps 1 \
            --data "$digits/digits28-train.npz" &&
            rm -f made/train made/train.safetensors
    done
done
check "a stopped compiler leaves nothing" sh -c \
    '[ -z "$(ls -A made tmp | grep -v ":")" ]'
for after in 0.05 0.15 0.25 0.4; do
    TMPDIR=$work/tmp interrupt KILL $after "$snug" compile \
        "$digits/lenet.legacy.onnx" --quiet -o made/train 2>err
done
if [ -e made/train ]; then
    check "kill -9: what stands is whole" made/train --quiet \
        --data "$digits/digits28-train.npz" --steps 1
else
    ok "kill -9: no program stands"
fi

# ---- streams and devices
check "a reader that leaves is no fault" sh -c \
    "'$snug' opt '$digits/lenet.legacy.onnx' --passes=loss,grad | head -n 1"
mknod full c 1 7 2>/dev/null && mknod null c 1 3 2>/dev/null && {
    refuse "full disk: plan" 1 "standard output cannot be written" sh -c \
        "'$snug' plan '$digits/mlp.legacy.onnx' >full"
    refuse "full disk: help" 1 "standard output cannot be written" sh -c \
        "'$snug' help >full"
    refuse "full disk: --emit ir" 1 "full: error E0202: cannot be written: No space" \
        "$snug" compile "$digits/mlp.legacy.onnx" --emit ir -o full
    refuse "a program into a device" 1 "not a regular file" \
        "$snug" compile "$digits/mlp.legacy.onnx" -o null
    "$snug" opt "$digits/mlp.legacy.onnx" -o null
    check "a device stays a device" sh -c '[ -c null ] && [ -c full ]'
}
refuse "closed standard output" 1 "standard output cannot be written" sh -c \
    "'$snug' plan '$digits/mlp.legacy.onnx' --json >&-"
refuse "no compiler in PATH" 1 "install a C compiler" \
    env PATH=/nonexistent "$snug" compile "$digits/mlp.legacy.onnx" -o none
refuse "a compiler that fails" 1 "false' failed" \
    env CC=/bin/false "$snug" compile "$digits/mlp.legacy.onnx" -o none
refuse "TMPDIR that is not there" 1 "/nowhere: error E0202: no temporary file" \
    env TMPDIR=/nowhere "$snug" compile "$digits/mlp.legacy.onnx" -o none
check "CC with arguments" env CC="cc -O1" "$snug" compile \
    "$digits/mlp.legacy.onnx" --quiet -o withwords
check "refusals left nothing" sh -c '[ ! -e none ] && [ ! -e none.safetensors ]'
