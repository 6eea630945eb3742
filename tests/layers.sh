#!/bin/sh
# layers: the house stays the house. Reads the table of ARCHITECTURE.md, holds
# every #include against it; then the doors (who may use what), the size of
# files, their first lines, and the rows of pass.def and onnx.def. One `ok` or
# `FAIL` a rule.
set -u
cd "$(dirname "$0")/.." || exit 2
faults=$(mktemp)
trap 'rm -f "$faults"' EXIT
bad=0
sources=$(find ir passes codegen frontend runtime \
    -name '*.c' -o -name '*.h' -o -name '*.inc' | LC_ALL=C sort)
beside=$(find tests examples -name '*.c' -o -name '*.h' | LC_ALL=C sort)

verdict() { # rule; the faults of it are in the file
    if [ -s "$faults" ]; then
        bad=1
        cat "$faults"
        echo "FAIL $1"
    else
        echo "ok $1"
    fi
    : >"$faults"
}

# shellcheck disable=SC2086
awk '
FILENAME == "ARCHITECTURE.md" {
    if ($0 ~ /^\| *room *\| *may include/) { table = 1; next }
    if (table && $0 !~ /^\|/) table = 0
    if (!table || $0 ~ /^\|-/) next
    split($0, cell, "|")
    gsub(/[ `]/, "", cell[2])
    rooms[cell[2]] = 1
    count = split(cell[3], word, " ")
    for (i = 1; i <= count; i++) may[cell[2], word[i]] = 1
    next
}
function room_of(path) { # the longest row that is a folder of it
    while (path != "" && !(path in rooms)) {
        if (path !~ /\//) return ""
        sub(/\/[^\/]*$/, "", path)
    }
    return path
}
/^#include "/ {
    target = $2
    gsub(/"/, "", target)
    if (target !~ /\//) {
        if (target != "onnx.pb-c.h")
            print FILENAME ": \"" target "\" is not written from the root"
        next
    }
    own = room_of(FILENAME)
    other = room_of(target)
    if (own == "") print FILENAME ": its folder has no row in the table"
    else if (own != other && !((own, other) in may) &&
             !((own, target) in may))
        print FILENAME ": " own " may not include " target
}' ARCHITECTURE.md $sources >"$faults"
verdict "layers: includes follow the table of ARCHITECTURE.md"

door() { # pattern, who may: an extended expression on paths; what
    # shellcheck disable=SC2086
    grep -nE "$1" $sources | grep -vE ":[0-9]+: *(/?\*|//)" |
        grep -vE "^($2)" | sed "s|\$|   <- $3|" >>"$faults"
}
door '#include <glpk\.h>' 'passes/solver/main\.c:' 'GLPK'
door '#include <llvm-c/' 'codegen/' 'LLVM'
door '#include .onnx\.pb-c\.h' 'frontend/onnx/' 'the messages of ONNX'
door '#include <jansson\.h>' 'frontend/cli/' 'JSON'
door '(^|[^_[:alnum:].>])(malloc|calloc|realloc|free|strdup)\(' \
    'ir/base/(arena|diag)\.c:|passes/solver/|runtime/' 'memory is of arenas'
door '(^|[^_[:alnum:]])(exit|abort|assert)\(' \
    'ir/base/diag\.c:|frontend/cli/main\.c:|passes/solver/|runtime/rt_main\.c:' \
    'only main ends the program'
verdict "layers: doors"

# shellcheck disable=SC2086
wc -l $sources $beside | awk '$2 != "total" && $1 > 600 { print $2 ": " $1 " lines" }' \
    >"$faults"
verdict "layers: no file above 600 lines"

for f in $sources; do
    head -n 1 "$f" | grep -q '^/\* [^ ]' || echo "$f: no opening sentence"
done >"$faults"
verdict "layers: each file says what it is"

# The runtime is in another program: its names are its own.
for f in $sources; do
    case $f in
    runtime/*) ;;
    *.h) basename "$f" ;;
    esac
done | sort | uniq -d | sed 's/$/: two headers of one name/' >"$faults"
verdict "layers: a header's name is unique"

sed -n 's/^PASS(\([a-z_0-9]*\),.*/\1/p' passes/pass.def | while read -r pass; do
    ls passes/*/"$pass".c >/dev/null 2>&1 ||
        echo "pass $pass: no file passes/*/$pass.c"
    ls tests/golden/"$pass"/*.snug >/dev/null 2>&1 ||
        echo "pass $pass: no golden in tests/golden/$pass/"
done >"$faults"
verdict "layers: each pass has its file and its goldens"

# Two rows of one name: the second would never be read.
sed -n 's/^ONNX[A-Z_]*(\([A-Za-z0-9]*\),.*/\1/p' frontend/onnx/onnx.def |
    LC_ALL=C sort -c -u 2>&1 |
    sed 's|.*: disorder: |frontend/onnx/onnx.def: out of order or twice: |' \
        >"$faults"
verdict "layers: the operators of ONNX are in order, each once"

awk 'length($0) > 80 { print FILENAME ":" FNR ": " length($0) " columns" }' \
    $sources $beside >"$faults"
verdict "layers: no line above 80 columns"
exit $bad
