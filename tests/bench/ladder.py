"""Budgets beside PyTorch's ways to save memory: bytes, and what they add to the time of a step.

    python ladder.py --torch PYTHON [--snug PATH] [--folder F] [--rounds N] [--steps N] [MODEL...]

Activations are what stands above weights and optimizer state at the peak: of our plans in the arena, of PyTorch in its tensor allocator.
Ours keep everything, then get the shares of LADDER and those that PyTorch's checkpoints and budgets leave of what it keeps otherwise.
All contenders take turns (A B C A B C ...). What is added is told twice, over the same side's runs that keep everything: the median over
the rounds of the ratio of a turn's median steps (least..most), and the ratio of the quickest steps of all rounds, which other programs
disturb least. Every program of ours must end with the same weights, in the bytes planned.
"""
import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys

from steps import PEERS, Peer

HERE = os.path.dirname(os.path.abspath(__file__))
NAMES = ("resnet50", "mobilenetv2", "vit_tiny", "bert_base", "gpt2_t512")
LADDER = (0.90, 0.75, 0.60, 0.50, 0.45, 0.30, 0.20)
BUDGETS = ("budget=0.5", "budget=0.25")


class Planned:
    """A program of ours under a budget; None keeps everything."""

    def __init__(self, model, rule, share, budget, options):
        self.share, self.base, self.options = share, os.path.join(options.folder, model), options
        self.program = f"{self.base}.ladder.{share or 1:.3f}"
        words = [self.base + ".onnx", "--optimizer", rule, *(("--set", "mu=0.9") if rule == "sgd" else ()),
                 *(("--memory", str(budget)) if budget else ("--set", "recompute.spare=0"))]
        text = self.program + ".snug"
        made = subprocess.run([options.snug, "compile", *words, "--quiet", "--emit", "plan", "-o", text], capture_output=True, text=True)
        self.plan, self.refusal = None, " ".join(made.stderr.split())
        if made.returncode == 0:  # planned once: what is told and what is run are of one text
            told = subprocess.run([options.snug, "plan", text, "--json"], capture_output=True, text=True, check=True)
            self.plan = json.loads(told.stdout)
            subprocess.run([options.snug, "compile", text, "--quiet", "-o", self.program], check=True)

    def stores(self):
        """Bytes of weights and state, as the arena has them."""
        return sum((b["bytes"] + 63) // 64 * 64 for b in self.plan["buffers"]
                   if b["entry"] == "train" and b["owner"] in ("weights", "state") and not b["over"])

    def turn(self, steps):
        log, weights = self.base + ".ladder.jsonl", self.base + ".ladder.safetensors"
        subprocess.run([self.program, "--data", self.base + ".npz", "--steps", str(1 + steps), "--quiet", "--batch-order", "sequential",
                        "--threads", str(self.options.threads), "--log", log, "--save", weights], check=True)
        with open(log) as file:
            lines = [json.loads(line) for line in file]
        with open(weights, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if lines[-1]["arena_bytes"] != self.plan["peak"]:
            sys.exit(f"{self.program}: {lines[-1]['arena_bytes']} bytes of arena, {self.plan['peak']} planned")
        return dict(seconds=[line["seconds"] for line in lines if "loss" in line][1:], digest=digest)

    def end(self):
        for name in (self.program, self.program + ".snug", self.program + ".safetensors"):
            if os.path.exists(name):
                os.remove(name)


def torch_peers(model, options):
    """-> {mode: Peer}"""
    return {mode: Peer([options.torch, os.path.join(PEERS, "bench_torch.py"), model, options.folder, mode, "--bytes"], options)
            for mode in ("eager", "ckpt", "compile", *BUDGETS)}


def activations(told):
    return told["tensor_bytes"] - told["kept_bytes"]


def yardstick(mode):
    """What a mode of PyTorch is held against: the same without saving."""
    return "eager" if mode in ("eager", "ckpt") else "compile"


def plans(model, rule, peers, options):
    """-> ours: the one that keeps everything, then falling shares."""
    whole = Planned(model, rule, None, None, options)
    stores = whole.stores()
    shares = {round(activations(peers[mode].told) / activations(peers[yardstick(mode)].told), 3) for mode in ("ckpt", *BUDGETS)}
    ours = [whole]
    for share in sorted({share for share in shares if share < 0.99}.union(LADDER), reverse=True):
        ours.append(Planned(model, rule, share, int(stores + (whole.plan["peak"] - stores) * share), options))
    return ours


def rounds_of(ours, peers, options):
    """-> {contender: the seconds of its steps, a list a round}"""
    seconds = {one: [] for one in (*ours, *peers)}
    digests = set()
    for number in range(options.rounds):
        for one in ours:
            answer = one.turn(options.steps)
            seconds[one].append(answer["seconds"])
            digests.add(answer["digest"])
        for mode, peer in peers.items():
            seconds[mode].append(peer.turn(options.steps)["step_seconds"])
        print(f"round {number}: snug {min(seconds[ours[0]][-1]):.3f} s, eager {min(seconds['eager'][-1]):.3f} s", file=sys.stderr)
    if len(digests) != 1:
        sys.exit(f"{len(digests)} different weights")
    return seconds


def added(seconds, one, base):
    """Two cells: by turns, and by the quickest steps."""
    ratios = sorted(100 * (statistics.median(a) / statistics.median(b) - 1) for a, b in zip(seconds[one], seconds[base]))
    quickest = 100 * (min(map(min, seconds[one])) / min(map(min, seconds[base])) - 1)
    return f"{statistics.median(ratios):+.1f} % ({ratios[0]:+.1f}..{ratios[-1]:+.1f}) | {quickest:+.1f} %"


def milliseconds(seconds, one):
    return f"{1e3 * min(map(min, seconds[one])):.0f}"


def tell(model, ours, refused, peers, seconds):
    whole = ours[0]
    stores, kept = whole.stores(), whole.plan["seconds_predicted"]
    above = whole.plan["peak"] - stores
    rows = []
    for one in ours:
        predicted = 100 * (one.plan["seconds_predicted"] / kept - 1)
        bytes_above = one.plan["peak"] - stores
        rows.append((bytes_above / above, 0, f"| snug | {100 * bytes_above / above:.0f} % | {bytes_above:,} | {milliseconds(seconds, one)} "
                     f"| {added(seconds, one, whole)} | {predicted:+.1f} % |"))
    for one in refused:
        rows.append((one.share, 0, f"| snug | {100 * one.share:.0f} % | refused: {one.refusal} | | | | |"))
    for mode, peer in peers.items():
        share = activations(peer.told) / activations(peers[yardstick(mode)].told)
        rows.append((share, 1, f"| torch {mode} | {100 * share:.0f} % | {activations(peer.told):,} | {milliseconds(seconds, mode)} "
                     f"| {added(seconds, mode, yardstick(mode))} | |"))
    print(f"\n{model}\n\n"
          "| contender | share | bytes above weights and state | quickest step, ms | added by turns | by the quickest | predicted |\n|---|---|---|---|---|---|---|")
    print("\n".join(row for _, _, row in sorted(rows, key=lambda row: (-row[0], row[1]))), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="*", default=NAMES, metavar="MODEL")
    parser.add_argument("--snug", default=os.path.join(HERE, "..", "..", "build", "snug"))
    parser.add_argument("--torch", required=True, metavar="PYTHON")
    parser.add_argument("--folder", default="bench-models", help="of models, as steps.py leaves it")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3, help="of a turn")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    options.quiet, options.folder, options.snug = [], os.path.abspath(options.folder), os.path.abspath(options.snug)
    for model in options.models:
        with open(os.path.join(options.folder, model + ".json")) as file:
            rule = json.load(file)["rule"]
        peers = torch_peers(model, options)
        tried = plans(model, rule, peers, options)
        ours = [one for one in tried if one.plan]
        seconds = rounds_of(ours, peers, options)
        tell(model, ours, [one for one in tried if not one.plan], peers, seconds)
        for one in (*tried, *peers.values()):
            one.end()


if __name__ == "__main__":
    main()
