#!/bin/sh
# page.sh: the page of charts and plan diff: one file without addresses of
# others, small, names harmless; driven in a headless browser where there is
# one: hover, click, keys, sorting, entries, no word on the console.
. "$(dirname "$0")/../program_lib.sh"

snug=$plain/snug
cd "$work" || exit 1

# Every name of this model is a tag's end.
cat >tags.snug <<'E'
snug 1 stage=model
module "</script><script>alert(1)"
param %"</script>" : f32[16,4] = 1
graph forward {
input %"<!--" : f32[8,16]
f %"<script>" = contract %"<!--", %"</script>" labels="mk,kn->mn" split=1 : f32[8,4] from "</style><b>" MatMul
output %"<script>"
}
E
check "a plan with its page" "$snug" plan "$digits/lenet.legacy.onnx" \
    --report lenet.html -o lenet.txt
check "tags as names" "$snug" plan tags.snug --html tags.html -o tags.txt
if [ "$(grep -o '</script>' tags.html | wc -l)" = 2 ]; then
    ok "names end no script"
else
    bad "names end no script"
fi
if grep -q 'https\?://' lenet.html; then
    bad "the page asks for no other file"
else
    ok "the page asks for no other file"
fi

# ---- plan diff
"$snug" compile "$digits/lenet.legacy.onnx" --emit plan -o a.snug
"$snug" compile "$digits/lenet.legacy.onnx" --passes plain --emit plan -o b.snug
check "diff: a plan and itself" "$snug" plan diff a.snug a.snug
refuse "diff: two plans" 1 "^peak " \
    "$snug" plan diff a.snug b.snug --html two.html
refuse "diff: a file that is not there" 2 "cannot be read" \
    "$snug" plan diff a.snug c.snug
"$snug" plan diff a.snug b.snug >told
if grep -q '^  [-+<>] %conv ' told; then
    ok "diff: names what differs"
else
    bad "diff: names what differs"
fi

# ---- a ladder of budgets
check "a page of budgets" "$snug" plan "$root/tests/program/deep.snug" \
    --pareto --html ladder.html -o ladder.txt

# ---- 10,000 buffers
{
    echo 'snug 1 stage=train'
    echo 'module "long"'
    echo 'graph train {'
    echo 'input %v0 : f32[1]'
    i=0
    while [ $i -lt 10000 ]; do
        echo "f %v$((i + 1)) = exp %v$i : f32[1] from \"/$((i / 10))/Exp\" Exp"
        i=$((i + 1))
    done
    echo 'f %loss = copy %v10000 : f32[1]'
    echo 'output %loss'
    echo '}'
} >long.snug
check "10,000 buffers" "$snug" plan long.snug \
    --passes workspace,schedule,place --html long.html -o long.txt
size=$(stat -c %s long.html)
if [ "$size" -lt 2000000 ]; then
    ok "10,000 buffers: $size bytes"
else
    bad "10,000 buffers: $size bytes"
fi

# ---- in a browser
browser=$(command -v chromium || command -v google-chrome)
if [ -z "$browser" ]; then
    echo "not run: the page in a browser: no chromium here"
    exit 0
fi
cat >lib.js <<'E'
const find = s => document.querySelector(s);
const tell = text => { find("#told").textContent = text.replaceAll("\n", " "); };
const said = () => find("#tip").textContent;
const alive = () => [...document.querySelectorAll("h2")].map(h => h.textContent).find(t => t.startsWith("Alive"));
HTMLElement.prototype.setPointerCapture = () => {};
function point(canvas, x, y, kind) {
  const b = canvas.getBoundingClientRect();
  canvas.dispatchEvent(new PointerEvent(kind, {clientX: b.left + x * b.width, clientY: b.top + y * b.height, pointerId: 1}));
}
E

# told NAME EXPECTED PAGE SCRIPT: what the script, put behind the page's own,
# tells
told() {
    {
        sed '/<\/body>/,$d' "$3"
        echo '<p id="told"></p><script>{'
        cat lib.js
        printf '%s\n' "$4"
        echo '}</script></body></html>'
    } >driven.html
    timeout 120 "$browser" --headless --no-sandbox --disable-gpu \
        --window-size=1300,1400 --enable-logging=stderr \
        --user-data-dir="$work/profile" --dump-dom \
        "file://$work/driven.html" >dom 2>console
    got=$(sed -n 's/.*id="told">\([^<]*\)<.*/\1/p' dom)
    case $got in
    $2) ok "browser: $1" ;;
    *) bad "browser: $1: '$got'" ;;
    esac
    if grep -q 'CONSOLE' console; then
        bad "browser: $1: words on the console"
        grep 'CONSOLE' console
    fi
}
told "hover tells bytes" '*in all*activations*' lenet.html \
    'point(find("canvas.memory"), .8, .5, "pointermove"); tell(said());'
told "hover names a buffer" '*of weights at 0*' lenet.html \
    'point(find("canvas.map"), .5, .9999, "pointermove"); tell(said());'
told "a click chooses a node" 'Alive at node 0' lenet.html \
    'for (const k of ["down", "up"]) point(find("canvas.memory"), .001, .5, "pointer" + k); tell(alive());'
told "keys move along" 'Alive at node 1' lenet.html \
    'for (const k of ["down", "up"]) point(find("canvas.memory"), .001, .5, "pointer" + k);
     find("canvas.memory").dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight"})); tell(alive());'
told "tables sort" 'ascending' lenet.html \
    'const b = find("table th button"); b.click(); tell(b.parentNode.getAttribute("aria-sort"));'
told "another entry" '*forward*' lenet.html \
    'const s = find("select"); s.selectedIndex = [...s.options].findIndex(o => o.text === "forward"); s.onchange(); tell(find("canvas.memory").getAttribute("aria-label"));'
told "two plans" '2 panes' two.html \
    'tell(document.querySelectorAll(".pane").length + " panes");'
keep=$(sed -n 's/^ *none *\([0-9.]* [KM]iB\).*/\1/p' ladder.txt)
least=$(sed -n 's/^least .* (\(.*\))$/\1/p' ladder.txt)
told "the slider stands at keeping everything" "no budget: peak $keep*" ladder.html \
    'tell(find("#ladder output").textContent);'
told "the slider switches the plan" "*: peak $least*$least (*bytes)*" ladder.html \
    'const s = find("#budget"); s.value = 0; s.oninput(); tell(find("#ladder output").textContent + find(".facts dd").textContent);'
told "a click on the curve chooses the plan" '*step*' ladder.html \
    'const c = find("canvas.curve"), b = c.getBoundingClientRect(); c.dispatchEvent(new MouseEvent("click", {clientX: b.left + 60, clientY: b.top + 20})); tell(find("#budget").value === "0" ? find("#ladder output").textContent : "");'
told "what runs again, and why" '*made again for node*' ladder.html \
    'const s = find("#budget"); s.value = 0; s.oninput(); tell(find("#panes").textContent);'
told "keeping everything decides nothing" '*Nothing is recomputed*' ladder.html \
    'tell(find("#panes").textContent);'
told "tags are words" '*&lt;/script&gt;*' tags.html \
    'point(find("canvas.map"), .5, .9999, "pointermove"); tell(said());'
told "10,000 buffers" '2 canvases' long.html \
    'tell(document.querySelectorAll("canvas").length + " canvases");'
