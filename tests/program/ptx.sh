#!/bin/sh
# ptx.sh: kernels for GPUs from the command line: of models and of textual IR,
# assembled where ptxas is there; what is refused; and the tests of row kernels
# with every kernel run as a grid of threads on this processor.
. "$(dirname "$0")/../program_lib.sh"

snug=$plain/snug
reference=$root/tests/reference
ptxas=${PTXAS:-$(command -v ptxas || echo /usr/local/cuda/bin/ptxas)}
cd "$work" || exit 1

assembles() { # FILE GPU: without spills, local memory or a stack
    "$ptxas" -arch "$2" -v --warn-on-spills --warn-on-local-memory-usage \
        -Werror -o "$1.cubin" "$1" >"$1.log" 2>&1 &&
        grep -q 'registers' "$1.log" &&
        ! grep 'stack frame' "$1.log" |
        grep -qv ' 0 bytes stack frame, 0 bytes spill'
}

ptx() { # MODEL GPU FILE
    "$snug" compile "$1" --emit ptx --target "cuda:$2" -o "$3" --quiet
}

[ -x "$ptxas" ] || echo "not run: assembling PTX: needs ptxas (CUDA 12 or later)"
for model in "$digits/mlp.legacy.onnx" "$digits/lenet.legacy.onnx" \
    "$reference/gpt.legacy.onnx"; do
    short=$(basename "$model" .legacy.onnx)
    for gpu in sm_80 sm_90; do
        check "$short: PTX for $gpu" ptx "$model" $gpu $short.$gpu.ptx
        [ -x "$ptxas" ] || continue
        check "$short: ptxas takes it for $gpu" assembles $short.$gpu.ptx $gpu
    done
done
check "every kernel says how it is started" sh -c \
    'test "$(grep -c "^// snug_.* blocks; " mlp.sm_90.ptx)" -eq \
        "$(grep -c "\.entry" mlp.sm_90.ptx)"'
check "what is left out is said" sh -c "'$snug' compile \
    '$digits/mlp.legacy.onnx' --emit ptx --target cuda:sm_80 -o left.ptx 2>&1 |
    grep -q 'note: .* none for a GPU yet: [0-9]* contract' &&
    grep -q '^// not here: contract ' left.ptx"

# ---- the same from textual IR, at any stage, and to the standard output
check "from a plan" sh -c "'$snug' compile '$digits/mlp.legacy.onnx' \
    --emit plan --target cuda:sm_90 -o plan.snug --quiet &&
    '$snug' plan check plan.snug &&
    '$snug' compile plan.snug --emit ptx --target cuda:sm_90 -o plan.ptx \
        --quiet && cmp plan.ptx mlp.sm_90.ptx"
check "from the output of opt" sh -c "'$snug' opt --passes=loss,grad,optimizer \
    '$digits/mlp.legacy.onnx' -o opt.snug &&
    '$snug' compile opt.snug --emit ptx --target cuda:sm_80 -o opt.ptx --quiet"
check "to the standard output" sh -c "'$snug' compile plan.snug --emit ptx \
    --target cuda:sm_90 -o - | cmp - plan.ptx"
check "values lie 256 bytes apart" sh -c "! grep -o '@dev+[0-9]*' plan.snug |
    sed 's/.*+//' | awk '\$1 % 256 { bad = 1 } END { exit !bad }'"

# ---- refusals
mlp=$digits/mlp.legacy.onnx
refuse "an unknown GPU" 2 "cuda:sm_80, cuda:sm_86, cuda:sm_89, cuda:sm_90" \
    "$snug" compile "$mlp" --emit ptx --target cuda:sm_42 -o no.ptx
refuse "no GPU" 2 "for which GPU" "$snug" compile "$mlp" --emit ptx -o no.ptx
refuse "PTX for a processor" 2 "for which GPU" \
    "$snug" compile "$mlp" --emit ptx --target aarch64 -o no.ptx
refuse "a program for a GPU" 2 "no programs yet" \
    "$snug" compile "$mlp" --target cuda:sm_90 -o no
refuse "assembly for a GPU" 2 "no programs yet" \
    "$snug" compile "$mlp" --emit asm --target cuda:sm_90 -o no.s
cat >product.snug <<'EOF'
snug 1 stage=train
module "product"
graph train {
input %a : f32[5]
input %b : f32[5]
f %loss = contract %a, %b labels="k,k->" split=1 : f32[]
output %loss
}
EOF
refuse "products only" 1 "nothing in it can be made for a GPU yet (1 contract)" \
    "$snug" compile product.snug --emit ptx --target cuda:sm_90 -o no.ptx
check "nothing of the refused is left" sh -c '! ls no* 2>/dev/null'

# ---- the bits, by the tests of the processor's kernels
for tests in 'maps/*' 'reductions/*' 'groups/*'; do
    check "as grids of threads: $tests" env SNUG_TEST_TARGET=grid timeout 600 \
        "$plain/tests/kernel_test" --jobs 2 --filter "$tests"
done
