#!/bin/sh
# sequence.sh SNUG TOKENS [HEADS OF KEYS]: how long a sequence fits where the plain
# step of a small GPT (4 layers of 128, 8 heads, 32,768 words;
# tests/bench/stream_model.py) takes TOKENS, planned, when all of it runs along
# the sequence in parts of 128 tokens (seco).
set -eu
snug=$1 tokens=$2 groups=${3:-8}
here=$(dirname "$0")
model=$(mktemp --suffix=.snug)
trap 'rm -f "$model"' EXIT

peak() { # tokens, options: MiB of the training step
    python3 "$here/stream_model.py" 4 128 8 "$1" 32768 1 "$groups" >"$model"
    shift
    "$snug" plan "$model" --set recompute.policy=none "$@" |
        awk '$1 == "train" {
            print $4 == "KiB" ? $3 / 1024 : $4 == "GiB" ? $3 * 1024 : $3 }'
}

fits() { # tokens: do they, in parts?
    peak "$1" --set chunk.sequence=$(($1 / 128)) |
        awk -v most="$budget" '{ fit = $1 <= most + 0 } END { exit !fit }'
}

budget=$(peak "$tokens")
most=$tokens
while [ "$most" -lt 1000000 ] && fits $((most * 2)); do
    most=$((most * 2))
done
step=$((most / 2))
while [ $((step * 16)) -ge "$most" ] && [ "$step" -ge 256 ]; do
    if fits $((most + step)); then
        most=$((most + step))
    fi
    step=$((step / 2))
done
echo "$tokens tokens in $budget MiB; seco: $most tokens," \
    "$(echo "$most $tokens" | awk '{ printf "%.2f", $1 / $2 }') times"
