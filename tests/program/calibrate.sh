#!/bin/sh
# calibrate.sh: a short `snug calibrate` writes a file that is read back, whose
# figures decide what is predicted; a damaged one is refused with its line.
. "$(dirname "$0")/../program_lib.sh"

snug=$plain/snug
model=$digits/mlp.legacy.onnx
cd "$work" || exit 1

# seconds FILE: what a plan by these figures predicts
seconds() {
    "$snug" plan "$model" --machine "$1" --json 2>/dev/null |
        sed -n 's/.*"seconds_predicted": *\([-+.e0-9]*\).*/\1/p' | head -n 1
}

# about A B: is A within a thousandth of B?
about() {
    awk -v a="$1" -v b="$2" \
        'BEGIN { exit !(a > 0 && b > 0 && a / b > .999 && a / b < 1.001) }'
}

check "a short run" "$snug" calibrate -o figures --seconds 0.01 --quiet
check "its head" grep -q -x 'snug figures 1' figures
for kernel in 'f contract+add+relu' 'u contract_bf16+map' 'f contract_i8' \
    'f contract_i16' 'f attention' 'u conv_grad_weight+map'; do
    check "it has $kernel" grep -q " $kernel" figures
done

check "it says of which kernels" \
    test "$(grep -c '^kernels [0-9a-f]*$' figures)" -eq 1

# stale FILE: how often a plan by these figures says that they are of others
stale() {
    "$snug" plan "$model" --machine "$1" 2>&1 >/dev/null |
        grep -c "^snug: warning: $1: .*snug calibrate"
}

sed 's/^kernels .*/kernels 0123456789abcdef/' figures >others
sed '/^kernels /d' figures >older
check "figures of these kernels pass in silence" test "$(stale figures)" -eq 0
check "those of others are told once" test "$(stale others)" -eq 1
check "so are those of versions that did not say" test "$(stale older)" -eq 1
check "with the same predictions" about "$(seconds older)" \
    "$(seconds figures)"
check "and nothing is said where that is asked for" test -z \
    "$("$snug" plan "$model" --machine older --quiet 2>&1 >/dev/null)"

# The head's four lines, then seconds behind flops and bytes.
awk 'NR <= 4 { print; next } { $3 *= 10; $4 *= 10; print }' figures >slower
check "predictions follow the figures" about "$(seconds slower)" \
    "$(awk -v s="$(seconds figures)" 'BEGIN { print 10 * s }')"
mkdir -p config/snug
cp slower config/snug/machine
found=$(XDG_CONFIG_HOME=$work/config "$snug" plan "$model" --json |
    sed -n 's/.*"seconds_predicted": *\([-+.e0-9]*\).*/\1/p' | head -n 1)
check "the file of the configuration is found" about "$found" \
    "$(seconds slower)"

# ---- faults
head -c 300 figures | sed '$s/ .*//' >cut
refuse "a file that ends early" 1 '^cut:[0-9]*:' \
    "$snug" plan "$model" --machine cut
sed '6s/^[^ ]*/nan/' figures >nan
refuse "a number that is none" 1 '^nan:6:' "$snug" plan "$model" --machine nan
sed '1s/1/9/' figures >later
refuse "another version" 1 '^later:1:' "$snug" plan "$model" --machine later
refuse "no such file" 1 absent "$snug" plan "$model" --machine absent
refuse "no time to measure in" 2 'seconds 0' "$snug" calibrate --seconds 0 \
    -o none
check "which leaves no file" test ! -e none
refuse "a folder that is not there" 1 'absent/figures' \
    "$snug" calibrate --seconds 0.01 -o absent/figures
