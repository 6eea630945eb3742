#!/bin/sh
# master.sh SNUG MASTER_BENCH MODEL RULE BUDGET [PARTS]: the choice of one way
# to hold each block as an integer program, with 1 to 4 neighbours joined, given
# to every solver that is there (glpsol, cbc, highs): cost in microseconds,
# state of the answer and seconds, limited to 20. Beside it what the chain of
# blocks finds for the same blocks.
set -u
snug=$1 bench=$2 model=$3 rule=$4 budget=$5 parts=${6:-1}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$snug" plan "$model" --optimizer "$rule" --memory "$budget" \
    --set chunk.parts="$parts" --set chunk.blocks=1 --set chunk.batch=1 \
    --print-before=recompute >"$work/out" 2>"$work/printed"
sed -n '/^snug 1 /,$p' "$work/printed" >"$work/step.snug"
for join in 1 2 3 4; do
    lp=$work/$join.lp
    "$bench" "$work/step.snug" "$budget" "$join" >"$lp" 2>"$work/told"
    echo "joined $join: $(cat "$work/told")"
    for solver in glpsol cbc highs; do
        command -v $solver >"$work/path" || continue
        began=$(date +%s.%N)
        case $solver in
        glpsol) glpsol --lp "$lp" --tmlim 20 -o "$work/answer" ;;
        cbc) cbc "$lp" sec 20 solve solution "$work/answer" ;;
        highs) highs --time_limit 20 "$lp" ;;
        esac >"$work/log" 2>&1
        ended=$(date +%s.%N)
        case $solver in
        glpsol) said=$(grep -E '^(Status|Objective)' "$work/answer") ;;
        cbc) said=$(head -1 "$work/answer") ;;
        highs) said=$(grep -E '^ *(Status|Primal bound|Dual bound)' \
            "$work/log") ;;
        esac
        echo "  $solver" $said "$(echo "$began $ended" |
            awk '{ printf "%.2f s", $2 - $1 }')"
    done
done
