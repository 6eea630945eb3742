"""The markdown of docs/benchmarks.md from the figures that steps.py keeps, and what follows from them."""
import statistics

BOUND = 1.12
OPTIMIZER_BYTES = {"adamw": 24, "sgd": 16}  # read and written a parameter: weight and state
STATE_BYTES = {"adamw": 12, "sgd": 8}       # weight and state

HEAD = """# Benchmarks

`tests/bench/bench.sh [MODEL...]` writes this page: whole training steps in f32 (AdamW; SGD with momentum for the convolutional nets), our programs and
the peers in turn on the same batch, one round after the other. A figure is the median of its rounds; a ratio is the median of the rounds' ratios
(least..most), so what disturbs the machine disturbs both sides of it.

- *peak* is the fastest f32 product of 2048^3 of MKL, OpenBLAS and our own in the same rounds, *copy* the bandwidth of a large copy (bytes read and written).
- *bound* is 1.12 x (product FLOPs / peak + the optimizer's bytes / copy).
- *above* are the bytes above weights and optimizer state: the largest resident size of warm steps, less those, less the idle process with its libraries.
- *compile* is cold: `snug compile`, and the first step of torch.compile less a later one.
- ONNX Runtime's SGD has no momentum.
"""


def median_of(turns):
    return statistics.median(turn["median"] for turn in turns)


def ratio(ours, other):
    each = [a["median"] / b["median"] for a, b in zip(ours, other)]
    return statistics.median(each), min(each), max(each)


def ratio_text(ours, other):
    return "{:.3f} ({:.3f}..{:.3f})".format(*ratio(ours, other))


def above(found, name):
    facts = found["facts"]
    held = facts["parameters"] * STATE_BYTES[facts["rule"]]
    peak = max(turn["peak_bytes"] for turn in found["turns"][name])
    return peak - found["told"][name]["idle_bytes"] - held


def mib(size):
    return f"{size / 2 ** 20:.1f}"


class Row:
    """What is derived from a model's figures."""

    def __init__(self, found):
        turns = found["turns"]
        self.found, self.facts, self.ours = found, found["facts"], turns["snug"]
        peers = [name for name in turns if name not in ("snug", "yard")]
        self.fastest = min(peers, key=lambda name: median_of(turns[name])) if peers else None
        self.step = median_of(self.ours)
        yard = turns.get("yard")
        self.peak = statistics.median(y["product_gflops"] for y in yard) * 1e9 if yard else None
        self.copy = statistics.median(y["copy_gbytes"] for y in yard) * 1e9 if yard else None

    def bound(self):
        moved = self.facts["parameters"] * OPTIMIZER_BYTES[self.facts["rule"]]
        return BOUND * (self.facts["product_flops"] / self.peak + moved / self.copy) if self.peak else None

    def speed(self):
        rate = self.facts["product_flops"] / self.step
        share = f" ({rate / self.peak * 100:.0f} %)" if self.peak else ""
        return f"{rate * 1e-9:.1f}{share}"

    def versus(self):
        return ratio_text(self.ours, self.found["turns"][self.fastest]) if self.fastest else ""

    def memory(self):
        ours = above(self.found, "snug")
        text = mib(ours)
        if self.fastest:
            text += f" / {mib(above(self.found, self.fastest))} = {ours / above(self.found, self.fastest):.2f}"
        return text

    def compile(self):
        ours, torch = self.found["told"]["snug"]["compile_seconds"], self.found["told"].get("torch compile", {}).get("compile_seconds")
        return f"{ours:.2f}" + (f" / {torch:.1f} = {ours / torch:.2f}" if torch else "")

    def goal(self):
        """The larger of 0.75 x the fastest peer and the bound; ours over it."""
        peer = 0.75 * median_of(self.found["turns"][self.fastest]) if self.fastest else 0
        most = max(peer, self.bound() or 0)
        return f"{self.step / most:.2f}" if most else ""

    def predicted(self):
        seconds = self.ours[-1].get("predicted_seconds")
        return f"{seconds / self.step:.2f}" if seconds else ""

    def cells(self):
        bound = self.bound()
        yield from (self.found["model"], f"{self.step * 1e3:.3f}", self.fastest or "", self.versus(),
                    f"{bound * 1e3:.3f}" if bound else "", self.goal(), self.speed(), self.memory(), mib(self.ours[-1]["arena_bytes"]),
                    self.compile(), self.predicted())


def table(heads, rows):
    yield "| " + " | ".join(heads) + " |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def all_rows(found):
    turns = found["turns"]
    for name in turns:
        if name == "yard":
            continue
        told = found["told"][name]
        yield (found["model"], name, f"{median_of(turns[name]) * 1e3:.3f}", f"{min(t['median'] for t in turns[name]) * 1e3:.3f}",
               "" if name == "snug" else ratio_text(turns["snug"], turns[name]), mib(max(t["peak_bytes"] for t in turns[name])),
               mib(told["idle_bytes"]), mib(above(found, name)), f"{told['compile_seconds']:.2f}")
    for name, why in found["missing"].items():
        yield (found["model"], name, why.strip().splitlines()[-1][:80], "", "", "", "", "", "")


def machine():
    with open("/proc/cpuinfo") as file:
        names = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    return f"{len(names)} processors, {names[0]}" if names else "unknown"


def yard_rows(rows):
    for row in rows:
        if row.peak:
            library = statistics.mode(turn["library"] for turn in row.found["turns"]["yard"])
            yield (row.found["model"], f"{row.peak * 1e-9:.1f} ({library})", f"{row.copy * 1e-9:.1f}", str(row.found["rounds"]),
                   str(row.found["threads"]), row.found["date"])


def document(figures):
    rows = [Row(found) for found in figures]
    lines = [HEAD, f"Machine: {machine()}.", "", "## Ours beside the fastest peer", ""]
    lines += table(("model", "ours ms", "fastest peer", "ours / it", "bound ms", "ours / goal (larger of bound, 0.75 x peer)",
                    "GF/s (of peak)", "MiB above, ours / its", "arena MiB", "compile s, ours / torch.compile", "predicted / measured"),
                   (row.cells() for row in rows))
    lines += ["", "## All contenders", ""]
    lines += table(("model", "program", "step ms", "best round ms", "ours / it (least..most)", "peak RSS MiB", "idle MiB", "above MiB",
                    "first step or compile s"), (cells for found in figures for cells in all_rows(found)))
    lines += ["", "## The yardsticks of each run", ""]
    lines += table(("model", "peak GF/s", "copy GB/s", "rounds", "threads", "date"), yard_rows(rows))
    return "\n".join(lines) + "\n"
