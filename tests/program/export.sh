#!/bin/sh
# export.sh: the trained model as ONNX: it compiles again, with the weights that
# were saved, and says the same; ONNX Runtime, where it is there, agrees.
. "$(dirname "$0")/../program_lib.sh"

cd "$work" || exit 1
snug=$plain/snug

tensors() { # FILE: the bytes after the head of a safetensors file
    head=$(od -An -N8 -tu8 "$1" | tr -d ' ')
    tail -c "+$((head + 9))" "$1" | sha256sum
}

# The first row of a module's outputs by the interpreter, to 9 digits.
outputs() { # MODEL.onnx WEIGHTS INPUT.npy
    "$snug" opt "$1" -o forward.snug &&
        "$snug" eval forward.snug --entry forward --input "input=$3"
}

images() { # SHAPE FILE: an input made by formula
    cat >images.snug <<-END
	snug 1 stage=model
	module "images"
	graph forward {
	f %i = iota axis=0 : f64[$1]
	f %j = iota axis=1 : f64[$1]
	f %input = map %i, %j "(5*a+3*b-17*floor((5*a+3*b)/17))/16" : f32[$1]
	output %input
	}
	END
    "$snug" eval images.snug -o "$2" || bad "images"
}
images 64,64 mlp.npy
images 64,1,28,28 lenet.npy

for model in mlp.legacy lenet.legacy mlp.dynamo lenet.dynamo \
    mlp.dynamo.external lenet.dynamo.external; do
    kind=${model%%.*}
    path=$digits/$model.onnx
    [ -f "$path" ] || path=$root/tests/reference/$model.onnx
    data=$digits/digits-train.npz
    [ "$kind" = lenet ] && data=$digits/digits28-train.npz
    "$snug" compile "$path" --quiet -o train || bad "$model"
    ./train --data "$data" --steps 30 --seed 2 --quiet \
        --save saved.safetensors --export-onnx trained.onnx ||
        bad "$model: trains"
    check "$model: the export is read" "$snug" inspect trained.onnx
    check "$model: the export compiles" "$snug" compile trained.onnx --quiet \
        -o again
    check "$model: the export trains on" ./again --data "$data" --steps 2 \
        --quiet
    # Order of tensors is the model's in both.
    if [ "$(tensors saved.safetensors)" = "$(tensors again.safetensors)" ]; then
        ok "$model: the export has the saved weights"
    else
        bad "$model: the export has other weights than those saved"
    fi
    ./train --data "$data" --steps 3 --load saved.safetensors --quiet \
        --log loaded.csv
    ./again --data "$data" --steps 3 --quiet --log again.csv
    cut -d, -f1-4 loaded.csv >loaded
    cut -d, -f1-4 again.csv >exported
    check "$model: the same losses from both" cmp loaded exported
    outputs trained.onnx saved.safetensors $kind.npy >said ||
        bad "$model: the interpreter runs the export"
    "$snug" eval forward.snug --entry forward --input input=$kind.npy \
        -o logits.npz || bad "$model: eval"
    if python3 -c 'import onnxruntime' 2>/dev/null; then
        check "$model: ONNX Runtime says the same" python3 - $kind.npy <<-'END'
		import sys
		import numpy
		import onnxruntime
		session = onnxruntime.InferenceSession("trained.onnx")
		given = {session.get_inputs()[0].name: numpy.load(sys.argv[1])}
		(got,) = session.run(None, given)
		ours = numpy.load("logits.npz")
		(want,) = [ours[name] for name in ours.files]
		worst = abs(got - want).max() / abs(want).max()
		assert worst < 1e-5, worst
		END
    fi
done
