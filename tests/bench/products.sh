#!/bin/sh
# products.sh PYTHON|none [PAIRS [PART OF NAME]]: generated matrix products
# beside those of oneDNN (libdnnl-dev), OpenBLAS and MKL, as docs/products.md
# shows them, on two threads. OpenBLAS and MKL are the system's, or those in the
# packages of PYTHON's environment; what is not there is left out.
set -eu
cd "$(dirname "$0")/../.."
python=${1:-none}
if [ "$python" != none ]; then
    home=$("$python" -c 'import sys; print(sys.prefix)')
    find_library() { find "$home/lib" -name "$1" | sort | tail -n 1; }
    OPENBLAS=${OPENBLAS:-$(find_library 'libscipy_openblas-*.so')}
    MKL=${MKL:-$(find_library 'libmkl_rt.so.*')}
    export MKL
    [ -z "$OPENBLAS" ] || export OPENBLAS
fi
ninja -C build products_bench >/dev/null
build/products_bench "${2:-15}" 4 "${3:-}"
