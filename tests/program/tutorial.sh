#!/bin/sh
# tutorial.sh: every block of commands in docs/tutorial.md and of README.md runs
# as it stands, in order; the examples run and come to what they promise.
. "$(dirname "$0")/../program_lib.sh"

cd "$work" || exit 1
for name in examples docs README.md ARCHITECTURE.md CONTRIBUTING.md; do
    ln -s "$root/$name" "$name"
done
ln -s "$plain" build

# The blocks between the fence and ```; one script a block, numbered.
blocks() { # FILE FENCE PREFIX
    awk -v fence="$2" -v prefix="$3" '
        $0 == fence { at = 1; n++; next }
        $0 == "```" { at = 0; next }
        at { print > sprintf("%s%02d.sh", prefix, n) }' "$1"
}

run_blocks() { # PREFIX
    for block in "$1"*.sh; do
        if sh -eu "$block" >"$block.out" 2>&1; then
            ok "$block: $(head -n 1 "$block")"
        else
            bad "$block"
            cat "$block" "$block.out"
        fi
    done
}

blocks docs/tutorial.md '```sh' tutorial
run_blocks tutorial
check "the tutorial has its blocks" [ -e tutorial10.sh ]
check "the trained net is good" grep -q 'accuracy 9[5-9]' tutorial04.sh.out

blocks README.md '```sh' readme
rm readme01.sh # builds and tests
run_blocks readme

# ---- examples
example() { # NAME ARGUMENTS...: status 0, words in $name.out
    name=$1
    shift
    SNUG=$plain/snug OUT=$work/made/$name examples/"$name"/run.sh "$@" \
        >"$name.out" 2>&1 && ok "examples/$name" || {
        bad "examples/$name"
        cat "$name.out"
    }
}
EPOCHS=1
export EPOCHS
example gpt --log "$work/gpt.csv"
check "examples/gpt learns" awk -F, 'END { exit !(NR > 300 && $3 < 3.2) }' \
    gpt.csv
example resnet --quiet
check "examples/resnet: equal weights" grep -q '^the same weights' resnet.out
example offload --quiet
check "examples/offload: equal weights" grep -q '^the same weights' offload.out
example passes --quiet
check "examples/passes: equal plans" grep -q '^the same plan' passes.out
example embed 300
check "examples/embed writes on" grep -q '^The plan' embed.out
