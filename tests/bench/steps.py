"""Times our program and its peers in turn (A B C A B C ...) in one run and writes the table as markdown.

    python steps.py --program mlp=PATH --program lenet=PATH [--torch PYTHON] [--ort PYTHON] [--rounds R] [--steps N]
                    [--threads N] [--out FILE.md]

--torch and --ort name the Python of the environment that bench_torch.py and bench_ort.py need; a peer without one is left out.
A program is run as `PROGRAM --data F --steps N --batch-order sequential --threads T --log FILE.jsonl` and its log's lines carry "seconds".
A round's figure is its median step; the table has the median over the rounds, and ours/peer as the median of the rounds' ratios (least..most).
"""
import argparse
import json
import os
import statistics
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
DIGITS = os.path.join(HERE, "..", "..", "examples", "digits")
DATA = {"mlp": "digits-train.npz", "lenet": "digits28-train.npz"}
WARM = 20


def run_program(program, model, options):
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, "log.jsonl")
        subprocess.run([os.path.abspath(program), "--data", os.path.join(DIGITS, DATA[model]), "--steps",
                        str(WARM + options.steps), "--batch-order", "sequential", "--threads", str(options.threads),
                        "--log", log], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(log) as file:
            lines = [json.loads(line) for line in file]
    steps = [line["seconds"] for line in lines if "loss" in line]
    return statistics.median(steps[WARM:]), lines[-1].get("peak_rss_bytes")


def run_peer(command, model, options):
    command = command + ["--steps", str(options.steps), "--warm", str(WARM), "--threads", str(options.threads)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    result = json.loads(output.strip().splitlines()[-1])
    return statistics.median(result["step_seconds"]), result["peak_rss_bytes"]


def runners(model, program, options):
    """-> {name: function that gives the median step of one run and its peak of memory}, ours first."""
    peers = os.path.join(HERE, "peers")
    table = {}
    if program:
        table["snug"] = lambda: run_program(program, model, options)
    if options.torch:
        for mode in ("eager", "compile"):
            command = [options.torch, os.path.join(peers, "bench_torch.py"), model, mode]
            table["torch " + mode] = lambda command=command: run_peer(command, model, options)
    if options.ort:
        command = [options.ort, os.path.join(peers, "bench_ort.py"), model]
        table["onnxruntime training"] = lambda command=command: run_peer(command, model, options)
    return table


def measure(model, program, options):
    table = runners(model, program, options)
    times, memory = {name: [] for name in table}, {}
    for _ in range(options.rounds):
        for name, run in table.items():
            seconds, memory[name] = run()
            times[name].append(seconds)
            print(f"{model} {name}: {seconds * 1e3:.4f} ms", flush=True)
    return times, memory


def rows(model, times, memory):
    for name, seconds in times.items():
        ratio = ""
        if "snug" in times and name != "snug":
            ratios = [a / b for a, b in zip(times["snug"], seconds)]
            ratio = f"{statistics.median(ratios):.3f} ({min(ratios):.3f}..{max(ratios):.3f})"
        peak = f"{memory[name] / 2**20:.1f}" if memory[name] else ""
        yield f"| {model} | {name} | {statistics.median(seconds) * 1e3:.4f} | {min(seconds) * 1e3:.4f} | {ratio} | {peak} |"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", action="append", default=[], help="MODEL=PATH of a compiled program (adamw, batch 64)")
    parser.add_argument("--models", default="mlp,lenet")
    parser.add_argument("--torch")
    parser.add_argument("--ort")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out")
    options = parser.parse_args()
    programs = dict(p.split("=", 1) for p in options.program)
    load = os.getloadavg()[0]
    lines = ["| model | program | step ms | best round ms | ours / it (least..most) | peak RSS MiB |", "|---|---|---|---|---|---|"]
    for model in options.models.split(","):
        lines += rows(model, *measure(model, programs.get(model), options))
    head = [f"Step time, AdamW, batch 64, {options.threads} threads; {options.rounds} rounds in turn, {options.steps} steps each "
            f"after {WARM} of warm-up.", f"Load average {load:.1f} before and {os.getloadavg()[0]:.1f} after, on "
            f"{os.cpu_count()} cores: above {options.threads} the figures are disturbed.", ""]
    text = "\n".join(head + lines) + "\n"
    print("\n" + text)
    if options.out:
        with open(options.out, "w") as file:
            file.write(text)


if __name__ == "__main__":
    main()
