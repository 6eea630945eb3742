#!/bin/sh
# method.sh: every method by name compiles on a model of its class and keeps what
# docs/methods.md says of it: the bits of the weights, or the loss of the first
# step and a loss near the exact one.
. "$(dirname "$0")/../program_lib.sh"

gpt=examples/gpt/gpt.onnx lenet=examples/digits/lenet.legacy.onnx
cat ./*.md docs/*.md | od -An -v -tu1 -w1 | head -n 24000 | awk '
    { byte[n++] = $1 + 0 }
    END {
        for (at = 0; at + 64 < n; at += 64) {
            row = byte[at]
            for (k = 1; k < 64; k++) row = row "," byte[at + k]
            for (k = 1; k <= 64; k++) row = row "," byte[at + k]
            print row
        }
    }' >"$work/text.csv"

# trained MODEL DATA STEPS OPTIONS...: weights and losses of a program
trained() {
    model=$1 data=$2 steps=$3
    shift 3
    rm -f "$work/w.safetensors" "$work/log.jsonl"
    "$plain/snug" compile "$model" -o "$work/train" --quiet "$@" &&
        "$work/train" --data "$data" --steps "$steps" --seed 3 --quiet --spill "$work" \
            --save "$work/w.safetensors" --log "$work/log.jsonl" >/dev/null
}

loss_at() { # step
    sed -n "$1"'s/.*"loss":\([^,}]*\).*/\1/p' "$work/log.jsonl"
}

digest() {
    sha256sum <"$work/w.safetensors" | cut -c1-64
}

arena() { # bytes of it, which are those of the plan
    sed -n 's/.*"arena_bytes":\([0-9]*\).*/\1/p' "$work/log.jsonl" | tail -n 1
}

# exact MODEL DATA STEPS OPTIONS...: what it is held against, trained once:
# $want weights, $before bytes, $first and $last loss
exact() {
    told=$work/exact.$(echo "$*" | tr -c 'A-Za-z0-9\n' _)
    if [ ! -f "$told" ]; then
        trained "$@"
        echo "want=$(digest) before=$(arena) first=$(loss_at 1)" \
            "last=$(loss_at "$3")" >"$told"
    fi
    . "$told"
}

# same_bits NAME MODEL DATA SHARE [OPTIONS...]: weights as without it, in SHARE %
# of the bytes
same_bits() {
    method=$1 net=$2 from=$3 share=$4
    shift 4
    exact "$net" "$from" 12
    trained "$net" "$from" 12 --method "$method" "$@"
    got=$(digest) after=$(arena)
    if [ "$want" = "$got" ] && [ $((after * 100)) -le $((before * share)) ]; then
        ok "$method: the same bits, $before bytes in $after"
    else
        bad "$method: $before bytes in $after, weights $want and $got"
    fi
}

# near NAME SHARE [MODEL DATA]: the first loss as without it, the last within 2 %
near() {
    net=${3:-$gpt} from=${4:-$work/text.csv}
    exact "$net" "$from" 40 --set lr=3e-3
    trained "$net" "$from" 40 --set lr=3e-3 --method "$1"
    after=$(arena)
    if [ "$first" = "$(loss_at 1)" ] &&
        [ $((after * 100)) -le $((before * $2)) ] &&
        echo "$last $(loss_at 40)" |
        awk '{ d = ($1 - $2) / $1; exit !(d < 0.02 && d > -0.02) }'; then
        ok "$1: loss $(loss_at 40), exactly $last, $before bytes in $after"
    else
        bad "$1: loss $(loss_at 40), exactly $last, $before bytes in $after"
    fi
}

# close_by NAME SHARE: each of 12 losses within 1e-5 of those without it
close_by() {
    trained $gpt "$work/text.csv" 12
    before=$(arena)
    grep '"step"' "$work/log.jsonl" >"$work/whole.jsonl"
    trained $gpt "$work/text.csv" 12 --method "$1"
    after=$(arena)
    if [ $((after * 100)) -le $((before * $2)) ] &&
        grep '"step"' "$work/log.jsonl" | paste "$work/whole.jsonl" - |
        sed 's/.*"loss":\([^,}]*\).*"loss":\([^,}]*\).*/\1 \2/' |
            awk '{ d = ($1 - $2) / $1; n++; if (d > 1e-5 || d < -1e-5) bad++ }
                 END { exit !(n >= 12 && !bad) }'; then
        ok "$1: 12 losses within 1e-5, $before bytes in $after"
    else
        bad "$1: 12 losses, $before bytes in $after"
    fi
}

# learns NAME MODEL DATA SHARE STEPS: the loss falls, in SHARE % of the bytes
learns() {
    exact "$2" "$3" "$5"
    trained "$2" "$3" "$5" --method "$1"
    after=$(arena)
    if [ $((after * 100)) -le $((before * $4)) ] &&
        echo "$(loss_at 1) $(loss_at "$5")" | awk '{ exit !($2 < $1) }'; then
        ok "$1: loss $(loss_at 1), then $(loss_at "$5"), $before bytes in $after"
    else
        bad "$1: loss $(loss_at 1), then $(loss_at "$5"), $before bytes in $after"
    fi
}

# kept NAME MODEL PERCENT: what is kept of the activations that are coded
kept() {
    "$plain/snug" plan "$2" --method "$1" --json |
        sed -n 's/.*"codec": "[^"]*: \([0-9]*\) bytes of .* in \([0-9]*\)".*/\1 \2/p' \
            >"$work/kept"
    if awk -v most="$3" '{ exit !($1 > 0 && 100 * $2 <= most * $1) }' \
        "$work/kept"; then
        ok "$1 keeps of $(sed 's/ / bytes /' "$work/kept")"
    else
        bad "$1 keeps of $(sed 's/ / bytes /' "$work/kept")"
    fi
}

same_bits mst $gpt "$work/text.csv" 65
same_bits alst $gpt "$work/text.csv" 42 --memory 5000000
same_bits streambp $gpt "$work/text.csv" 40
same_bits microbatch $gpt "$work/text.csv" 42
same_bits sublinear $gpt "$work/text.csv" 55
same_bits sublinear-log $gpt "$work/text.csv" 55
same_bits selective $gpt "$work/text.csv" 97
same_bits mobiletl tests/program/masked.snug "$digits/digits-train.npz" 100
same_bits mrbp tests/program/steps.onnx "$digits/digits-train.npz" 35
same_bits mrbp tests/program/denoise.onnx "$digits/digits-train.npz" 53
learns tbptt tests/program/steps.onnx "$digits/digits-train.npz" 60 60
learns sltt tests/program/steps.onnx "$digits/digits-train.npz" 35 60
learns slttk tests/program/steps.onnx "$digits/digits-train.npz" 35 60
learns slttk tests/program/denoise.onnx "$digits/digits-train.npz" 53 60
learns slttk tests/program/leaky.onnx "$digits/digits-train.npz" 100 60
kept wtacrs $gpt 31
kept "codec op:MatMul.in=proj" $gpt 27
kept frozen4 tests/program/frozen.snug 13
learns frozen4 tests/program/frozen.snug "$digits/digits-train.npz" 80 40
learns wtacrs $gpt "$work/text.csv" 95 40
learns compact $gpt "$work/text.csv" 73 40
close_by cce 94
near mesa 70
near coat 90
near shiftquant 110
near memascend 95
near seco 60
near mcunetv2 65 $lenet "$digits/digits28-train.npz"

near spaco 55
learns lemo $gpt "$work/text.csv" 64 40
learns lomo $gpt "$work/text.csv" 93 40
learns adalomo $gpt "$work/text.csv" 93 40

# ---- draws: those of the run, whatever the threads and however often it stops
draws() { # OPTIONS...: weights of 30 steps, as trained last
    "$work/train" --data "$from" --steps 30 --quiet \
        --save "$work/w.safetensors" "$@" >/dev/null
}

# draws_again NAME MODEL DATA
draws_again() {
    method=$1 from=$3
    trained "$2" "$from" 30 --method "$method"
    want=$(digest)
    draws --seed 3 --threads 1
    check "$method: one thread draws the same" test "$want" = "$(digest)"
    rm -rf "$work/run"
    "$work/train" --data "$from" --steps 13 --seed 3 --quiet --every 5 \
        --checkpoint "$work/run" >/dev/null
    draws --seed 3 --checkpoint "$work/run" --resume 2>/dev/null
    check "$method: so does one that goes on after a stop" \
        test "$want" = "$(digest)"
    draws --seed 4
    check "$method: another seed draws others" test "$want" != "$(digest)"
}

draws_again spaco $gpt "$work/text.csv"
draws_again slttk tests/program/leaky.onnx "$digits/digits-train.npz"

# ---- all steps drawn are sltt
trained tests/program/leaky.onnx "$digits/digits-train.npz" 12 --method sltt
want=$(digest) before=$(arena)
trained tests/program/leaky.onnx "$digits/digits-train.npz" 12 \
    --method "cut carry* subset=16"
after=$(arena)
check "all steps drawn: the bits of sltt, $before bytes in $after" \
    test "$want" = "$(digest)" -a $((after * 100)) -le $((before * 101))

# ---- every name
"$plain/snug" help methods >"$work/help"
sed -n 's/^  \([a-z][a-z0-9-]*\) .*/\1/p' "$work/help" >"$work/there"
while read -r name; do
    case $name in
    sltt | slttk | tbptt) model=tests/program/steps.onnx ;;
    lemo | seco | spaco | mst | alst) model=$gpt ;;
    mcunetv2) model=$lenet ;;
    zero-copy) model=tests/program/table.snug ;;
    *) model=tests/program/attention.snug ;;
    esac
    check "$name plans" "$sanitized/snug" plan "$model" \
        --method "$name" -o "$work/plan.txt"
done <"$work/there"

# ---- what is told
"$plain/snug" compile $gpt --method mst --emit plan -o "$work/mst.snug" --quiet
"$sanitized/snug" plan "$work/mst.snug" >"$work/text" &&
    "$sanitized/snug" plan "$work/mst.snug" --json >"$work/json"
check "parts are told" grep -q 'regions in parts' "$work/text"
check "parts are decisions" grep -q \
    '"kind": "chunk", "entry": "train", "id": "/blocks' "$work/json"
"$plain/snug" plan $gpt --suggest --memory 8M >"$work/ways"
check "parts are suggested" grep -q 'set chunk.batch=' "$work/ways"
check "parts of the classes are suggested by name" \
    grep -q '^ *[0-9].*--method cce$' "$work/ways"


# ---- what is joined
planned() { # WORDS OPTIONS...: the plan says so
    words=$1
    shift
    "$sanitized/snug" compile $gpt "$@" --emit plan -o - >"$work/joined"
    grep -q "^meta $words" "$work/joined"
}
check "nodes of a batch in parts run again" "$plain/snug" plan $gpt --quiet \
    --method microbatch --memory 4300000
check "codecs of two methods" planned 'codec="state=bf16 saved=u8(' \
    --method memascend --method mesa
check "a method's rate beside another number" planned 'lr="0.5"' \
    --method "rule adamw lr=0.5" --set wd=0.2
check "another rate than a method's" planned 'lr="0.1"' \
    --method "rule adamw lr=0.5" --set lr=0.1

# ---- what the batch does not allow
cat >"$work/one.snug" <<'end'
snug 1 stage=model
module "one"
param %w : f32[10,64] = random 1 0.2
graph forward {
input %input : f32[1,64]
f %logits = contract %input, %w labels="bk,nk->bn" split=1 : f32[1,10]
output %logits
}
end
cat >"$work/mixed.snug" <<'end'
snug 1 stage=model
module "mixed"
param %w : f32[10,64] = random 1 0.2
param %v : f32[64,64] = random 2 0.2
graph forward {
input %input : f32[64,64]
f %x = contract %input, %v labels="bk,nk->bn" split=1 : f32[64,64]
f %sum = reduce %x op="sum" axes=[0] : f32[1,64]
f %y = sub %x, %sum : f32[64,64]
f %logits = contract %y, %w labels="bk,nk->bn" split=1 : f32[64,10]
output %logits
}
end
cat >"$work/meet.snug" <<'end'
snug 1 stage=model
module "meet"
param %w : f32[32,64] = random 1 0.2
graph forward {
input %input : f32[32,64]
f %x = contract %input, %w labels="bk,nk->bn" split=1 : f32[32,32]
f %sum = reduce %x op="sum" axes=[0] : f32[1,32]
f %logits = sub %x, %sum : f32[32,32]
output %logits
}
end
cat >"$work/moved.snug" <<'end'
snug 1 stage=model
module "moved"
param %w : f32[10,64] = random 1 0.2
param %v : f32[64,64] = random 2 0.2
graph forward {
input %input : f32[16,32,64]
f %steps = transpose %input perm=[1,0,2] : f32[32,16,64]
f %x = contract %steps, %v labels="tbk,nk->tbn" split=1 : f32[32,16,64]
f %y = tanh %x : f32[32,16,64]
f %last = slice %y starts=[31,0,0] steps=[1,1,1] : f32[1,16,64]
f %z = view %last : f32[16,64]
f %logits = contract %z, %w labels="bk,nk->bn" split=1 : f32[16,10]
output %logits
}
end
refuse "parts of one sample" 1 "has one sample" "$sanitized/snug" plan \
    "$work/one.snug" --method microbatch
refuse "samples taken together" 1 "takes the samples together" \
    "$sanitized/snug" plan "$work/mixed.snug" --method microbatch
refuse "samples that move from the first axis" 1 "sample by sample" \
    "$sanitized/snug" plan "$work/moved.snug" --method microbatch
for name in mst streambp alst; do
    refuse "$name where samples meet" 1 "train has nothing to run in parts" \
        "$sanitized/snug" plan "$work/meet.snug" --method $name
done
refuse "patches where a norm sees the batch" 1 "more than a patch" \
    "$sanitized/snug" plan tests/reference/convnet.onnx --method mcunetv2
refuse "patches to a value that is not there" 1 "'nobody' is no value" \
    "$sanitized/snug" plan $lenet \
    --method "chunk region=patches parts=2 end=nobody"
refuse "patches that are no number" 2 "cannot be 'few'" "$sanitized/snug" plan \
    $lenet --method "chunk region=patches parts=few"
refuse "tokens where nothing attends" 1 "no layers of a transformer" \
    "$sanitized/snug" plan $lenet --method lemo
refuse "more tokens than there are" 2 "above 0 and at most 1" \
    "$sanitized/snug" plan $gpt --method "chunk region=tokens keep=2"
refuse "parts of parts" 2 "not cut any further" "$sanitized/snug" plan \
    $gpt --method "microbatch; chunk parts=2"
refuse "two policies" 2 "recompute.policy=sqrt and recompute.policy=list" \
    "$sanitized/snug" plan $gpt --method sublinear --method selective
refuse "two rules" 2 "optimizer.rule=lomo and optimizer.rule=adalomo" \
    "$sanitized/snug" plan $gpt --method "lomo; adalomo"
refuse "a rule beside another" 2 "--method asks for the rule lomo" \
    "$sanitized/snug" plan $gpt --method lomo --optimizer sgd
refuse "two codecs of one selector" 2 "saved=bf16 and saved=i8" \
    "$sanitized/snug" plan $gpt --method "codec saved=bf16; codec saved=i8"
refuse "parts that are no number" 2 "chunk: batch=many" "$sanitized/snug" plan \
    $gpt --method "chunk region=batch parts=many"
refuse "parts past 64 bits" 2 "from 1 to" "$sanitized/snug" plan $gpt \
    --method "chunk region=blocks parts=99999999999999999999"
refuse "steps drawn that are no number" 2 "cannot be 'few'" \
    "$sanitized/snug" plan tests/program/leaky.onnx \
    --method "cut carry* subset=few"
refuse "steps drawn of a model without a loop" 1 "no value is named" \
    "$sanitized/snug" plan $lenet --method slttk
refuse "a region of another name" 2 "no method or mechanism" \
    "$sanitized/snug" plan $gpt --method "chunk region=tail parts=2"
