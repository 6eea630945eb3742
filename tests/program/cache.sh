#!/bin/sh
# cache.sh: kernels that were made before are taken from the cache and change no
# byte of the program; what is wrong with a cache costs time only; a child that
# dies names its kernel and leaves nothing; programs stay small.
. "$(dirname "$0")/../program_lib.sh"

unset CC AR OBJCOPY SNUG_RUNTIME SNUG_CACHE_SIZE
model=$digits/lenet.legacy.onnx
cd "$work" || exit 1

# compile SNUG FOLDER [OPTION...]: FOLDER/train; what it says lies in FOLDER/words
compile() {
    snug=$1/snug folder=$2
    shift 2
    mkdir -p "$folder"
    (cd "$folder" && timeout 120 "$snug" compile "$model" -o train --quiet \
        --log=kernels "$@") >"$folder/words" 2>&1
}

# says FOLDER WORDS
says() {
    grep -q "$2" "$1/words" || { cat "$1/words"; return 1; }
}

for build in "$plain" "$sanitized"; do
    rm -rf cache one two three
    check "compiles" compile "$build" one
    check "compiles again" compile "$build" two
    check "nothing is made twice" says two ' 0 compiled'
    check "the same program" cmp one/train two/train
    check "compiles without it" compile "$build" three --no-cache
    check "and takes nothing from it" says three '\([0-9]*\) distinct, \1 comp'
    check "the same program without it" cmp one/train three/train
done

kernels=$(ls cache/kernels | wc -l)
for f in cache/kernels/*; do
    printf x | dd of="$f" bs=1 seek=200 conv=notrunc 2>/dev/null
done
check "changed entries" compile "$sanitized" two
check "changed entries: all made anew" says two "$kernels compiled"
check "changed entries: the same program" cmp one/train two/train
for f in cache/kernels/*; do
    truncate -s 50 "$f"
done
check "cut entries" compile "$sanitized" two
check "cut entries: all made anew" says two "$kernels compiled"
check "cut entries: the same program" cmp one/train two/train
check "and kept" compile "$sanitized" two
check "and found" says two ' 0 compiled'

check "another target" compile "$sanitized" three --target x86-64-v2
check "another target has other kernels" says three "$kernels compiled"
check "another compiler" compile "$plain" three --cache "$work/cache"
check "another compiler finds nothing of it" says three "$kernels compiled"

rm -rf cache
compile "$plain" two --log=kernels &
compile "$plain" three --log=kernels &
wait
check "two at once: the first" cmp two/train one/train
check "two at once: the second" cmp three/train one/train
check "two at once: whole entries" compile "$plain" two
check "two at once: all of them" says two ' 0 compiled'

check "a small cache" env SNUG_CACHE_SIZE=40960 "$plain/snug" compile \
    "$digits/mlp.legacy.onnx" -o small --quiet
bytes=$(du -s -B 1 --apparent-size cache/kernels/* | awk '{n += $1} END {print n}')
[ "$bytes" -le 40960 ] && ok "a small cache stays small" ||
    bad "a small cache has $bytes bytes"

# The folder cannot be used: asked for, it is refused; otherwise done without.
refuse "a cache that is a file" 1 "cannot be used as a cache" \
    "$sanitized/snug" compile "$model" --cache "$work/out" -o none
refuse "a cache without a name" 2 "no name" \
    "$sanitized/snug" compile "$model" --cache "" -o none
refuse "with and without" 2 "one of them only" \
    "$sanitized/snug" compile "$model" --cache x --no-cache -o none
check "no usable folder" env SNUG_CACHE=/dev/null/x "$plain/snug" compile \
    "$model" -o none --quiet
check "no folder at all" env -u SNUG_CACHE -u XDG_CACHE_HOME -u HOME \
    "$plain/snug" compile "$model" -o none --quiet
rm -f none*

# ---- a child that dies
mkdir killed
# dies SIGNAL: compiles; its first child is sent the signal at once
dies() {
    (cd killed && exec "$plain/snug" compile "$model" -o train --no-cache \
        --quiet 2>../words) &
    parent=$!
    while kill -0 $parent 2>/dev/null; do
        child=$(pgrep -P $parent | head -n 1)
        [ -z "$child" ] || { kill -s "$1" "$child"; break; }
    done
    wait $parent
    status=$?
    [ $status -eq 4 ] || { echo "status $status"; cat words; return 1; }
}
if command -v pgrep >/dev/null; then
    for signal in KILL SEGV; do
        check "SIG$signal in a child: status 4" dies $signal
        check "SIG$signal in a child: the kernel is named" grep -q \
            'generating code for [^ ]* ended by signal' words
        [ -z "$(ls -A killed)" ] && ok "SIG$signal in a child leaves nothing" ||
            bad "SIG$signal in a child leaves $(ls -A killed)"
    done
else
    echo "not run: the death of a child: needs pgrep"
fi

# ---- sizes
# smaller FILE BYTES
smaller() {
    bytes=$(stat -c %s "$1")
    [ "$bytes" -le "$2" ] || { echo "$1 has $bytes bytes, $2 allowed"; return 1; }
}
check "the MLP's program: 300 KB at most" smaller small 300000
check "a transformer compiles" "$plain/snug" compile --quiet \
    "$root/tests/reference/gpt.legacy.onnx" -o gpt
check "a transformer's program: 1 MB at most" smaller gpt 1000000
