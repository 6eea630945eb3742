#!/bin/sh
# run_refusals.sh: the training program's own bad input: data, options,
# checkpoints, disks.
. "$(dirname "$0")/../program_lib.sh"

cd "$work" || exit 1
for build in "$plain"; do
    "$build/snug" compile "$digits/mlp.legacy.onnx" --quiet -o train ||
        bad "compile"
done
"$plain/snug" compile "$digits/lenet.legacy.onnx" --quiet -o other ||
    bad "compile"
data=$digits/digits-train.npz

go() { # NAME STATUS WORDS OPTIONS
    name=$1 status=$2 words=$3
    shift 3
    refuse "train: $name" "$status" "$words" ./train "$@"
}

# ---- data
go "missing data" 1 "absent.npz" --data absent.npz --steps 1
go "no data" 2 "--data" --steps 1
: >empty.npz
go "empty data" 1 "empty.npz" --data empty.npz --steps 1
head -c 5000 "$data" >cut.npz
go "truncated data" 1 "cut.npz" --data cut.npz --steps 1
go "data of another model" 1 "input" --data "$digits/digits28-train.npz" --steps 1
mkdir folder
go "data is a folder" 1 "folder" --data folder --steps 1

csv() { # FILE LAST-FIELDS: a csv of 64 rows of 64 numbers and a label
    awk -v last="$2" 'BEGIN {
        for (i = 0; i < 64; i++) printf "p%d,", i
        print "labels"
        for (r = 0; r < 64; r++) {
            for (i = 0; i < 64; i++) {
                cell = (i + r) % 7 / 7
                if (r == 9 && i == 5 && last == "nan") cell = "nan"
                if (r == 9 && i == 5 && last == "word") cell = "seven"
                printf "%s,", cell
            }
            cell = r % 10
            if (r == 9 && last == "label") cell = 10
            if (r == 9 && last == "negative") cell = -1
            if (r == 9 && last == "half") cell = 1.5
            print cell
        }
    }' >"$1"
}
csv good.csv ""
check "train: csv" ./train --data good.csv --steps 2 --quiet
csv label.csv label
go "label out of range" 1 "label.csv.*10" --data label.csv --steps 1
csv half.csv half
go "half a label" 1 "half.csv.*row 9.*not a whole number" --data half.csv --steps 1
csv negative.csv negative
go "negative label" 1 "negative.csv.*-1" --data negative.csv --steps 1
csv nan.csv nan
go "NaN in data" 1 "nan.csv" --data nan.csv --steps 1
csv word.csv word
go "a word in data" 1 "word.csv" --data word.csv --steps 1
head -n 20 good.csv >few.csv
go "fewer rows than a batch" 1 "few.csv\|batch" --data few.csv --steps 1
cut -d, -f 3-65 good.csv >narrow.csv
go "too few columns" 1 "narrow.csv" --data narrow.csv --steps 1

# ---- options
go "unknown option" 2 "--epoch" --data "$data" --epoch 3
go "steps 0" 2 "--steps" --data "$data" --steps 0
go "lr of text" 2 "--lr" --data "$data" --steps 1 --lr fast
go "unknown schedule" 2 "cosin" --data "$data" --steps 1 --schedule cosin
go "threads -1" 2 "--threads" --data "$data" --steps 1 --threads -1
go "log ending" 2 "log.txt" --data "$data" --steps 1 --log log.txt

# ---- weights and checkpoints
mv train.safetensors kept
go "weights missing" 1 "train.safetensors" --data "$data" --steps 1
head -c 1000 kept >train.safetensors
go "weights cut off" 1 "train.safetensors" --data "$data" --steps 1
cp other.safetensors train.safetensors
go "weights of another model" 1 "train.safetensors" --data "$data" --steps 1
mv kept train.safetensors
./train --data "$data" --steps 8 --checkpoint run --every 4 --quiet ||
    bad "checkpoints are written"
go "load what is no weights file" 1 "good.csv" --data "$data" --steps 1 --load good.csv
./other --data "$digits/digits28-train.npz" --steps 4 --checkpoint theirs \
    --every 4 --quiet || bad "the other model's checkpoint"
go "checkpoint of another model" 1 "theirs.*other\|another model\|model" --data "$data" --steps 12 --checkpoint theirs --resume
newest=$(ls run/*.safetensors | tail -n 1)
cp "$newest" whole
head -c 2000 whole >"$newest"
refuse "train: a broken newest checkpoint is passed over" 0 "$(basename "$newest")" ./train --data "$data" --steps 12 --checkpoint run --resume
for f in run/*.safetensors; do head -c 2000 whole >"$f"; done
go "no readable checkpoint" 1 "run" --data "$data" --steps 16 --checkpoint run --resume
go "unwritable save" 1 "nowhere" --data "$data" --steps 1 --save nowhere/w.safetensors
go "unwritable export" 1 "nowhere" --data "$data" --steps 1 --export-onnx nowhere/m.onnx

# ---- a full disk, where a small one can be mounted
mkdir small
if mount -t tmpfs -o size=1m tmpfs small 2>/dev/null; then
    go "full disk" 1 "small\|space" --data "$data" --steps 8 --checkpoint small/run --every 2
    [ -z "$(ls small/run 2>/dev/null | grep -v '\.safetensors$' | grep tmp)" ] ||
        bad "full disk left a temporary file"
    umount small
fi
(ulimit -v 4000; go "too little memory" 1 "out of memory" --data "$data" --steps 1)
