#!/bin/sh
# fuzz.sh: every fuzz target for SNUG_FUZZ_SECONDS (5) from a corpus made of the
# repository's own files: no crash, no hang above 10 s, no memory above 2 GiB,
# no internal error, nothing lost. What is found is kept in the build's folder.
. "$(dirname "$0")/../program_lib.sh"

seconds=${SNUG_FUZZ_SECONDS:-5}
fuzz=$sanitized/fuzz
if [ ! -d "$fuzz/corpus" ]; then
    echo "the fuzz targets are not built: is clang there?"
    bad "fuzz: targets"
    exit 1
fi

run() { # target
    found=$fuzz/found/$1
    mkdir -p "$found" "$work/$1"
    set -- "$1" "$fuzz/$1_fuzz" -max_total_time="$seconds" -timeout=10 \
        -rss_limit_mb=2048 -max_len=6000 -close_fd_mask=1 -print_final_stats=1 \
        -artifact_prefix="$found/"
    [ -f "$fuzz/corpus/$1.dict" ] && set -- "$@" -dict="$fuzz/corpus/$1.dict"
    target=$1
    shift
    if (cd "$work/$target" &&
        exec "$@" "$work/$target" "$fuzz/corpus/$target") >"$work/log" 2>&1
    then
        count=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log")
        ok "fuzz: $target, $count executions"
    else
        bad "fuzz: $target; the input is in $found"
        grep -a 'ERROR\|SUMMARY\|runtime error\|internal error' "$work/log"
        tail -n 30 "$work/log" | cut -c 1-200
    fi
}

for target in model text rule rewrite data weights command pack; do
    run "$target"
done
