#!/bin/sh
# emit.sh: every --emit kind: text that is text, objects that link, libraries
# that a C99 and a C++ program train with, and the same bytes wherever they are
# made.
. "$(dirname "$0")/../program_lib.sh"

snug=$plain/snug
flags="-Wall -Wextra -Wpedantic -Werror -O1"
mkdir "$work/here" "$work/there"
cp "$digits/mlp.legacy.onnx" "$work/here/model.onnx"
cp "$digits/mlp.legacy.onnx" "$work/there/model.onnx"
cd "$work/here" || exit 1

emit() { # KIND FILE
    "$snug" compile model.onnx --emit "$1" -o "$2" --quiet || bad "emit $1"
}
emit exe train
emit ir model.snug
emit plan plan.snug
emit llvm model.ll
emit asm model.s
emit obj model.o
emit lib libmodel.a
emit so libmodel.so
check "so: its name is its own" sh -c \
    "readelf -d libmodel.so | grep 'soname: \[libmodel.so\]'"

# ---- text
check "ir is at stage model" grep -q '^snug 1 stage=model' model.snug
check "ir compiles to the same program" sh -c "'$snug' compile model.snug \
    -o again --quiet && '$snug' plan check plan.snug"
mkdir fromplan
check "plan compiles" "$snug" compile plan.snug -o fromplan/train --quiet
check "a plan compiles to the same program" cmp train fromplan/train
check "ir to the standard output" sh -c \
    "'$snug' compile model.onnx --emit ir -o - | cmp - model.snug"
check "llvm to the standard output" sh -c \
    "'$snug' compile model.onnx --emit llvm -o - | grep -q '^define'"
refuse "a program on the standard output" 2 "name a file" \
    "$snug" compile model.onnx -o -
if command -v llc-19 >/dev/null; then
    check "llvm is what llc reads" llc-19 -filetype=null model.ll
fi
check "asm assembles" cc -c model.s -o fromasm.o
check "asm has what the object has" sh -c \
    'nm -g --defined-only fromasm.o | grep -q " snug_program"'

# ---- linked by hand, as the header tells
cp libmodel.h model.h
check "object links by hand" cc -o byhand model.o \
    "$plain/lib/libsnug_rt_main.a" "$plain/lib/libsnug_rt.a" -lm -pthread
cp "$root/tests/program/consumer.c" consumer.c
cp consumer.c consumer.cc
# shellcheck disable=SC2086
check "a C99 program links the library" cc -std=c99 $flags -o inC consumer.c \
    libmodel.a -lm -pthread
# shellcheck disable=SC2086
if command -v c++ >/dev/null; then
    check "a C++ program links the library" c++ -std=c++11 $flags -o inCxx \
        consumer.cc libmodel.a -lm -pthread
else
    cp inC inCxx
fi
# shellcheck disable=SC2086
check "a C99 program links the shared library" cc -std=c99 $flags -o inSo \
    consumer.c -L. -lmodel -Wl,-rpath,"$PWD" -lm
check "only the interface is to be seen" sh -c "! nm -D --defined-only \
    libmodel.so | grep -v ' rt_\| snug_program'"

./inC rows >rows.csv
./train --data rows.csv --steps 8 --batch-order sequential --lr 1e-3 --quiet \
    --log log.csv || bad "train on the consumer's rows"
tail -n +2 log.csv | cut -d, -f3 >want
[ "$(wc -l <want)" -eq 8 ] || bad "eight losses"
for program in inC inCxx inSo; do
    ./$program steps libmodel.a.safetensors saved.safetensors >got ||
        bad "$program runs"
    # What was saved are parameters: the state of the rule stays with the model.
    check "$program: the losses of train" cmp want got
done
./byhand --data rows.csv --steps 8 --batch-order sequential --lr 1e-3 --quiet \
    --log log2.csv --load model.o.safetensors || bad "byhand"
tail -n +2 log2.csv | cut -d, -f3 >got
check "object linked by hand: the losses of train" cmp want got
check "the interface refuses by words" ./inC
[ "$(grep -c '^refused: .' "$work/out")" -eq 4 ] && ok "four refusals" ||
    bad "four refusals"
check "ldd of the program" sh -c \
    "! ldd train | grep -v 'libc\.so\|libm\.so\|linux-vdso\|ld-linux'"

# ---- the same bytes elsewhere
mv train exe
cd "$work/there" || exit 1
umask 077
for kind in exe ir plan llvm asm obj lib so; do
    LC_ALL=de_DE.UTF-8 TZ=Asia/Tokyo TMPDIR=$work/there "$snug" compile \
        model.onnx --emit $kind -o $kind --quiet || bad "emit $kind"
done
same() { # KIND FILE
    check "$1: the same bytes in another folder" cmp "../here/$2" "$1"
}
same ir model.snug
same plan plan.snug
same obj.safetensors model.o.safetensors
(cd ../here && for kind in exe lib llvm asm obj so; do emit $kind $kind; done)
for kind in exe lib llvm asm obj so; do
    same $kind $kind
done
ls -A | grep -q 'tmp\|link\|snug-' && bad "something temporary was left" ||
    ok "nothing temporary is left"
