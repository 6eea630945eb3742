#!/bin/sh
# trace.sh: what --trace writes keeps the rules by which Perfetto and Chrome
# read trace events in JSON.
. "$(dirname "$0")/../program_lib.sh"

cd "$work" || exit 1
if ! perl -MJSON::PP -e 1 2>/dev/null; then
    echo "not run: the rules of traces: no JSON::PP for perl"
    exit 0
fi
# Of every event a phase, a process and a name; slices (X) with a time, a
# duration and a track, none before the one it follows nor across its end; names
# of processes and tracks (M) before what they name; counters (C) with numbers.
cat >rules.pl <<'END'
use strict;
use JSON::PP;
local $/;
my $trace = JSON::PP->new->utf8->decode(<STDIN>);
my ($slices, $counters, %process, %track, %end, %at) = (0, 0);
sub number { !!(defined $_[0] && !ref $_[0] && "$_[0]" =~ /^\d+(\.\d+)?(e-?\d+)?$/) }
sub rule { print("$_[1]\n"), exit 1 unless $_[0] }
rule(ref $trace->{traceEvents} eq "ARRAY", "no traceEvents");
for my $e (@{$trace->{traceEvents}}) {
    my ($kind, $where) = ($e->{ph}, "$e->{pid}/" . ($e->{tid} // ""));
    rule(!!(defined $kind && $kind =~ /^[XMC]$/), "a phase that is not read");
    rule(number($e->{pid}) && length $e->{name}, "no process, no name");
    if ($kind eq "M") {
        rule(!!($e->{name} =~ /^(process|thread)_(name|sort_index)$/), $e->{name});
        rule(defined($e->{args}{name} // $e->{args}{sort_index}), "no args");
        $process{$e->{pid}} = 1 if $e->{name} eq "process_name";
        $track{$where} = 1 if $e->{name} eq "thread_name";
        next;
    }
    rule($process{$e->{pid}}, "a process without a name: $e->{pid}");
    rule(number($e->{ts}), "no time");
    my $row = $kind eq "X" ? $where : "$e->{pid} $e->{name}";
    rule($e->{ts} >= ($at{$row} // 0), "an event before the last one: $e->{name}");
    $at{$row} = $e->{ts};
    if ($kind eq "C") {
        number($_) or rule(0, "a counter without number") for values %{$e->{args}};
        $counters++;
        next;
    }
    rule(number($e->{tid}) && number($e->{dur}), "a slice without tid, dur");
    rule($track{$where}, "a track without a name: $where");
    rule($e->{ts} >= ($end{$where} // 0) - 0.01, "slices overlap: $e->{name}");
    $end{$where} = $e->{ts} + $e->{dur};
    $slices++;
}
rule($slices && $counters, "$slices slices, $counters counters");
END

keeps() { # NAME SNUG-PLAN-WORDS...
    name=$1
    shift
    "$sanitized/snug" plan "$@" --trace trace.json -o text ||
        bad "plan of $name"
    check "the trace keeps the rules: $name" perl rules.pl <trace.json
}
keeps mlp "$digits/mlp.legacy.onnx"
keeps "lenet in a budget" "$digits/lenet.legacy.onnx" --memory 3600KiB
keeps attention "$root/tests/program/attention.snug"
sed 's/"ts": /"st": /' trace.json >broken.json
refuse "a trace without times" 1 "no time" sh -c "perl rules.pl <broken.json"
sed 's/"dur": [0-9.]*/"dur": 1e9/' trace.json >broken.json
refuse "a trace with slices that overlap" 1 "slices overlap" \
    sh -c "perl rules.pl <broken.json"
