#!/bin/sh
# bench.sh [OPTION...] [MODEL...]: our programs and the peers in turn, written
# to docs/benchmarks.md; options are those of tests/bench/steps.py.
#   BENCH_HOME    where environments, models and figures are kept
#                 (default ${XDG_CACHE_HOME:-$HOME/.cache}/snug-bench)
#   TORCH_PYTHON, JAX_PYTHON, ORT_PYTHON
#                 Pythons of environments that are there already; `none` leaves
#                 that peer out. Others are made from PyPI in BENCH_HOME.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
home=${BENCH_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/snug-bench}
mkdir -p "$home"

environment() { # NAME PYTHON PACKAGES...: prints its Python
    name=$1 given=$2
    shift 2
    if [ "$given" = none ]; then
        return
    elif [ -n "$given" ]; then
        echo "$given"
        return
    fi
    if [ ! -e "$home/$name/made" ]; then
        python3 -m venv "$home/$name"
        "$home/$name/bin/pip" install --quiet "$@" >&2
        touch "$home/$name/made"
    fi
    echo "$home/$name/bin/python"
}

torch=$(environment torch "${TORCH_PYTHON:-}" torch torchvision onnx \
    onnxscript numpy)
jax=$(environment jax "${JAX_PYTHON:-}" jax optax numpy)
ort=$(environment ort "${ORT_PYTHON:-}" onnxruntime-training==1.19.2 \
    onnx==1.16.2 'numpy<2')

[ -x "$root/build/snug" ] || {
    cmake -S "$root" -B "$root/build" -G Ninja
    ninja -C "$root/build"
}
exec "${torch:-python3}" "$root/tests/bench/steps.py" \
    --folder "$home/models" ${torch:+--torch "$torch"} ${jax:+--jax "$jax"} \
    ${ort:+--ort "$ort"} "$@"
