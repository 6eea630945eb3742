#!/bin/sh
# opt.sh: looking into pipelines: what passes change, bisecting, crash files
# that run again, reducing, passes of plugins.
. "$(dirname "$0")/../program_lib.sh"

snug=$plain/snug
model=$digits/mlp.legacy.onnx
passes=fold,cse,dce,rewrite,loss,grad,optimizer
cd "$work" || exit 1
mkdir -p include/snug
cp "$root/passes/plugin_abi.h" include/snug/plugin.h
plugin() { # NAME SOURCE OPTIONS...
    out=$1 source=$2
    shift 2
    cc -std=c99 -Wall -Wextra -Wpedantic -Werror -shared -fPIC -Iinclude "$@" \
        -o "$out" "$root/$source" || bad "plugin $out"
}

# ---- what is printed
"$snug" opt --passes= "$model" -o start.snug || bad "start"
"$snug" opt --passes=$passes start.snug -o end.snug || bad "end"
"$snug" opt --passes=$passes --print-changed=diff start.snug -o end2.snug \
    2>diff.txt || bad "print-changed"
check "printing changes nothing" cmp end.snug end2.snug
if command -v patch >/dev/null; then
    cp start.snug patched.snug
    awk '/^# changed by/ { n++ } { print > ("diff" n ".txt") }' diff.txt
    for n in 1 2 3 4 5 6 7 8 9; do
        [ ! -f diff$n.txt ] || patch -s --fuzz=0 patched.snug diff$n.txt ||
            bad "diff $n"
    done
    check "the diffs lead from the start to the end" cmp patched.snug end.snug
else
    echo "not run: the diffs by patch(1)"
fi
"$snug" opt --passes=cse,cse start.snug --print-changed -o one.snug 2>again.txt
check "what changes nothing is not printed" sh -c "! grep -q . again.txt"
"$snug" opt --passes=$passes --print-changed start.snug -o end2.snug 2>whole.txt
check "whole: the last change is the end" sh -c \
    "tac whole.txt | awk '/^# changed by/ { exit } { print }' | tac |
     cmp - end.snug"
"$snug" opt --passes=loss,grad --print-before=loss start.snug -o end2.snug \
    2>before.txt
check "print-before" sh -c "tail -n +2 before.txt | cmp - start.snug &&
    head -n 1 before.txt | grep -q '^# before loss$'"
refuse "print-before of what is no pass" 2 "did you mean 'loss'" \
    "$snug" opt --print-before=lsos start.snug
refuse "print-changed in another way" 2 "nothing or diff" \
    "$snug" opt --print-changed=dif start.snug

"$snug" opt --passes=default "$model" --print-pipeline-passes \
    --pass-statistics --set fold.most=99 -o plan.snug 2>counts.txt
check "the pipeline, taken apart, is one again" sh -c \
    "'$snug' opt --passes=\"\$(head -n 1 counts.txt)\" '$model' -o - |
     cmp - plan.snug"
check "the set option is in it" grep -q '^cut,fold{most=99},' counts.txt
commas=$(head -n 1 counts.txt | tr -cd , | wc -c)
check "a line a pass" [ "$(wc -l <counts.txt)" -eq $((commas + 3)) ]
peak=$(sed -n 's/^meta peak="\(.*\)"/\1/p' plan.snug)
check "the last live set is the peak" sh -c \
    "tail -n 1 counts.txt | grep -q '^place .* $peak\$'"

"$snug" opt --passes=default "$model" --pass-statistics=json -o plan2.snug \
    2>counts.json
check "statistics as JSON: a line a pass, and the peak" sh -c \
    "[ \$(grep -cE '^\{\"pass\": \"[a-z]+\", \"nodes\": \[[0-9]+, [0-9]+\], \"values\": \[[0-9]+, [0-9]+\], \"stores\": \[[0-9]+, [0-9]+\], \"live_bytes\": \[[0-9]+, [0-9]+\]\}\$' counts.json) -eq $((commas + 1)) ] &&
     tail -n 1 counts.json | grep -q ', $peak\]}\$'"
refuse "statistics in another way" 2 "nothing or json" \
    "$snug" opt --pass-statistics=xml start.snug

# ---- the passes
"$snug" opt --list-passes >passes.txt || bad "list-passes"
check "every pass is listed" sh -c "sed -n 's/^PASS(\([a-z]*\),.*/\1/p' \
    '$root/passes/pass.def' | while read -r pass; do
        grep -q \"^\$pass \" passes.txt || exit 1; done"
check "with stages and options" sh -c \
    "grep -q '^place *order *-> placed' passes.txt &&
     grep -q '^ *rule text \[adamw\]' passes.txt"

# ---- bisecting
"$snug" opt --passes=$passes --opt-bisect-limit=3 start.snug -o three.snug \
    2>bisect.txt
"$snug" opt --passes=fold,cse,dce start.snug -o want.snug
check "bisect: three passes of seven" cmp three.snug want.snug
check "bisect: it is told which" sh -c \
    "grep -c '^bisect: running pass' bisect.txt | grep -qx 3 &&
     grep -q 'bisect: not running pass 4 of 7: rewrite' bisect.txt"
"$snug" opt --passes=$passes --opt-bisect-limit=-1 start.snug -o all.snug \
    2>bisect.txt
check "bisect: -1 is all of them" cmp all.snug end.snug
refuse "bisect: not a number" 2 "a number of passes" \
    "$snug" opt --opt-bisect-limit=x start.snug

# ---- plugins
plugin double.so examples/plugin/double_negation.c
plugin faulty.so tests/program/faulty.c
echo 'extern int nothing; int nothing;' >empty.c
cc -shared -o empty.so empty.c || bad "plugin empty.so"
plugin version.so tests/program/faulty.c -DVERSION=99
plugin taken.so tests/program/faulty.c '-DNAME="fold"'
plugin named.so tests/program/faulty.c '-DNAME="Planted,x"'
cat >negations.snug <<'END'
snug 1 stage=model
module "n"
graph forward {
input %x : f32[4]
f %a = neg %x : f32[4]
f %b = neg %a : f32[4]
f %c = neg %b : f32[4]
output %c
}
END
"$snug" opt --load-pass-plugin double.so --passes=double-negation,dce \
    negations.snug -o negation.snug || bad "double-negation"
[ "$(grep -c ' = neg ' negation.snug)" -eq 1 ] && ok "a plugin's pass runs" ||
    bad "a plugin's pass runs"
"$snug" opt --load-pass-plugin double.so negations.snug -o none.snug \
    '--passes=double-negation{most=0}' || bad "double-negation{most=0}"
check "its options" cmp none.snug negations.snug
refuse "its options are checked" 2 "cannot be 'x'" "$snug" opt \
    --load-pass-plugin double.so '--passes=double-negation{most=x}' \
    negations.snug
check "it is listed" sh -c "'$snug' opt --list-passes \
    --load-pass-plugin double.so | grep -q '^double-negation any.*(plugin)'"
refuse "did you mean" 2 "did you mean 'double-negation'" "$snug" opt \
    --load-pass-plugin double.so --passes=double-negatoin negations.snug
check "in the sanitized compiler" sh -c "'$sanitized/snug' opt --log=plugin \
    --load-pass-plugin double.so --passes=double-negation,dce negations.snug \
    -o - 2>log | cmp - negation.snug && grep -q 'double-negation: forward' log"
check "compile takes it" "$snug" compile "$model" --emit plan -o plan.snug \
    --load-pass-plugin double.so --passes double-negation,default
for compiler in "$plain" "$sanitized"; do
    "$compiler/snug" opt --load-pass-plugin faulty.so --log=plugin \
        --passes=adds negations.snug -o added.snug 2>log || bad "adds"
    check "a plugin adds a node" sh -c "grep -q '%added = abs %a : f32\[4\]' \
        added.snug && grep -q '%b = neg %added' added.snug &&
        grep -q 'no op' log"
done
fault() { # NAME STATUS WORDS PASS
    refuse "plugin: $1" "$2" "$3" "$sanitized/snug" opt --crash-dir=. \
        --load-pass-plugin faulty.so --passes="$4" negations.snug
}
fault "an index out of range" 4 "index is out of range" index-out
fault "a graph that is not valid" 4 "pass 'invalid' left a graph" invalid
fault "dropping what is read" 4 "is dropped is read" read-dropped
fault "a complaint of its own" 1 "refuses: this is not for me" refuses
fault "a line that is none" 1 "frobnicate" adds-nonsense
refuse "a plugin of another version" 1 "for version 99" \
    "$snug" opt --load-pass-plugin version.so --list-passes
refuse "a name that is taken" 1 "a pass or preset 'fold' already" \
    "$snug" opt --load-pass-plugin taken.so --list-passes
refuse "a name that is none" 1 "small letters" \
    "$snug" opt --load-pass-plugin named.so --list-passes
refuse "a library that is none" 1 "cannot be loaded" \
    "$snug" opt --load-pass-plugin start.snug --list-passes
refuse "a library without passes" 1 "no plugin of passes" \
    "$snug" opt --load-pass-plugin empty.so --list-passes
refuse "a plugin twice" 1 "already" "$snug" opt --list-passes \
    --load-pass-plugin double.so --load-pass-plugin double.so

# ---- bisecting what is wrong and says nothing
cat >sign.snug <<'END'
snug 1 stage=model
module "sign"
param %p : f32[4] = 2
graph forward {
f %a = neg %p : f32[4]
f %b = tanh %a : f32[4]
output %b
}
END
right=$("$snug" eval sign.snug)
low=0 high=6 # right after low passes, wrong after high
while [ $((high - low)) -gt 1 ]; do
    middle=$(((low + high) / 2))
    "$snug" opt --load-pass-plugin faulty.so --opt-bisect-limit=$middle \
        --passes=fold{most=0},cse,dce,wrong,rewrite,dce sign.snug -o half.snug \
        2>bisect.txt || bad "bisect: $middle passes"
    if [ "$("$snug" eval half.snug)" = "$right" ]; then low=$middle
    else high=$middle; fi
done
[ $high -eq 4 ] && ok "bisecting finds the planted pass" ||
    bad "bisecting finds pass $high"

# ---- crash files
cat >relu.snug <<'END'
snug 1 stage=model
module "planted"
graph forward {
input %x : f32[8,8]
f %a = relu %x : f32[8,8]
f %b = tanh %a : f32[8,8]
output %b
}
END
mkdir crash
refuse "an internal error of a pass" 4 "is in crash/crash.snug" "$snug" opt \
    --crash-dir=crash --load-pass-plugin ./faulty.so --memory=1MiB \
    '--passes=cse,planted,fold{most=7}' relu.snug
printf '# run: planted,fold{most=7}\n# memory: 1048576\n# plugin: ./faulty.so\n' \
    >want
check "it opens with the rest of the pipeline" sh -c \
    "head -n 3 crash/crash.snug | cmp - want"
check "and holds the graph" sh -c "tail -n +4 crash/crash.snug | cmp - relu.snug"
cp crash/crash.snug crash.snug
refuse "it runs again" 4 "pass 'planted' of a plugin failed" \
    "$snug" opt --run-reproducer --crash-dir=crash crash.snug
check "the command line wins" "$snug" opt --run-reproducer crash.snug \
    --passes=fold -o fixed.snug
check "with the graph as it was" cmp fixed.snug relu.snug
refuse "not a crash file" 1 "# run: PASSES" "$snug" opt --run-reproducer \
    relu.snug
rm crash/crash.snug
refuse "a signal in a pass" 4 "pass 'signalled' ended by a signal" \
    "$snug" opt --crash-dir=crash --load-pass-plugin ./faulty.so \
    --passes=cse,signalled relu.snug
check "it leaves the same file" sh -c \
    "head -n 1 crash/crash.snug | grep -qx '# run: signalled'"
refuse "and runs again" 4 "ended by a signal" "$snug" opt --crash-dir=crash \
    --run-reproducer crash/crash.snug
refuse "no folder for the file: the error stays" 4 "of a plugin failed" \
    "$snug" opt --crash-dir=absent --load-pass-plugin ./faulty.so \
    --passes=planted relu.snug

# ---- stopping, and going on
loop=$root/tests/program/denoise.onnx
"$snug" compile "$loop" --emit plan -o whole.snug --quiet
for pass in codec schedule; do
    "$snug" opt "$loop" --passes=default --stop-after $pass -o half.snug
    "$snug" compile half.snug --emit plan -o rest.snug --quiet
    check "the plan behind $pass is that of one go" cmp whole.snug rest.snug
done

# ---- reducing
"$snug" opt --passes=loss,grad "$digits/lenet.legacy.onnx" -o large.snug
grep -q ' = relu ' large.snug || bad "lenet has a relu"
name=$(sed -n 's/^f \(%.*\) = relu .*/\1/p' large.snug | head -n 1)
type=$(sed -n 's/^f %.* = relu [^:]* : \([^ ]*\).*/\1/p' large.snug | head -n 1)
awk -v name="$name" -v type="$type" '{ print }
    index($0, "f " name " = relu ") == 1 {
        print "f %planted = tanh " name " : " type }' large.snug |
    sed 's/^output %logits$/&\noutput %planted/' >planted.snug
cat >fails.sh <<END
'$snug' opt --load-pass-plugin '$work/faulty.so' --passes=planted "\$1" \
    --crash-dir='$work/crash' -o /dev/null 2>&1 | grep -q "of a plugin failed"
END
nodes=$(grep -c '^[fbu] ' planted.snug)
check "reduced" "$sanitized/snug" opt --reduce="sh $work/fails.sh" planted.snug \
    -o small.snug
left=$(grep -c '^[fbu] ' small.snug)
[ "$nodes" -gt 60 ] && [ "$left" -eq 2 ] &&
    ok "the planted fault is found: $left nodes of $nodes" ||
    bad "$left nodes of $nodes are left"
check "it is still of interest" sh fails.sh small.snug
check "nothing else is in it" sh -c \
    "! grep -q '^param\|^state\|^meta' small.snug"
"$sanitized/snug" opt --reduce="sh $work/fails.sh" planted.snug -o small2.snug 2>log
check "the same again" cmp small.snug small2.snug
refuse "of no interest" 1 "is not of interest itself" \
    "$snug" opt --reduce=false planted.snug
