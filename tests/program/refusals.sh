#!/bin/sh
# refusals.sh: bad input of every kind gets one clear line, the right status,
# and leaves no file behind.
. "$(dirname "$0")/../program_lib.sh"

snug=$sanitized/snug
mlp=$digits/mlp.legacy.onnx
cd "$work" || exit 1
export LC_ALL=C

nothing_left() { # after a refusal no output file may stand
    for f in train train.safetensors train.tmp* ./*.tmp-*; do
        [ -e "$f" ] && bad "$1 left $f" && rm -f "$f"
    done
}

model() { # NAME STATUS WORDS FILE [OPTIONS]
    name=$1 status=$2 words=$3 file=$4
    shift 4
    refuse "model: $name" "$status" "$words" "$snug" compile "$file" \
        -o train "$@"
    nothing_left "$name"
}

edit() { # FILE PERL-CODE: a changed copy of the MLP
    perl -0pe "$2" "$mlp" >"$1"
}

# ---- models
model "missing file" 1 "absent.onnx: error E0201: cannot be read: No such file" absent.onnx
mkdir folder.onnx
model "a folder" 1 "folder.onnx: error E0203: is not a regular file" folder.onnx
mkfifo pipe.onnx
model "a FIFO" 1 "pipe.onnx: error E0203: is not a regular file" pipe.onnx
: >empty.onnx
model "an empty file" 1 "empty.onnx: error E0301: is empty" empty.onnx
printf '\211PNG\r\n\032\n0000000000' >image.onnx
model "a PNG" 1 "image.onnx: error E0301: is not an ONNX model" image.onnx
printf '{"model": 1}' >text.onnx
model "JSON" 1 "text.onnx: error E0301: is not an ONNX model" text.onnx
head -c 65536 /dev/zero >zeros.onnx
model "zeros" 1 "zeros.onnx: error E0301: is not an ONNX model" zeros.onnx
head -c 1000 "$mlp" >cut.onnx
model "cut off" 1 "cut.onnx: error E0301: is not an ONNX model: at byte" cut.onnx
head -c 340667 "$mlp" >short.onnx
model "one byte short" 1 "short.onnx: error E0301: is not an ONNX model" short.onnx
printf '\010\010' >bare.onnx
model "no graph" 1 "ends without a graph" bare.onnx
model "wrong ending" 1 "neither .onnx nor .snug" /etc/hostname
edit relo.onnx 's/Relu/Relo/g'
model "unknown operator" 1 "node '/1/Relo' (Relo): this operator is not supported, did you mean Relu" relo.onnx
model "every unknown node is named" 1 "node '/3/Relo'" relo.onnx
edit stft.onnx 's/Relu/STFT/g'
model "operator not there yet" 1 "(STFT): this operator is not supported" stft.onnx
edit alpha.onnx 's/alpha/alphb/'
model "unknown attribute" 1 "attribute 'alphb', which is not known" alpha.onnx
edit dims.onnx 's/\x08\x80\x02\x08\x40/\x08\x80\x02\x08\x41/'
model "weights of another shape" 1 "0.weight" dims.onnx
edit input.onnx 's/\x0a\x05input\x0a/\x0a\x05inpat\x0a/'
model "undefined input" 1 "which nothing before it makes" input.onnx
edit opset.onnx 's/\x42\x02\x10\x11/\x42\x02\x10\x03/; s/\x42\x04\x0a\x00\x10\x11/\x42\x04\x0a\x00\x10\x03/'
model "old opset" 1 "uses opset 3; 7 to 28 are read" opset.onnx
edit irv.onnx 's/^\x08./\x08\x7f/s'
model "future ir_version" 1 "has ir_version 127" irv.onnx
edit nul.onnx 's/logits/lo\x00its/'
model "NUL in a name" 1 "a name holds a NUL byte" nul.onnx
edit esc.onnx 's/Relu/\x1b[1m/g'
refuse "model: escapes stay off the terminal" 1 'x1b\[1m' "$snug" compile esc.onnx -o train
model "no size for a dimension" 1 "axis 0 has no size, it is called 'batch'" "$digits/mlp.legacy.dyn.onnx"
model "unknown dimension" 1 "no input has a dimension of this name" "$mlp" --dim depth=3
model "dimension 0" 2 "NAME=SIZE expected" "$mlp" --dim batch=0
cp "$root/tests/reference/mlp.dynamo.external.onnx" external.onnx
model "external data missing" 1 "cannot be opened below the model's folder" external.onnx

cp "$mlp" good.onnx
"$snug" opt "$mlp" -o good.onnx.snug || bad "opt"

# ---- budgets and options
model "budget too small" 3 "no plan fits in 100.00 KiB" "$mlp" --memory 100KiB
model "budget of one byte less" 3 "would fit" "$mlp" --memory 1MB
model "MB counts by 1000" 3 "no plan fits in 976.56 KiB" "$mlp" --memory 1MB
model "budget 0" 2 "a size of at least 1 byte" "$mlp" --memory 0
model "budget -1" 2 "a size of at least 1 byte" "$mlp" --memory -1
model "budget nan" 2 "a size of at least 1 byte" "$mlp" --memory nan
model "budget 1e30" 2 "1e30: a size below 2^63 bytes" "$mlp" --memory 1e30
model "budget 2^63" 2 "a size below 2^63 bytes" "$mlp" --memory 8388608TiB
model "unknown pass" 2 "foldd" "$mlp" --passes foldd
model "unknown pass option" 2 "nodez" "$mlp" --passes 'place{nodez=1}'
model "passes without a plan" 2 "placed module" "$mlp" --passes fold
model "unknown loss" 2 "hinge" "$mlp" --loss hinge
model "unknown rule" 2 "did you mean .adamw" "$mlp" --optimizer adamv
model "unknown hyper-parameter" 2 "beta1" "$mlp" --set beta1=0.9
model "unknown target" 2 "pdp11" "$mlp" --target pdp11
model "empty output name" 2 "name of the output file is empty" "$mlp" -o ""
model "output is a folder" 1 "it is a folder" "$mlp" -o folder.onnx
model "output is the model" 1 "is the model itself" good.onnx -o good.onnx
model "unknown pass to print after" 2 "there is no pass 'foldd'" "$mlp" --print-after fold,foldd
model "unknown topic" 2 "there is no 'plaice'" "$mlp" --log plaice
model "dimension past 64 bits" 2 "NAME=SIZE expected" "$mlp" --dim batch=99999999999999999999
refuse "eval with an input of no name" 1 "has no input inptu" "$snug" eval good.onnx.snug --input inptu=x.npy
refuse "eval with half an option" 2 "NAME=FILE.npy expected" "$snug" eval good.onnx.snug --input input
refuse "two topics" 2 "one topic expected, 2 given" "$snug" help ops passes
model "unknown emit" 2 "exe, lib, so, obj" "$mlp" --emit elf
model "method" 2 "no method or mechanism 'sublime'" "$mlp" --method sublime
model "no method" 2 "'': no method is named" "$mlp" --method ""
model "no method between the marks" 2 "' ; ': no method is named" "$mlp" \
    --method mst --method " ; "
model "output in no folder" 1 "there is no folder nowhere" "$mlp" \
    -o nowhere/train
refuse "output in no folder, before a model is read" 1 \
    "there is no folder nowhere" "$snug" plan absent.onnx --report nowhere/page
refuse "no verb" 2 "there is no verb 'compil', did you mean 'compile'" "$snug" compil
refuse "no option" 2 "there is no option --memroy, did you mean '--memory'" "$snug" compile "$mlp" --memroy=1
refuse "option wants a value" 2 "wants SIZE" "$snug" compile "$mlp" --memory
refuse "no file" 2 "1 file expected, 0 given" "$snug" compile
refuse "no topic" 2 "no topic 'foo'" "$snug" help foo

# ---- rules
printf 'rule r\n  hyper lr=1\n  w = w - lr*q\nend\n' >name.rule
model "rule with an unknown name" 1 "name.rule:3" "$mlp" --optimizer name.rule
printf 'rule r\n  w = w - \nend\n' >syntax.rule
model "rule with a syntax error" 1 "syntax.rule:2" "$mlp" --optimizer syntax.rule
printf 'rule r\n  hyper lr=1\n  state m : like w\n  m = g\nend\n' >now.rule
model "rule that leaves w" 1 "now.rule" "$mlp" --optimizer now.rule

# ---- textual IR
"$snug" compile "$mlp" --emit plan -o good.snug --quiet 2>/dev/null || bad "plan"
text() { # NAME STATUS WORDS SED-COMMAND
    sed "$4" good.snug >bad.snug
    refuse "text: $1" "$2" "$3" "$snug" plan check bad.snug
}
text "unknown op" 1 "bad.snug:" 's/ = relu / = rilu /'
text "undefined value" 1 "bad.snug:" 's/relu %[^ ]*/relu %nothing/'
text "wrong type" 1 "bad.snug" 's/: f32\[64,10\] @/: f32[64,11] @/'
text "overlap" 1 "overlap\|share\|space" 's/@dev+[0-9]*/@dev+0/g'
text "outside the space" 1 "outside\|space\|beyond" 's/^space dev size=[0-9]*/space dev size=64/'
text "unknown stage" 1 "stage" '1s/stage=placed/stage=done/'
text "another version" 1 "version\|snug 1" '1s/snug 1/snug 9/'
text "cut in the middle" 1 "bad.snug" '20,$d'
printf 'hello\n' >hello.snug
refuse "text: not IR" 1 "hello.snug:1" "$snug" opt hello.snug
refuse "eval without inputs" 1 "is not given" "$snug" eval good.snug
cp "$mlp" x.npy
refuse "eval with a bad npy" 1 "is not an .npy file" "$snug" eval good.snug --entry forward --input input=x.npy
printf 'id,lower\n1,2\n' >t.csv
refuse "pack without columns" 1 "must name the columns" "$snug" pack t.csv
printf 'id,lower,upper,size\na,0,5,100\nb,3,2,7\n' >t.csv
refuse "pack with a wrong row" 1 "t.csv:3" "$snug" pack t.csv
printf 'id,lower,upper,size\na,0,5,100\nb,3,9,7\n' >t.csv
refuse "pack below nothing" 2 "--capacity 0: a size of at least 1 byte" "$snug" pack t.csv --capacity 0
refuse "pack that cannot fit" 3 "nothing fits below 50" "$snug" pack t.csv --capacity 50
