#!/bin/sh
# offload.sh: training whose plan has an activation and a state beside the arena
# ends in the bits of the plan that has none there, whatever carries them, after
# kills too; where the file of a tier cannot be, nothing begins.
. "$(dirname "$0")/../program_lib.sh"

cd "$work" || exit 1
snug=$plain/snug
data=$digits/digits-train.npz
cc -shared -fPIC -D_GNU_SOURCE -O1 -o count.so \
    "$root/tests/program/count_allocations.c" -ldl || bad "the counter builds"

# moves HIDDEN STATE: of the MLP's training step, as text, the first activation
# goes to the space HIDDEN and comes back, and the momentum of the second layer
# lives in the space STATE
cat >moves.pl <<'END'
my ($there, $home) = splice @ARGV, 0, 2;
my ($h, $s) = ('%"/1/Relu_output_0"', '%2.weight.m');
my ($train, $groups, $back, $update) = (0, 0, 0, 0);
my ($h_type, $s_type) = ('f32[64,256]', 'f32[256,256]');
while (<STDIN>) {
    $train = /^graph train/ if /^graph/;
    s/^(state \Q$s\E : .*)$/$1 \@$home+0/;
    if ($train && /^b %"\/0\/Gemm_output_0.g" = group/) {
        print "m %h.in = transfer %h.kept to=\"dev\" : $h_type\n",
            "m %h.back = wait %h.in, %h.kept : $h_type over %h.in\n";
        $back = 1;
    }
    s/\Q$h\E/%h.back/g if $train && $back;
    if ($train && /^u \Q$s\E', /) {
        print "m %s.in = transfer $s to=\"dev\" : $s_type\n",
            "m %s.here = wait %s.in, $s : $s_type over %s.in\n";
        $update = 1;
    }
    s/\Q$s\E([ ,\n])/%s.here$1/g if $update;
    print;
    next unless $train && /^} /;
    $groups++;
    print "m %h.out = transfer $h to=\"$there\" : $h_type\n" if $groups == 1;
    print "m %h.kept = wait %h.out, $h : $h_type over %h.out\n"
        if $groups == 2;
    print "m %s.out = transfer $s', $s to=\"$home\" : $s_type over $s\n",
        "m %s.back = wait %s.out, $s' : $s_type over %s.out\n" if $update;
    $update = 0;
}
END

digest() {
    sha256sum <"$1" | cut -c1-64
}

# a program's run on rows in the order of a seed
run() { # PROGRAM STEPS OPTIONS
    program=$1 steps=$2
    shift 2
    "./$program" --data "$data" --steps "$steps" --seed 3 --quiet "$@"
}

same() { # NAME FILE
    [ "$(digest "$2")" = "$want" ] && ok "$1" || bad "$1: other bits"
}

"$snug" compile "$digits/mlp.legacy.onnx" --quiet -o whole || bad "compile"
"$snug" opt --passes=loss,grad,optimizer,fuse "$digits/mlp.legacy.onnx" \
    -o step.snug || bad "opt"
for spaces in "disk disk" "host disk" "disk host" "host host"; do
    name=$(echo "$spaces" | tr ' ' _)
    # shellcheck disable=SC2086
    perl moves.pl $spaces <step.snug >"$name.snug"
    "$snug" compile "$name.snug" --passes=inplace,workspace,schedule,place \
        --quiet -o "$name" || bad "compile $name"
done

# ---- the same bits
run whole 60 --save whole.trained --checkpoint whole.run --every 30 || bad "whole"
want=$(digest whole.trained)
for spaces in disk_disk host_disk disk_host host_host; do
    for threads in 1 3; do
        run $spaces 60 --threads $threads --save trained || bad "$spaces"
        same "$spaces, $threads threads: the same bits" trained
    done
done
SNUG_IO=threads run disk_disk 60 --save trained || bad "by calls"
same "by calls: the same bits" trained
mkdir spill
run disk_disk 60 --spill spill --save a.trained &
run disk_disk 60 --spill spill --save b.trained
wait $!
same "two programs with one folder: the first" a.trained
same "two programs with one folder: the second" b.trained
check "nothing stays in the folder" sh -c '[ -z "$(ls -A spill)" ]'
run disk_disk 20 --checkpoint half --quiet --every 10 || bad "half"
run whole 60 --checkpoint half --resume --save trained ||
    bad "resumed without tiers"
same "what it saved goes on without tiers" trained
run disk_disk 60 --checkpoint whole.run --resume --save trained 2>err ||
    bad "resumed with tiers"
same "what was saved without goes on with them" trained
run disk_disk 60 --export-onnx disk.onnx && run whole 60 --export-onnx whole.onnx
check "the same ONNX file" cmp disk.onnx whole.onnx

"$snug" compile "$digits/lenet.legacy.onnx" --quiet -o lenet || bad "lenet"
passes=fold,cse,dce,layout,loss,grad,optimizer,fuse,inplace,workspace,schedule
"$snug" compile "$digits/lenet.legacy.onnx" --memory 3500KiB --spill spill \
    --passes=$passes,transfer,place --quiet -o lenet_less ||
    bad "lenet with --spill"
check "--spill makes room" sh -c \
    "./lenet_less --memory-report | grep '^disk .* beside the arena'"
refuse "the budget is too small without it" 3 "no plan" "$snug" compile \
    "$digits/lenet.legacy.onnx" --memory 3500KiB \
    --passes=$passes,transfer,place -o lenet_none
for name in lenet lenet_less; do
    ./$name --data "$digits/digits28-train.npz" --steps 20 --seed 3 --quiet \
        --spill spill --save $name.trained
done
check "and the bits are the same" \
    cmp lenet.trained lenet_less.trained

# ---- what is told
./disk_host --data "$data" --steps 5 --log log.jsonl 2>err
check "the last line tells the tiers" grep \
    'beside the arena: host 256.0 KiB, disk 64.0 KiB; stalled .* s on transfers' err
check "the arena as planned" grep "(0 off)" err
check "each step tells its stall" sh -c \
    '[ $(grep -c "\"stalled\":" log.jsonl) -eq 5 ]'
check "the summary tells them" grep \
    '"host_bytes":262144,"disk_bytes":65536,"stalled_seconds":' log.jsonl
./disk_host --data "$data" --dry-run --spill spill >needs
check "the needs tell them" grep \
    '^disk: 65536 bytes (64.0 KiB) in spill' needs
./disk_host --memory-report >report
check "the report tells where a state is" grep '2.weight.m in host' report

# ---- nothing is taken once it runs
count() { # STEPS
    COUNT_TO=$work/count LD_PRELOAD=$work/count.so "./disk_host" --data "$data" \
        --steps "$1" --threads 2 --quiet && cat count
}
few=$(count 3)
many=$(count 300)
[ -n "$few" ] && [ "$few" = "$many" ] &&
    ok "no allocation after the first step ($few in all)" ||
    bad "allocations: $few in 3 steps, $many in 300"

# ---- ends of all kinds
steps=1500
run whole $steps --save whole.trained || bad "the long run"
want=$(digest whole.trained)
for kind in TERM KILL; do
    rm -rf run
    stopped=0
    tries=0
    got=1
    while [ $got -ne 0 ] && [ $tries -lt 4 ]; do
        timeout --preserve-status -s $kind "0.$((2 + tries % 3))5" \
            ./disk_disk --data "$data" --steps $steps --seed 3 --quiet \
            --spill spill --checkpoint run --every 50 --resume \
            --save trained 2>err
        got=$?
        [ $got -eq 0 ] || stopped=$((stopped + 1))
        tries=$((tries + 1))
    done
    run disk_disk $steps --spill spill --checkpoint run --resume \
        --save trained 2>err || bad "SIG$kind: resumed"
    [ $stopped -gt 0 ] && ok "SIG$kind: stopped $stopped times" ||
        bad "SIG$kind: never stopped"
    same "SIG$kind: the same bits" trained
    check "SIG$kind: nothing stays in the folder" sh -c \
        '[ -z "$(ls -A spill)" ]'
done

# ---- calls that fail, by strace where it may
cat >injected <<END
#!/bin/sh
# WAY FAULT: a run with what strace makes of a call
fault=\$2
[ \$1 = calls ] && export SNUG_IO=threads
exec timeout 60 strace -f -o trace -e inject=\$fault ./disk_disk \\
    --data '$data' --steps 30 --seed 3 --quiet --save trained
END
chmod +x injected
if strace -f -o trace true 2>/dev/null; then
    run whole 30 --save whole.trained || bad "the short run"
    want=$(digest whole.trained)
    for fault in io_uring_setup:error=EPERM io_uring_setup:error=ENOSYS \
        io_uring_enter:error=EINTR:when=3+5 \
        io_uring_enter:error=EAGAIN:when=2+7; do
        rm -f trained
        ./injected queue $fault
        same "$fault is no fault" trained
    done
    refuse "the queue fails" 1 "step [0-9]*: .* Bad file descriptor; stopped" \
        ./injected queue io_uring_enter:error=EBADF:when=20
    for fault in pwrite64:error=EIO pread64:error=EIO pwrite64:retval=0; do
        refuse "$fault" 1 "step [0-9]*: .*: Input/output error; stopped, not" \
            ./injected calls $fault:when=40
    done
    refuse "no bytes to be set aside" 1 "No space left on device; --spill" \
        ./injected queue fallocate:error=ENOSPC
else
    echo "not run: calls that fail: strace is missing or not allowed"
fi

# ---- no room
refuse "no such folder" 1 "absent: cannot make the file of a tier: No such file" \
    ./disk_disk --data "$data" --steps 3 --spill absent
refuse "a file for a folder" 1 "Not a directory; --spill DIR names another" \
    ./disk_disk --data "$data" --steps 3 --spill step.snug
refuse "an unknown way" 2 "SNUG_IO: 'no' is not one of uring, threads" \
    env SNUG_IO=no ./disk_disk --data "$data" --steps 3
refuse "tiers are no option of others" 2 "no option --spil; did you mean --spill" \
    ./whole --data "$data" --spil x
if unshare -m true 2>/dev/null; then
    refuse "a full disk" 1 "needs 327680 bytes, the disk has .* left" \
        unshare -m sh -c "mount -t tmpfs -o size=128k tmpfs spill &&
            ./disk_disk --data '$data' --steps 3 --spill spill"
else
    echo "not run: a full disk: unshare is not allowed"
fi
