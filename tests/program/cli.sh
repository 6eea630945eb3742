#!/bin/sh
# cli.sh: what a person types: configuration, suggestions, codes of errors,
# colour, pages, completion, versions, exit statuses.
. "$(dirname "$0")/../program_lib.sh"

snug=$sanitized/snug
quick=$plain/snug
mlp=$digits/mlp.legacy.onnx
dynamic=$digits/mlp.legacy.dyn.onnx
cd "$work" || exit 1
export LC_ALL=C
unset NO_COLOR CLICOLOR_FORCE
cp "$mlp" mlp.onnx

# says NAME WORDS COMMAND...: it succeeds and says these words
says() {
    name=$1 words=$2
    shift 2
    refuse "$name" 0 "$words" "$@"
}

# ---- configuration
config() { # NAME STATUS WORDS TEXT [VERB-AND-OPTIONS]
    name=$1 status=$2 words=$3
    printf "$4" >c.toml
    shift 4
    [ $# -gt 0 ] || set -- compile mlp.onnx --emit plan -o -
    refuse "config: $name" "$status" "$words" "$snug" "$@" --config c.toml
}

config "an option" 3 "no plan fits in 100.00 KiB" 'memory = "100KiB"\n'
config "a section" 3 "no plan fits in 100.00 KiB" '[compile]\nmemory = 102_400\n'
config "the section wins" 3 "in 100.00 KiB" 'memory = "1GiB"\n[compile]\nmemory = "100KiB"\n'
config "of another verb" 0 "^snug 1 stage=placed" '[plan]\nmemory = "100KiB"\n'
config "the command line wins" 0 "^snug 1 stage=placed" 'memory = "100KiB"\n' compile mlp.onnx --emit plan -o - --memory 1GiB
config "a flag" 0 "gap" 'json = true\n' plan mlp.onnx
config "a flag that is off" 0 "^peak\|peak  " '[plan]\njson = false\n' plan mlp.onnx
config "a value that may be left out" 0 "^snug 1" 'print-changed = true\n' opt --passes=fold mlp.onnx -o -
config "or given" 0 "^snug 1" 'print-changed = "diff"\n' opt --passes=fold mlp.onnx -o -
config "a list" 0 "lr=0.5" 'set = [\n  "lr=0.5", # first\n  "wd=0.25",\n]\n' compile mlp.onnx --emit plan -o - -v
config "names of a section" 0 "wd=0.25" '[compile.set]\nwd = 0.25\n' compile mlp.onnx --emit plan -o - -v
config "each name by itself" 0 "says --set wd=0.25" '[compile]\nset = ["lr=0.5", "wd=0.25"]\n' compile mlp.onnx --emit plan -o - -v --set lr=2
config "the model" 0 "^snug 1 stage=placed" 'model = "mlp.onnx"\nemit = "plan"\noutput = "-"\n' compile
config "the model of the command line" 1 "absent.onnx" 'model = "mlp.onnx"\n' compile absent.onnx
config "both quotes" 0 "^snug 1 stage=placed" "\"emit\" = 'plan'\noutput = \"-\"\n" compile mlp.onnx
config "unknown key" 1 "c.toml:2: error E0121: there is no option 'memroy' of compile, did you mean 'memory'" '[compile]\nmemroy = "1G"\n'
config "unknown key in front" 1 "c.toml:1: error E0121" 'memroy = "1G"\n'
config "unknown section" 1 "no verb 'compil' for a section, did you mean 'compile'" '[compil]\nmemory = "1G"\n'
config "unknown names" 1 "no option of compile is set by names under 'loss'" '[compile.loss]\na = 1\n'
config "no quotes" 1 "c.toml:1: error E0120: '64MiB' is no value" 'memory = 64MiB\n'
config "no value" 1 "c.toml:1" 'memory =\n'
config "no end of a text" 1 "not closed by" 'memory = "64MiB\n'
config "no end of a list" 1 "not closed by \]" 'set = ["a=1",\n'
config "an unknown escape" 1 "behind a backslash" 'memory = "a\\q"\n'
config "two on a line" 1 "nothing more" 'memory = "1G" loss = "mse"\n'
config "a text for a flag" 1 "true or false is expected" 'no-cache = "yes"\n'
config "a flag for a text" 1 "one text or number" 'memory = true\n'
config "a list for a text" 1 "one text or number" 'memory = ["1G"]\n'
config "twice" 1 "E0122: no-cache is set in line 1 already" 'no_cache = true\nno-cache = true\n'
config "not in a file" 1 "has no place in a file" 'help = true\n'
config "a wrong value is told as of the command line" 2 "E0106" 'memory = "many"\n'
config "nothing" 0 "^snug 1" ''
config "bytes" 1 "c.toml:1" '\001\002 = \377\n'
head -c 1100000 /dev/zero | tr '\0' '#' >large.toml
refuse "config: too large" 1 "E0123" "$snug" plan mlp.onnx --config large.toml
(printf 'set = ['; yes '"a=1",' | head -n 5000; printf ']\n') >many.toml
refuse "config: too many values" 1 "E0123: there are more than 4096 values" "$snug" plan mlp.onnx --config many.toml
printf 'memory = "%05000d"\n' 1 >long.toml
refuse "config: too long a value" 1 "E0123: a text has more than 4096" "$snug" plan mlp.onnx --config long.toml
refuse "config: missing" 1 "absent.toml: error E0201: cannot be read" "$snug" plan mlp.onnx --config absent.toml
printf 'a = 1\nb = 2\n[c]\nd = "\n[plan]\nloss = true\nmemory = [1,\n' >all.toml
"$snug" plan mlp.onnx --config all.toml 2>told
[ "$(grep -c '^all.toml:.*error E012' told)" -eq 6 ] &&
    ok "config: all that is wrong is told at once" ||
    { bad "config: all at once"; cat told; }

# ---- init
"$snug" init mlp.onnx -o snug.toml || bad "init"
says "init: works as it is written" "^snug 1 stage=placed" "$snug" compile --config snug.toml --emit plan -o -
refuse "init: replaces nothing" 1 "snug.toml: error E0204: is there already" "$snug" init
cp "$dynamic" dynamic.onnx
check "init: open dimensions" "$snug" init dynamic.onnx -o dynamic.toml
says "init: with open dimensions" "^snug 1 stage=placed" "$snug" compile --config dynamic.toml --emit plan -o -
"$snug" init -o - >general.toml || bad "init without a model"
says "init: without a model" "^snug 1 stage=placed" "$snug" compile mlp.onnx --config general.toml --emit plan -o -
sed 's/^#\([a-z[]\)/\1/' snug.toml >full.toml
[ "$(grep -c '^[a-z-]* = ' full.toml)" -ge 15 ] && ok "init: options" || bad "init: options"
says "init: every line works" "says --optimizer adamw" "$snug" compile \
    --config full.toml -v --emit plan -o -

# ---- suggestions
mean() { # WORD COMMAND...: the nearest is named
    word=$1
    shift
    "$@" >told 2>&1
    if grep -q "did you mean '*$word'*?" told; then ok "did you mean $word"; else
        bad "did you mean $word"
        cat told
    fi
}
mean compile "$snug" complie
mean --memory "$snug" compile mlp.onnx --memmory 1G
mean fold "$snug" opt --passes=foldd mlp.onnx
mean nodes "$snug" opt --passes='place{nodez=1}' mlp.onnx
mean adamw "$snug" plan mlp.onnx --optimizer adamv
mean mse "$snug" plan mlp.onnx --loss mze
mean bf16 "$snug" plan mlp.onnx --precision bf17
mean aarch64 "$snug" plan mlp.onnx --target aarch46
mean lomo "$snug" plan mlp.onnx --method lommo
mean lib "$snug" compile mlp.onnx --emit libb
mean passes "$snug" help pases
mean relu "$snug" help rellu
mean schedule "$snug" compile mlp.onnx --log shedule
mean place "$snug" opt mlp.onnx --print-after plaice
mean auto "$snug" plan mlp.onnx --color atuo
mean batch "$snug" plan dynamic.onnx --dim bacth=64
mean eps "$snug" plan mlp.onnx --set epz=1
mean bash "$snug" completion bahs
mean place "$snug" plan mlp.onnx --set plase.nodes=1
"$snug" compile mlp.onnx --emit plan -o plan.snug || bad "plan"
mean forward "$snug" eval plan.snug --entry forwrad
mean input "$snug" eval plan.snug --entry forward --input inptu=x.npy

# ---- codes
says "explain: a page" "remedy" "$snug" explain E0305
says "explain: a small letter" "^E0601: no plan fits" "$snug" explain e0601
refuse "explain: no such code" 2 "error E0105: there is no code E9999" "$snug" explain E9999
"$snug" explain >codes
[ "$(grep -c '^E[0-9]\{4\}  ' codes)" -ge 50 ] && ok "explain: all codes" || bad "explain: all codes"
for code in $(sed -n 's/^\(E[0-9]\{4\}\)  .*/\1/p' codes); do
    "$quick" explain "$code" >told || bad "explain $code"
    [ "$(wc -l <told)" -ge 8 ] && ! grep -q '.\{81\}' told || bad "explain $code"
done
ok "explain: each page has cause, example and remedy within 80 columns"
# Every code that a message names has a page, and every file that raises has
# a row.
(cd "$root" && grep -rhoE '\bE\(E[0-9]{4}\)' --include='*.c' \
    ir passes codegen frontend) | sed 's/.*(\(.*\))/\1/' | sort -u >named
sed -n 's/^\(E[0-9]\{4\}\)  .*/\1/p' codes | sort >listed
[ -s named ] && [ -z "$(comm -23 named listed)" ] &&
    ok "codes: each that is named is listed" || bad "codes: $(comm -23 named listed)"
(cd "$root" && grep -rhoE '\bE\(E[0-9]{4}|ERROR_E[0-9]{4}' --include='*.c' \
    ir passes codegen frontend
grep -E '^RAISED' "$root/ir/base/error.def"
cat "$root/runtime/status.def") | grep -oE 'E[0-9]{4}' | sort -u >used
[ -z "$(comm -13 used listed)$(grep '^E10' used | comm -23 - listed)" ] && ok "codes: each that is listed is used" ||
    bad "codes: nothing has $(comm -13 used listed)"
(cd "$root" && grep -rlE '\b(complain|raise_at|raise_status)\(' --include='*.c' \
    ir passes codegen frontend) | sort >raising
sed -n 's/^RAISED("\([^"]*\)".*/\1/p' "$root/ir/base/error.def" >prefixes
awk 'NR == FNR { if ($0 != "") prefix[$0]; next }
    { for (p in prefix) if (index($0, p) == 1) next; print }' \
    prefixes raising | grep -v '^ir/base/arena.c\|^ir/base/diag.c' >without
[ -s raising ] && [ ! -s without ] && ok "codes: each file that raises has a row" ||
    bad "codes: no row for $(cat without)"
for topic in $(cd "$root" && grep -rhoE 'log_(line|on)\("[a-z]+"' --include='*.c' \
    ir passes codegen frontend | sed 's/.*"\(.*\)"/\1/' | sort -u); do
    "$quick" plan mlp.onnx --log "$topic" >/dev/null 2>told || bad "--log $topic: $(cat told)"
done
refuse "code: the form of a message" 1 "^absent.onnx: error E0201: cannot be read" "$snug" plan absent.onnx
refuse "code: without a file" 2 "^snug: error E0101: there is no verb" "$snug" complie
refuse "code: a hint" 1 "^hint: --dim batch=64" "$snug" plan dynamic.onnx
perl -0pe 's/Relu/Relo/g' mlp.onnx >relo.onnx
refuse "code: a node" 1 "^relo.onnx: error E0303: node '/1/Relo' (Relo): this" "$snug" plan relo.onnx

# ---- colour
coloured() { # NAME YES-OR-NO COMMAND...: are messages coloured?
    name=$1 want=$2
    shift 2
    "$@" >told 2>&1
    if grep -q "$(printf '\033')\[" told; then got=yes; else got=no; fi
    [ $got = "$want" ] && ok "colour: $name" || bad "colour: $name"
}
terminal() { # a terminal of 100 columns, where there is script(1)
    script -qec "stty cols 100 2>/dev/null; $*" /dev/null </dev/null
}
coloured "no terminal" no "$snug" plan absent.onnx
coloured "always" yes "$snug" plan absent.onnx --color=always
coloured "always, in two words" yes "$snug" plan absent.onnx --color always
coloured "CLICOLOR_FORCE" yes env CLICOLOR_FORCE=1 "$snug" plan absent.onnx
coloured "CLICOLOR_FORCE=0" no env CLICOLOR_FORCE=0 "$snug" plan absent.onnx
coloured "NO_COLOR wins" no env NO_COLOR=1 CLICOLOR_FORCE=1 "$snug" plan absent.onnx
coloured "the option wins over NO_COLOR" yes env NO_COLOR=1 "$snug" plan absent.onnx --color=always
coloured "never wins" no env CLICOLOR_FORCE=1 "$snug" plan absent.onnx --color=never
coloured "a warning" yes "$snug" compile "$root/tests/reference/absent.onnx" --color=always
if command -v script >/dev/null; then
    export TERM=xterm
    coloured "a terminal" yes terminal "$snug" plan absent.onnx
    coloured "a terminal and NO_COLOR" no terminal env NO_COLOR=1 "$snug" plan absent.onnx
    coloured "a dumb terminal" no terminal env TERM=dumb "$snug" plan absent.onnx
    terminal "$snug" help compile | tr -d '\r' >wide
    [ "$(awk '{ if (length > m) m = length } END { print m }' wide)" -gt 82 ] &&
        ! grep -q '.\{101\}' wide && ok "width: of the terminal" ||
        bad "width: of the terminal"
else
    echo "not run: script(1) is not there: colour on a terminal"
fi
refuse "colour: when?" 2 "auto, always or never" "$snug" plan mlp.onnx --color=blue

# ---- help and pages
verbs=$("$snug" help | sed -n 's/^  \([a-z]*\)  *[A-Za-z].*/\1/p' | grep -v '^snug$')
for verb in $verbs; do
    "$quick" help "$verb" >told || bad "help $verb"
    "$quick" "$verb" --help | cmp -s - told || bad "$verb --help"
    grep -q '.\{81\}' told && bad "help $verb is wider than 80"
    grep -q '^examples:' told || bad "help $verb has no examples"
    "$quick" help --man "$verb" >"snug-$verb.1" || bad "help --man $verb"
done
ok "help: of $(echo "$verbs" | wc -w) verbs, within 80 columns, with examples"
"$snug" help --man snug >snug.1
if command -v groff >/dev/null; then
    for page in snug*.1; do
        groff -man -Tascii -P-cbou -ww "$page" >shown 2>warned || bad "$page"
        [ ! -s warned ] && grep -q 'EXIT STATUS' shown || bad "$page"
    done
    ok "man: $(ls snug*.1 | wc -l) pages without a warning"
fi
for page in snug*.1; do
    cmp -s "$page" "$sanitized/share/man/man1/$page" || bad "build: $page"
done
ok "man: the build has them"
says "help: environment" "SNUG_CACHE_SIZE" "$snug" help environment
(cd "$root" && grep -rhoE '(getenv|command_new|tool)\((a, )?"[A-Z_]+"' --include='*.c' \
    ir passes codegen frontend runtime) | grep -oE '[A-Z_]{2,}' | sort -u >asked
for variable in $(cat asked); do
    "$snug" help environment | grep -q "^  $variable " ||
        bad "environment: $variable is not told of"
done
[ "$(wc -l <asked)" -ge 12 ] && ok "environment: every variable is told of" ||
    bad "environment: $(cat asked)"
for part in '^snug [0-9]' 'LLVM [0-9]' 'protobuf-c [0-9]' 'GLPK [0-9]' 'zlib ' 'jansson [0-9]' 'Apache-2.0' 'targets: native'; do
    says "version: $part" "$part" "$quick" --version
done
says "verbose" "snug: note: dynamic.toml says --dim batch=64" "$snug" plan --config dynamic.toml -v
refuse "verbose and quiet" 2 "E0108" "$snug" plan mlp.onnx -v --quiet

# ---- completion
"$snug" completion bash >snug.bash
if command -v bash >/dev/null; then
    check "completion: bash reads it" bash -n snug.bash
    cat >complete.bash <<'END'
. ./snug.bash
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
compopt() { :; }
_snug
printf '%s\n' "${COMPREPLY[@]}"
END
    completes() { # WANTED WORDS...: it is among the replies
        want=$1
        shift
        bash complete.bash "$@" | grep -qx -- "$want" &&
            ok "completion: $*: $want" || bad "completion: $*: $want"
    }
    completes compile snug comp
    completes --memory snug compile --mem
    completes ptx snug compile mlp.onnx --emit p
    completes plan snug compile mlp.onnx --emit = p
    completes so snug compile mlp.onnx --emit =  # the words of --emit=
    completes adamw snug plan mlp.onnx --optimizer ada
    completes mlp.onnx snug compile ml
    completes mlp.onnx snug compile -o ml
    completes snug.toml snug plan --config sn
    completes passes snug help pa
    completes fish snug completion f
    completes E0305 snug explain E030
    completes cuda:sm_80 snug compile --target cuda
    bash complete.bash snug pack --loss | grep -q . && bad "completion: option of another verb" ||
        ok "completion: no option of another verb"
fi
for shell in zsh fish; do
    "$snug" completion $shell >script || bad "completion $shell"
    cmp -s script "$sanitized"/share/completions/$shell/*snug* ||
        bad "build: completion of $shell"
    if command -v $shell >/dev/null; then
        check "completion: $shell reads it" $shell -n script
    else
        echo "not run: $shell is not there"
    fi
done

if command -v fish >/dev/null; then
    "$quick" completion fish >snug.fish
    check "completion: fish finds the words of an option" sh -c \
        'fish --no-config -c "source snug.fish
        complete -C \"snug compile --emit p\"" | grep -q "^ptx"'
fi
if command -v zsh >/dev/null; then
    "$quick" completion zsh >snug.zsh
    check "completion: zsh takes it" sh -c 'zsh -f -c "autoload -Uz compinit
        compinit -D -u; source ./snug.zsh; echo \$_comps[snug]" |
        grep -qx _snug'
fi

# ---- exit statuses: each verb
status() { # WANTED COMMAND...
    want=$1
    shift
    "$@" >/dev/null 2>told
    got=$?
    [ $got -eq "$want" ] && ok "status $want: $(echo "$*" | cut -c 1-60)" ||
        { bad "status $want: $*: $got"; cat told; }
}
cd "$work" && printf 'id,lower,upper,size\na,0,5,100\nb,3,9,7\n' >t.csv
printf 'snug 1 stage=model\nmodule "m"\ngraph forward {\ninput %%x : f32[2]\nf %%y = relu %%x : f32[2]\noutput %%y\n}\n' >relu.snug
"$snug" opt --passes= relu.snug -o small.snug || bad "small.snug"
printf '\223NUMPY\001\000\166\000%-117s\n' "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }" >x.npy
printf '\000\000\200\077\000\000\000\300' >>x.npy
status 0 "$snug" compile mlp.onnx --emit plan -o -
status 0 "$snug" plan mlp.onnx
status 0 "$snug" plan check plan.snug
status 0 "$snug" plan diff plan.snug plan.snug
status 0 "$snug" pack t.csv
status 0 "$snug" opt --passes=fold mlp.onnx -o -
status 0 "$snug" eval small.snug --input x=x.npy
status 0 "$snug" inspect mlp.onnx
status 0 "$snug" ops
status 0 "$snug" init -o -
status 0 "$snug" explain
status 0 "$snug" completion zsh
status 0 "$snug" help
status 0 "$snug"
status 0 "$snug" --version
for verb in compile plan opt inspect; do
    status 1 "$snug" $verb absent.onnx
done
status 1 "$snug" pack absent.csv
status 1 "$snug" eval small.snug
status 1 "$snug" calibrate -o /nowhere/machine --seconds 0.01
status 1 "$snug" init absent.onnx -o -
status 1 "$snug" plan check relu.snug
for verb in compile plan pack opt eval calibrate inspect ops init explain completion help; do
    status 2 "$snug" $verb --no-such-option
done
for verb in compile pack opt eval inspect completion; do
    status 2 "$snug" $verb
done
status 2 "$snug" plan
status 2 "$snug" plan diff plan.snug
status 2 "$snug" explain nonsense
status 2 "$snug" init a b
status 2 "$snug" help no-such-topic
status 2 "$snug" ops more
status 2 "$snug" calibrate more
status 3 "$snug" compile mlp.onnx --memory 100KiB
status 3 "$snug" plan mlp.onnx --memory 100KiB
status 3 "$snug" opt --passes=default --memory 100KiB mlp.onnx
status 3 "$snug" pack t.csv --capacity 50
# What no machine has is not the input's fault: too little memory.
sed 's/^graph/param %w : f32[200000000] = random 1 0.3\n&/' relu.snug >huge.snug
(ulimit -v 400000; status 4 "$plain/snug" eval huge.snug --input x=x.npy)
