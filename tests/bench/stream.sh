#!/bin/sh
# stream.sh SNUG TOKENS [HEADS OF KEYS [HOW...]]: how long a sequence fits along
# the sequence where a small GPT (4 layers of 128, 8 heads, 32,768 words;
# tests/bench/stream_model.py) takes TOKENS otherwise, planned. HOW: `again`,
# each layer run again, beside streambp; `again_cut`, the same with the head cut
# in both; `plain`, everything kept, beside seco in parts of 128 tokens.
set -eu
snug=$1 tokens=$2 groups=${3:-8}
shift $(($# < 3 ? $# : 3))
here=$(dirname "$0")
model=$(mktemp --suffix=.snug)
trap 'rm -f "$model"' EXIT

peak() { # tokens, options: MiB of the training step
    python3 "$here/stream_model.py" 4 128 8 "$1" 32768 1 "$groups" >"$model"
    shift
    "$snug" plan "$model" "$@" | awk '$1 == "train" {
        print $4 == "KiB" ? $3 / 1024 : $4 == "GiB" ? $3 * 1024 : $3 }'
}

again() { # tokens
    peak "$1" --set recompute.policy=all
}

again_cut() { # tokens
    peak "$1" --set recompute.policy=all --set chunk.parts=$(($1 / 128))
}

plain() { # tokens
    peak "$1" --set recompute.policy=none
}

streambp() { # tokens
    parts=$(($1 / 1024))
    peak "$1" --set chunk.layers=$((parts > 4 ? parts : 4)) \
        --set chunk.parts=$(($1 / 128))
}

seco() { # tokens
    peak "$1" --set recompute.policy=none --set chunk.sequence=$(($1 / 128))
}

fits() { # how, tokens, MiB
    "$1" "$2" | awk -v most="$3" '{ fit = $1 <= most + 0 } END { exit !fit }'
}

longest() { # how, tokens that fit, MiB: the most, to one part in 16
    fit=$2 next=$(($2 * 2))
    while [ $next -le 1000000 ] && fits "$1" $next "$3"; do
        fit=$next next=$((next * 2))
    done
    step=$((fit / 2))
    while [ $((step * 16)) -ge $fit ] && [ $step -ge 256 ]; do
        if fits "$1" $((fit + step)) "$3"; then
            fit=$((fit + step))
        fi
        step=$((step / 2))
    done
    echo $fit
}

for how in "${@:-again}"; do
    method=streambp
    [ "$how" != plain ] || method=seco
    budget=$($how "$tokens")
    most=$(longest $method "$tokens" "$budget")
    echo "$how: $tokens tokens in $budget MiB; $method: $most tokens," \
        "$(echo "$most $tokens" | awk '{ printf "%.2f", $1 / $2 }') times"
done
