#!/bin/sh
# python.sh: the module that --emit so writes beside the library, with numpy;
# python/snug.py, with torch. $PYTHON names the interpreter [python3].
. "$(dirname "$0")/../program_lib.sh"

python=${PYTHON:-python3}
snug=$plain/snug
cd "$work" || exit 1

# ---- without numpy: what is written
check "--emit so writes a module" "$snug" compile \
    "$digits/mlp.legacy.onnx" --emit so -o net.so --quiet
check "it tells what the model takes" grep -q \
    '^#     train("input": f32\[64,64\], "labels": i64\[64\], .* -> ' net_model.py
"$snug" compile "$digits/mlp.legacy.onnx" --emit so -o net.so --quiet ||
    bad "a module is replaced by a module"
echo "print('mine')" >train_model.py
refuse "somebody's script is not replaced" 1 "is not a module that snug made" \
    "$snug" compile "$digits/mlp.legacy.onnx" --emit so -o train.so
check "it is as it was" grep -q mine train_model.py
[ ! -e train.so ] && ok "nor is anything else written" || bad "train.so is there"

# ---- with it
if ! "$python" -c 'import numpy' 2>/dev/null; then
    echo "not run: the module: no numpy for $python"
    exit 0
fi
"$python" - <<'END'
import numpy
draw = numpy.random.default_rng(1)
numpy.savez("rows.npz", input=draw.random((512, 64), numpy.float32),
            labels=draw.integers(0, 10, 512))
END
"$snug" compile "$digits/mlp.legacy.onnx" -o train --quiet || bad "train"
./train --data rows.npz --steps 8 --batch-order sequential --lr 1e-3 --quiet \
    --log log.csv || bad "train on the rows"
tail -n +2 log.csv | cut -d, -f3 >losses
"$python" "$root/tests/python/module.py" . >out 2>&1 || bad "module.py"
cat out
mkdir spill
"$snug" compile "$digits/lenet.legacy.onnx" --emit so -o all.so --quiet &&
    "$snug" compile "$digits/lenet.legacy.onnx" --emit so -o less.so --quiet \
        --memory 3500KiB --spill spill --passes=fold,cse,dce,layout,loss,grad,optimizer,fuse,inplace,workspace,schedule,transfer,place ||
    bad "lenet with --spill"
"$python" "$root/tests/python/spilled.py" . >out 2>&1 || bad "spilled.py"
cat out
check "examples/python learns the digits" sh -c \
    "SNUG='$snug' OUT='$work/digits' PYTHON='$python' \
     '$root/examples/python/run.sh' | grep 'accuracy 9[4-9]'"
sed 's/^ABI = .*/ABI = 0/' net_model.py >other.py
refuse "a module of another interface" 1 "interface version" \
    "$python" -c 'import other'
if ! "$python" -c 'import torch' 2>/dev/null; then
    echo "not run: snug.py: no torch for $python"
    exit 0
fi
SNUG=$snug "$python" "$root/tests/python/trainer.py" >out 2>&1 ||
    bad "trainer.py"
cat out
