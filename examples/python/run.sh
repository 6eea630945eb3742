#!/bin/sh
# run.sh: the digits model as a Python module, trained by digits.py. $PYTHON
# names an interpreter with numpy [python3].
set -eu
here=$(cd "$(dirname "$0")" && pwd)
snug=${SNUG:-$here/../../build/snug}
out=${OUT:-$here/../../build/examples/python}

mkdir -p "$out"
"$snug" compile "$here/../digits/mlp.legacy.onnx" --emit so -o "$out/libnet.so" \
    --quiet
"${PYTHON:-python3}" "$here/digits.py" "$out"
