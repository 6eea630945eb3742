#!/bin/sh
# fuzz.sh: every fuzz target for SNUG_FUZZ_SECONDS (8) from a corpus made of the
# repository's own files: no crash, no hang above 10 s, no memory above 2 GiB,
# no internal error, nothing lost. What is found is kept in the build's folder.
. "$(dirname "$0")/../program_lib.sh"

seconds=${SNUG_FUZZ_SECONDS:-8}
fuzz=$sanitized/fuzz
if [ ! -d "$fuzz/corpus" ]; then
    echo "the fuzz targets are not built: is clang there?"
    bad "fuzz: targets"
    exit 1
fi

start() { # target: leaves work/TARGET.log and work/TARGET.status
    target=$1
    mkdir -p "$fuzz/found/$target" "$work/$target"
    set -- "$fuzz/${target}_fuzz" -max_total_time="$seconds" -timeout=10 \
        -rss_limit_mb=2048 -max_len=6000 -close_fd_mask=1 -print_final_stats=1 \
        -artifact_prefix="$fuzz/found/$target/"
    [ -f "$fuzz/corpus/$target.dict" ] &&
        set -- "$@" -dict="$fuzz/corpus/$target.dict"
    (cd "$work/$target" &&
        "$@" "$work/$target" "$fuzz/corpus/$target" >"$work/$target.log" 2>&1
    echo $? >"$work/$target.status")
}

report() { # target
    log=$work/$1.log
    if [ "$(cat "$work/$1.status")" = 0 ]; then
        count=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
        ok "fuzz: $1, $count executions"
    else
        bad "fuzz: $1; the input is in $fuzz/found/$1"
        grep -a 'ERROR\|SUMMARY\|runtime error\|internal error' "$log"
        tail -n 30 "$log" | cut -c 1-200
    fi
}

for target in config model text rule rewrite data weights command pack; do
    start $target
    report $target
done
