#!/bin/sh
# instances.sh SNUG [NAME...]: packs the buffers of training steps in
# tests/bench/instances, checks the offsets apart from the program, and prints a
# row each: buffers, largest live set, height, what is above it, CPU seconds,
# and the best height that is known. Status 1 if one does not hold.
set -u
snug=$1
shift
folder=$(dirname "$0")/instances
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# The largest live set and the height; overlaps, counted pair by pair.
check='NR > 1 {
    for (i = 2; i < NR; i++)
        if (l[i] < $3 && $2 < u[i] && o[i] < $5 + $4 && $5 < o[i] + s[i])
            bad++
    l[NR] = $2 + 0; u[NR] = $3 + 0; s[NR] = $4 + 0; o[NR] = $5 + 0
    if ($5 < 0) bad++
    if ($5 + $4 > height) height = $5 + $4
}
END {
    for (i = 2; i <= NR; i++) {
        live = 0
        for (j = 2; j <= NR; j++)
            if (l[j] <= l[i] && l[i] < u[j]) live += s[j]
        if (live > bound) bound = live
    }
    printf "%d %.0f %.0f %d\n", NR - 1, bound, height, bad
}'

[ $# -gt 0 ] || set -- $(cut -d, -f1 "$folder/best.csv" | tail -n +2)
for name; do
    gzip -dc "$folder/$name.csv.gz" >"$work/in.csv"
    ("$snug" pack "$work/in.csv" -o "$work/out.csv" 2>/dev/null
        times >"$work/times")
    seconds=$(sed -n '2s/[ms]/ /gp' "$work/times" |
        awk '{ print 60 * $1 + $2 + 60 * $3 + $4 }')
    best=$(sed -n "s/^$name,//p" "$folder/best.csv" | cut -d, -f3)
    awk -F, "$check" "$work/out.csv" >"$work/facts"
    read -r buffers bound height bad <"$work/facts"
    [ "$bad" -eq 0 ] || failed=1
    awk -v name="$name" -v n="$buffers" -v b="$bound" -v h="$height" \
        -v s="$seconds" -v best="$best" -v bad="$bad" 'BEGIN {
        printf "%-20s %5d %12.0f %12.0f %7.4f %% %6.2f s  best %12.0f%s%s\n",
            name, n, b, h, 100 * (h / b - 1), s, best,
            h < best ? "  BETTER" : "", bad ? "  FAULTS" : "" }'
done
exit $failed
