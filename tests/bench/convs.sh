#!/bin/sh
# convs.sh [PAIRS [MODEL [PART OF NAME]]]: generated convolutions beside those of
# oneDNN (libdnnl-dev) in its own layouts, as docs/convolutions.md shows them, on
# two threads. Without the library: ours alone.
set -eu
cd "$(dirname "$0")/../.."
ninja -C build convs_bench >/dev/null
build/convs_bench "${1:-15}" 4 "${2:-}" "${3:-}"
