#!/bin/sh
# targets.sh: programs and kernels for other processors: the losses, the trained
# weights and the kernels' bits are those of the host's program. Those of another
# architecture are linked by Debian's cross compilers and run by qemu's user mode;
# what is missing is said to be not run.
. "$(dirname "$0")/../program_lib.sh"

snug=$plain/snug
unset CC AR OBJCOPY SNUG_RUNTIME
SNUG_CACHE=$plain/cache
export SNUG_CACHE
mkdir "$work/mlp" "$work/lenet" "$work/tmp"
(cd "$work/mlp" && cmake -E tar xf "$digits/digits-train.npz")
(cd "$work/lenet" && cmake -E tar xf "$digits/digits28-train.npz")
cd "$work" || exit 1

# train MODEL STEPS TARGET [EMULATOR...]: TARGET-MODEL leaves losses and weights
train() {
    model=$1 steps=$2 made=$3
    shift 3
    timeout 300 "$@" "./$made-$model" --data "$model/input.npy,$model/labels.npy" \
        --steps "$steps" --threads 2 --quiet --log log.csv \
        --save "$made-$model.saved" || return
    tail -n +2 log.csv | cut -d, -f3 >"$made-$model.losses"
    [ "$(wc -l <"$made-$model.losses")" -eq "$steps" ]
}

compile() { # MODEL TARGET
    "$snug" compile "$digits/$1.legacy.onnx" --target "$2" -o "$2-$1" --quiet
}

compare() { # TARGET [EMULATOR...]
    target=$1
    shift
    for run in mlp:2 lenet:1; do
        model=${run%:*}
        check "$target: $model compiles" compile "$model" "$target"
        check "$target: $model trains" train "$model" "${run#*:}" "$target" "$@"
        check "$target: $model: the host's losses" \
            cmp "native-$model.losses" "$target-$model.losses"
        check "$target: $model: the host's weights" \
            cmp "native-$model.saved" "$target-$model.saved"
    done
}

# kernels TARGET TEST [FILTER]: all of them with SNUG_KERNELS=all
kernels() {
    filter=${3:-*}
    [ "${SNUG_KERNELS:-}" != all ] || filter='*'
    check "$1: $2 $filter" env SNUG_TEST_TARGET="$1" timeout 900 \
        "$plain/tests/$2" --jobs 2 --filter "$filter"
}

here=$(uname -m)
for model in mlp lenet; do
    compile $model native || bad "native: $model compiles"
done
train mlp 2 native || bad "native: mlp trains"
train lenet 1 native || bad "native: lenet trains"

# ---- the host's architecture, by levels
has() { # FLAG...: does the processor have them all?
    for flag in "$@"; do
        grep -q -m 1 "^flags.* $flag\( \|$\)" /proc/cpuinfo || return
    done
}
levels=""
if [ "$here" = x86_64 ]; then
    levels="x86-64-v2"
    has avx2 fma bmi1 bmi2 && levels="$levels x86-64-v3"
    has avx512f avx512bw avx512cd avx512dq avx512vl &&
        levels="$levels x86-64-v4"
fi
for target in $levels; do
    compare "$target"
done
for target in $levels; do
    kernels "$target" kernel_test 'maps/*'
    kernels "$target" contract_whole_test 'contract_whole/split'
done

# ---- other architectures
for target in aarch64 riscv64; do
    tools=$target-linux-gnu
    [ "$target" != "$here" ] || continue
    refuse "$target: no cross compiler" 1 "install gcc-$tools" \
        env PATH="$work" "$snug" compile "$digits/mlp.legacy.onnx" \
        --target $target -o none
    refuse "$target: a compiler for this machine" 1 "makes code for $here" \
        env CC=cc "$snug" compile "$digits/mlp.legacy.onnx" \
        --target $target -o none
    if ! command -v $tools-gcc >/dev/null || [ ! -e /usr/$tools/lib/libc.so.6 ] ||
        ! command -v qemu-$target >/dev/null; then
        echo "not run: $target: needs gcc-$tools, its C library and qemu-user"
        continue
    fi
    compare $target qemu-$target -L "/usr/$tools"
    kernels $target kernel_test 'maps/every_row_f32'
    kernels $target contract_whole_test 'contract_whole/split'
    for archive in "$SNUG_CACHE"/runtime-$target-*/libsnug_rt.a; do
        rm "$archive"
    done
    check "$target: a runtime that lacks a part is made again" \
        compile mlp $target
    for kind in lib so; do
        check "$target: $kind" env HOME= XDG_CACHE_HOME= SNUG_CACHE= \
            TMPDIR="$work/tmp" "$snug" compile "$digits/mlp.legacy.onnx" \
            --target $target --emit $kind -o libmodel.$kind --quiet
    done
    [ -z "$(ls -A tmp)" ] && ok "$target: without a cache nothing is left" ||
        bad "$target: without a cache something is left: $(ls -A tmp)"
done
