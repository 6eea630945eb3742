#!/bin/sh
# data.sh: one data set in every form that is read gives the same losses; logs,
# evaluation, dry runs, and what the terminal shows.
. "$(dirname "$0")/../program_lib.sh"

cd "$work" || exit 1
snug=$plain/snug
"$snug" compile "$digits/mlp.legacy.onnx" --quiet -o train || bad "compile"

# Rows by formula, written by the interpreter: npz, and an npy each.
rows() { # FILE OUTPUTS...: a module with these outputs, evaluated into FILE
    to=$1
    shift
    cat >rows.snug <<-END
	snug 1 stage=model
	module "rows"
	graph forward {
	f %i = iota axis=0 : f64[256,64]
	f %j = iota axis=1 : f64[256,64]
	f %k = map %i, %j "7*a+3*b" : f64[256,64]
	f %input = map %k "(a-17*floor(a/17))/16" : f32[256,64]
	f %r = iota axis=0 : f64[256]
	f %labels = map %r "a-10*floor(a/10)" : i64[256]
	$(for output; do echo "output %$output"; done)
	}
	END
    "$snug" eval rows.snug -o "$to" || bad "rows of $to"
}
rows rows.npz input labels
rows input.npy input
rows labels.npy labels
awk 'BEGIN {
    for (j = 0; j < 64; j++) printf "input%d,", j
    print "labels"
    for (i = 0; i < 256; i++) {
        for (j = 0; j < 64; j++) printf "%.9g,", (7 * i + 3 * j) % 17 / 16
        print i % 10
    }
}' >rows.csv
{
    head -n 1 rows.csv
    tail -n +2 rows.csv | tr -d '\r'
} | sed 's/$/\r/' >crlf.csv

losses() { # DATA: into the file `losses`
    rm -f log.csv
    ./train --data "$1" --steps 12 --seed 5 --quiet --log log.csv &&
        cut -d, -f1-4 log.csv >losses
}
losses rows.npz || bad "npz"
cp losses want
for data in input.npy,labels.npy rows.csv crlf.csv; do
    losses $data
    check "$data: the losses of npz" cmp losses want
done
if command -v zip >/dev/null && zip -q deflated.npz input.npy labels.npy; then
    losses deflated.npz
    check "deflated npz: the losses of npz" cmp losses want
fi
LC_ALL=de_DE.UTF-8 losses rows.csv
check "another locale: the same losses" cmp losses want

# ---- logs
check "csv log: a head and a line a step" sh -c \
    'head -n 1 log.csv | grep -q "^step,epoch,loss,lr,seconds$" &&
     [ "$(wc -l <log.csv)" -eq 13 ]'
./train --data rows.npz --steps 12 --seed 5 --quiet --log log.jsonl \
    --eval rows.npz 2>/dev/null || bad "jsonl"
check "jsonl log: step, loss, lr, seconds" sh -c \
    '[ "$(grep -c "^{\"step\":.*\"loss\":.*\"lr\":.*\"seconds\":" log.jsonl)" \
      -eq 12 ]'
check "jsonl log: the summary" sh -c 'tail -n 1 log.jsonl |
    grep "\"arena_bytes\":.*\"peak_rss_bytes\":.*\"steps\":12,.*\"seconds\""'
check "jsonl log: the evaluation" sh -c \
    'tail -n 1 log.jsonl | grep "\"eval_loss\":.*\"accuracy\":"'
sed -n 's/.*"loss":\([^,]*\),.*/\1/p' log.jsonl >jsonl.losses
tail -n +2 want | cut -d, -f3 >csv.losses
check "both logs: the same losses" cmp jsonl.losses csv.losses
./train --data rows.npz --steps 12 --seed 6 --quiet --log log.csv
cut -d, -f1-4 log.csv >losses
check "another seed: other losses" sh -c '! cmp -s losses want'
for schedule in constant linear cosine linear,warmup=4; do
    ./train --data rows.npz --steps 4 --lr 0.5 --schedule $schedule --quiet \
        --log log.csv --on-nonfinite warn 2>/dev/null
    tail -n +2 log.csv | cut -d, -f4 | tr '\n' ' '
    echo $schedule
done >rates
check "schedules: constant" grep -q '^0.5 0.5 0.5 0.5 constant' rates
check "schedules: linear" grep -q '^0.5 0.375 0.25 0.125 linear$' rates
check "schedules: warmup" grep -q '^0.125 0.1875 0.1875 0.125 linear' rates
check "schedules: cosine" grep -q '^0.5 0.426776[0-9]* 0.25' rates

# ---- evaluation of a rest, padded
head -n 101 rows.csv >rest.csv
check "evaluation pads the last batch" sh -c \
    "./train --data rows.csv --eval rest.csv --epochs 1 2>&1 |
     grep 'accuracy .*of 100)'"

# ---- a dry run writes nothing
mkdir dry
check "dry run" sh -c "./train --data rows.npz --epochs 3 --dry-run \
    --checkpoint dry/run --save dry/w.safetensors --log dry/log.csv >told"
check "dry run tells the arena" grep -q "arena $(sed -n \
    's/.*"arena_bytes":\([0-9]*\).*/\1/p' log.jsonl) bytes" told
check "dry run writes nothing" sh -c '[ -z "$(ls dry)" ]'
refuse "dry run finds missing data" 1 absent.npz \
    ./train --data absent.npz --dry-run

# ---- the terminal
./train --data rows.npz --epochs 40 >plain.out 2>plain.err || bad "plain"
check "no terminal: plain lines" sh -c \
    "! grep -q '$(printf '[\r\033]')' plain.err"
check "nothing on the standard output" sh -c '[ ! -s plain.out ]'
check "the last lines tell planned and measured" grep -q \
    'planned \([0-9]*\) bytes.*measured \1 ' plain.err
./train --data rows.npz --epochs 2 --quiet >quiet 2>&1
check "quiet is quiet" sh -c '[ ! -s quiet ]'
# where script(1) is and there are pseudo-terminals
if script -qec true /dev/null </dev/null >/dev/null 2>&1; then
    script -qec "./train --data rows.npz --epochs 400" /dev/null \
        </dev/null >pty 2>&1
    check "terminal: the bar is drawn over itself" grep -q \
        "$(printf 'epoch.*\r')" pty
    check "terminal: loss, rate and time to go" grep -q \
        'it/s, loss=' pty
fi
