#!/bin/sh
# node_suite.sh: the onnx package's node suite through frontend, interpreter and
# compiler; what does not pass stands in tests/operators/skipped.txt. Not run
# where $SNUG_PYTHON (or python3) has no package onnx.
. "$(dirname "$0")/../program_lib.sh"

python=${SNUG_PYTHON:-python3}
if ! "$python" -c 'import onnx.backend.test.loader' 2>/dev/null; then
    echo "not run: $python has no package onnx (see SNUG_PYTHON)"
    exit 0
fi
check "node suite: all but the listed cases pass" "$python" \
    tests/reference/node_suite.py "$plain" --work "$work" \
    --skipped tests/operators/skipped.txt
