#!/bin/sh
# products.sh PYTHON|none [PAIRS [PART OF NAME]]: generated matrix products
# beside those of oneDNN (libdnnl-dev), OpenBLAS and MKL, then those of bf16 and
# of whole numbers beside f32, as docs/products.md shows them, on two threads.
# OpenBLAS is the system's (libopenblas0-openmp), MKL that of PYTHON's
# environment; what is not there is left out.
set -eu
cd "$(dirname "$0")/../.."
python=${1:-none}
if [ "$python" != none ]; then
    home=$("$python" -c 'import sys; print(sys.prefix)')
    MKL=${MKL:-$(find "$home/lib" -name 'libmkl_rt.so.*' | sort | tail -n 1)}
    export MKL
fi
ninja -C build products_bench products_narrow_bench >/dev/null
build/products_bench "${2:-15}" 4 "${3:-}"
echo
build/products_narrow_bench "${2:-15}" 4 "${3:-}"
