#!/bin/sh
# zero_copy.sh: a table much larger than the arena is read where it lies, in memory
# or in a file, and training ends in the bits of the program that has it in its
# arena, after kills too; what cannot be is refused with words.
. "$(dirname "$0")/../program_lib.sh"

cd "$work" || exit 1
snug=$plain/snug
model=$root/tests/program/table.snug

# Eight words of 100,000 a row, and what they are.
awk 'BEGIN {
    seed = 7
    for (i = 0; i < 8; i++) printf "input_%d,", i
    print "labels"
    for (row = 0; row < 640; row++) {
        sum = 0
        for (i = 0; i < 8; i++) {
            seed = (seed * 1103515245 + 12345) % 2147483648
            word = int(seed / 7) % 100000
            sum += word
            printf "%d,", word
        }
        print sum % 10
    }
}' >rows.csv

digest() {
    sha256sum <"$1" | cut -c1-64
}

run() { # PROGRAM STEPS OPTIONS
    program=$1 steps=$2
    shift 2
    "./$program" --data rows.csv --steps "$steps" --seed 3 --quiet "$@"
}

same() { # NAME FILE
    [ "$(digest "$2")" = "$want" ] && ok "$1" || bad "$1: other bits"
}

mkdir spill
"$snug" compile "$model" --quiet -o whole || bad "compile"
for space in host disk; do
    "$snug" compile "$model" --quiet --memory 1MiB -o $space \
        --method "tier class=table to=$space" || bad "compile to=$space"
done
"$snug" compile "$model" --quiet --memory 1MiB -o zero --method zero-copy ||
    bad "compile zero-copy"
"$snug" compile "$model" --quiet --memory 1MiB -o both \
    --method "tier class=table to=disk; tier class=state to=disk" ||
    bad "compile with moves in the same file"

# ---- the same bits
run whole 60 --save whole.trained --checkpoint whole.run --every 30 ||
    bad "whole"
want=$(digest whole.trained)
for program in host disk zero both; do
    for threads in 1 2; do
        rm -f trained
        run $program 60 --threads $threads --spill spill --save trained ||
            bad "$program runs"
        same "$program, $threads threads: the same bits" trained
    done
done
SNUG_IO=threads run both 60 --spill spill --save trained || bad "by calls"
same "moves by calls beside a table: the same bits" trained
check "nothing stays in the folder" sh -c '[ -z "$(ls -A spill)" ]'
run disk 60 --spill spill --checkpoint whole.run --resume --save trained \
    2>err || bad "resumed with a table in a file"
same "what was saved without goes on with it" trained

# ---- a table that is trained, and its states
sed 's/^const %table/param %table/' "$model" >trained.snug
for rule in adagrad "sgd --set mu=0"; do
    # shellcheck disable=SC2086
    "$snug" compile trained.snug --quiet --optimizer $rule -o learns ||
        bad "compile $rule"
    run learns 60 --save learns.trained || bad "$rule"
    want=$(digest learns.trained)
    for space in host disk; do
        # shellcheck disable=SC2086
        "$snug" compile trained.snug --quiet --memory 1MiB -o learns_$space \
            --optimizer $rule --method "tier class=table to=$space" ||
            bad "compile $rule to=$space"
        for threads in 1 2; do
            rm -f trained
            run learns_$space 60 --threads $threads --spill spill \
                --save trained || bad "$rule in $space"
            same "$rule, trained in $space, $threads threads: the same bits" \
                trained
        done
    done
    rm -rf half
    run learns_disk 30 --spill spill --checkpoint half --every 10 ||
        bad "$rule: half"
    run learns 60 --checkpoint half --resume --save trained 2>err ||
        bad "$rule: resumed in the arena"
    same "$rule, what a file had goes on in the arena" trained
    rm -rf half
    run learns 30 --checkpoint half --every 10 || bad "$rule: half"
    run learns_disk 60 --spill spill --checkpoint half --resume \
        --save trained 2>err || bad "$rule: resumed in a file"
    same "$rule, what the arena had goes on in a file" trained
done
check "the plan tells the rows that are written" sh -c \
    "'$snug' plan trained.snug --optimizer adagrad --method zero-copy |
        grep '^tables  *192.00 KiB .* in host a step, 128.00 KiB written'"

# ---- what is told
"$snug" plan "$model" --memory 1MiB --method "tier class=table to=disk" >plan
check "the plan tells the space" grep '^disk  *24.41 MiB' plan
check "the plan tells the rows" grep \
    '^tables  *64.00 KiB  of rows are read in disk a step' plan
"$snug" plan "$model" --memory 1MiB --method zero-copy --json >plan.json
check "the same as JSON" grep \
    '"id": "table", "space": "host", "node": 0, "rows": 256, "row_bytes": 256' \
    plan.json
check "the arena has no table" sh -c \
    './disk --memory-report | grep "table in disk"'
./disk --data rows.csv --dry-run --spill spill >needs
check "the needs tell the file" grep '^disk: 25600000 bytes .* in spill' needs
run disk 20 --spill spill --profile 2>profile
check "the profile has the kernel" grep -q 'gather' profile

arena=$(./disk --memory-report | sed -n 's/^arena *\([0-9]*\) .*/\1/p')
check "the arena is below the budget" test "$arena" -le 1048576

# ---- nothing is taken once it runs
cc -shared -fPIC -D_GNU_SOURCE -O1 -o count.so \
    "$root/tests/program/count_allocations.c" -ldl || bad "the counter builds"
count() { # STEPS
    COUNT_TO=$work/count LD_PRELOAD=$work/count.so ./disk --data rows.csv \
        --steps "$1" --threads 2 --quiet --spill spill && cat count
}
few=$(count 3)
many=$(count 300)
[ -n "$few" ] && [ "$few" = "$many" ] &&
    ok "no allocation after the first step ($few in all)" ||
    bad "allocations: $few in 3 steps, $many in 300"

# ---- kills
saved() {
    ls run 2>/dev/null
}

# killed PROGRAM STEPS: with SIGKILL behind its next checkpoint
killed() {
    had=$(saved) waits=0
    "./$1" --data rows.csv --steps "$2" --seed 3 --quiet --spill spill \
        --checkpoint run --every 200 --resume --save trained 2>err &
    while [ "$(saved)" = "$had" ] && [ $waits -lt 3000 ]; do
        sleep 0.01
        waits=$((waits + 1))
    done
    kill -KILL $! 2>/dev/null
    wait $! 2>/dev/null
    [ $? -eq 137 ]
}

"$snug" compile trained.snug --quiet --optimizer adagrad -o learns ||
    bad "compile adagrad"
"$snug" compile trained.snug --quiet --memory 1MiB -o learns_disk \
    --optimizer adagrad --method "tier class=table to=disk" ||
    bad "compile adagrad to=disk"
for beside in disk learns_disk; do
    steps=12000 twin=whole
    [ $beside = disk ] || steps=1500 twin=learns
    run $twin $steps --save $twin.trained || bad "$twin: the long run"
    want=$(digest $twin.trained)
    rm -rf run
    stopped=0
    for try in 1 2 3; do
        killed $beside $steps && stopped=$((stopped + 1))
    done
    run $beside $steps --spill spill --checkpoint run --resume \
        --save trained 2>err || bad "$beside: resumed"
    [ $stopped -gt 0 ] && ok "$beside: killed $stopped times" ||
        bad "$beside: never killed"
    same "$beside, killed: the same bits" trained
    check "$beside, killed: nothing stays in the folder" sh -c \
        '[ -z "$(ls -A spill)" ]'
done

# ---- a file that is cut while it is mapped
./disk --data rows.csv --steps 1000000 --seed 3 --quiet --spill spill \
    --checkpoint cut --every 100 --save cut.trained 2>err &
pid=$!
for i in 1 2 3 4 5 6 7 8 9 10; do
    ls cut/*.safetensors >/dev/null 2>&1 && break
    sleep 0.5
done
for file in /proc/$pid/fd/*; do
    case $(readlink "$file") in
    "$work"/spill/*) : >"$file" ;;
    esac
done
wait $pid
status=$?
[ $status -eq 1 ] && grep -q 'a page of the file of a tier cannot be' err &&
    [ ! -e cut.trained ] && ok "a lost page ends the run with words" ||
    bad "a lost page: status $status, $(cat err)"

# ---- no room
refuse "no such folder" 1 "absent: cannot make the file of a tier" \
    ./disk --data rows.csv --steps 3 --spill absent
if unshare -m true 2>/dev/null; then
    refuse "a full disk" 1 "needs 25600000 bytes, the disk has .* left" \
        unshare -m sh -c "mount -t tmpfs -o size=4m tmpfs spill &&
            ./disk --data rows.csv --steps 3 --spill spill; status=\$?
            [ -z \"\$(ls -A spill)\" ] || echo left; exit \$status"
    check "nothing is left on it" sh -c '! grep left$ out'
else
    echo "not run: a full disk: unshare is not allowed"
fi
refuse "a space that is too small" 3 "what lies there takes 25600000 bytes" \
    "$snug" plan "$model" --host-memory 8MiB --method zero-copy

# ---- what is no table
refuse "a window" 2 "tables stay where they are" "$snug" plan "$model" \
    --method "tier class=table to=host window=2"
refuse "a table below the least" 2 "tables.least=25600000 sends it" \
    "$snug" plan "$model" --method "tier class=table to=host min=1GiB"
refuse "a model without tables" 2 "takes rows of no weight or constant" \
    "$snug" plan "$digits/mlp.legacy.onnx" --method zero-copy
refuse "a table whose update takes every row" 2 \
    "of %table, 24.41 MiB, rows are taken, but it is trained, and its update (adamw)" \
    "$snug" plan trained.snug --method zero-copy
refuse "no kernels of a GPU" 1 "values in the space host" "$snug" compile \
    "$model" --method zero-copy --emit ptx --target cuda:sm_80 -o moved.ptx
