#!/bin/sh
# transfers.sh: methods that keep something beside the arena, and a budget that
# is met by transfers, end in the bits of the program without them; what cannot
# be is refused with words.
. "$(dirname "$0")/../program_lib.sh"

cd "$work" || exit 1
snug=$plain/snug
model=$digits/mlp.legacy.onnx

train() { # PROGRAM
    "./$1" --data "$digits/digits-train.npz" --steps 40 --seed 3 --quiet \
        --save trained >err 2>&1 || bad "$1 trains: $(cat err)"
    sha256sum <trained | cut -c1-64
}

# refused NAME TEXT COMMAND...
refused() {
    name=$1 text=$2
    shift 2
    if "$@" >err 2>&1; then bad "$name: not refused"; fi
    grep -q "$text" err && ok "$name" || bad "$name: $(cat err)"
}

"$snug" compile "$model" --quiet -o whole || bad "compile"
want=$(train whole)
for method in zero-offload zero-infinity stream-weights \
    "tier class=state to=disk window=0; tier class=param to=host"; do
    "$snug" compile "$model" --quiet --method "$method" -o moved ||
        bad "compile --method $method"
    [ "$(train moved)" = "$want" ] && ok "$method: the same bits" ||
        bad "$method: other bits"
    "$snug" plan "$model" --method "$method" >plan.txt
    check "$method: told" grep -E '^(host|disk) .* out and .* back a step' \
        plan.txt
done

# a step of which nothing runs again: it all has to move
"$snug" opt "$model" --passes=loss,grad,optimizer,fuse -o step.snug
passes=inplace,workspace,schedule,transfer{least=1,host=1MiB},place
"$snug" plan step.snug --passes=inplace,workspace,schedule,place --json \
    >all.json
peak=$(sed -n 's/.*"peak": \([0-9]*\).*/\1/p' all.json)
least=$((peak - 4096))
for method in ssdtrain memo cxl; do
    "$snug" compile "$model" --quiet --method "$method" -o moved ||
        bad "compile --method $method"
    [ "$(train moved)" = "$want" ] && ok "$method: nothing moves that fits" ||
        bad "$method: other bits"
done
"$snug" compile step.snug --memory $least --quiet -o moved \
    --passes="$passes" || bad "compile under a budget"
[ "$(train moved)" = "$want" ] && ok "under a budget: the same bits" ||
    bad "under a budget: other bits"
"$snug" plan step.snug --memory $least --passes="$passes" --json >plan.json
check "the plan tells its transfers" grep -q '"to": "host", "bytes"' plan.json
check "the plan tells its spaces" grep -q '{"name": "host", "bytes"' plan.json
check "what moves is decided" grep -q '"kind": "transfer"' plan.json

refused "a folder that is not there" "there is no such folder" \
    "$snug" plan "$model" --memory 1MiB --spill "$work/none"
refused "a size that is none" "a size of at least 1 byte" \
    "$snug" plan "$model" --memory 1MiB --host-memory much
refused "a tier that is none" "to is host or disk" \
    "$snug" plan "$model" --method "tier class=state to=tape"
refused "a window of saved values" "is planned" \
    "$snug" plan "$model" --method "tier class=saved to=disk window=2"
refused "no kernels of a GPU" "values in the space host" \
    "$snug" compile "$model" --method zero-offload --emit ptx \
    --target cuda:sm_80 -o moved.ptx
