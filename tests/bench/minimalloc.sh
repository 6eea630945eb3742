#!/bin/sh
# minimalloc.sh SNUG DIRECTORY: packs every *.CAPACITY.csv of the directory into
# its capacity, checks the offsets apart from the program, and prints a row each:
# file, buffers, height, seconds. Status 1 if one does not fit.
set -u
snug=$1
folder=$2
failed=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT

# Overlaps and what reaches beyond the capacity, counted pair by pair.
check='NR > 1 {
    for (i = 2; i < NR; i++)
        if (l[i] < $3 && $2 < u[i] && o[i] < $5 + $4 && $5 < o[i] + s[i])
            bad++
    l[NR] = $2 + 0; u[NR] = $3 + 0; s[NR] = $4 + 0; o[NR] = $5 + 0
    if ($5 < 0 || $5 + $4 > capacity) bad++
    if ($5 + $4 > height) height = $5 + $4
}
END { printf "%d %d %d\n", NR - 1, height, bad }'

for file in "$folder"/*.*.csv; do
    capacity=$(echo "$file" | sed -n 's/.*\.\([0-9]*\)\.csv$/\1/p')
    start=$(date +%s.%N)
    "$snug" pack "$file" --capacity "$capacity" -o "$out" 2>/dev/null
    status=$?
    end=$(date +%s.%N)
    set -- $(awk -F, -v capacity="$capacity" "$check" "$out")
    [ $status -eq 0 ] && [ "$3" -eq 0 ] || failed=$((failed + 1))
    printf '%-18s %5d buffers  height %9d  %6.2f s  status %d  faults %d\n' \
        "$(basename "$file" .csv)" "$1" "$2" \
        "$(awk "BEGIN { print $end - $start }")" $status "$3"
done
[ $failed -eq 0 ]
