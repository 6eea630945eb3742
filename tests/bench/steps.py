"""Times our programs and the peers in turn (A B C A B C ...) on the same batches and writes the tables as markdown.

    python steps.py [--snug PATH] [--torch PYTHON] [--jax PYTHON] [--ort PYTHON] [--folder F] [--out FILE.md] [MODEL...]

The Pythons are those of environments that tests/bench/bench.sh makes; a peer without one is left out. A round gives every contender a
turn of some steps; a turn's figure is its median step. The tables have the median over the rounds, and ours / it as the median of the
rounds' ratios (least..most). FOLDER keeps the models and each model's figures: a run goes on with the models that have none yet.
"""
import argparse
import contextlib
import datetime
import json
import os
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import time

from tables import document

HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = os.path.join(HERE, "peers")
NAMES = ("mlp", "lenet", "resnet18", "resnet50", "mobilenetv2", "vit_tiny", "bert_mini", "bert_base", "gpt_mini", "gpt2_t512",
         "gpt2_t1024")
JAX_NAMES = ("mlp", "gpt_mini", "gpt2_t512", "gpt2_t1024")
WARM = 3  # steps at the start of a program that are not counted


class Ours:
    """Compiled once, cold; a turn is a run of the program."""

    def __init__(self, model, facts, options):
        self.base, self.options = os.path.join(options.folder, model), options
        rule = ["--set", "mu=0.9"] if facts["rule"] == "sgd" else []
        words = [options.snug, "compile", "--no-cache", self.base + ".onnx", "--loss", "cross-entropy", "--optimizer", facts["rule"], *rule,
                 "-o", self.base + ".program"]
        self.lr = str(facts["lr"])
        done = subprocess.run([*options.quiet, *words], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr)
        took = float(re.findall(r"^wrote .* in ([0-9.]+) s$", done.stderr, re.M)[-1])  # without the wait for a quiet machine
        self.told = dict(compile_seconds=took, idle_bytes=self.idle(), program_bytes=os.path.getsize(self.base + ".program"))

    @staticmethod
    def idle():
        """The resident size of a process that has the C library and does nothing."""
        status = subprocess.run(["cat", "/proc/self/status"], stdout=subprocess.PIPE, text=True, check=True).stdout
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))

    def turn(self, steps):
        log = self.base + ".jsonl"
        subprocess.run([self.base + ".program", "--data", self.base + ".npz", "--steps", str(WARM + steps), "--lr", self.lr, "--quiet",
                        "--batch-order", "sequential", "--threads", str(self.options.threads), "--log", log], check=True)
        with open(log) as file:
            lines = [json.loads(line) for line in file]
        end = lines[-1]
        return dict(step_seconds=[line["seconds"] for line in lines if "loss" in line][WARM:], peak_bytes=end["peak_rss_bytes"],
                    arena_bytes=end["arena_bytes"], predicted_seconds=end.get("predicted_seconds"))

    def end(self):
        pass


class Yard:
    """What the machine can do: the best product of MKL, OpenBLAS and ours, and a copy."""
    PRODUCT = """snug 1 stage=model
module "product"
param %b : f32[2048,2048] = random 1 0.05
graph forward {
input %a : f32[2048,2048]
f %c = contract %a, %b labels="mk,kn->mn" split=1 : f32[2048,2048]
output %c
}
"""

    def __init__(self, options):
        self.peer, self.told = Peer([options.torch, os.path.join(PEERS, "bench_yard.py")], options), {}
        self.base, self.threads = os.path.join(options.folder, "product"), str(options.threads)
        with open(self.base + ".snug", "w") as file:
            file.write(self.PRODUCT)
        subprocess.run([options.snug, "compile", self.base + ".snug", "--loss", "mse", "--optimizer", "sgd", "--quiet",
                        "-o", self.base + ".program"], check=True)

    def turn(self, steps):
        answer = self.peer.turn(steps)
        subprocess.run([self.base + ".program", "--rehearse", "0.3", "--profile", "--quiet", "--threads", self.threads, "--log",
                        self.base + ".jsonl"], check=True)
        with open(self.base + ".jsonl") as file:
            lines = [json.loads(line) for line in file]
        speed = max(1e-9 * line["flops"] * line["runs"] / line["seconds"] for line in lines if "contract" in line.get("kind", ""))
        return {**answer, "product_gflops": speed, "library": "snug"} if speed > answer["product_gflops"] else answer

    def end(self):
        self.peer.end()


class Peer:
    """A process that waits for its turns."""

    def __init__(self, command, options):
        command = [*command, "--threads", str(options.threads)]
        self.told = {}
        if "compile" in command:  # cold, with nobody else at work; what it leaves in the cache makes the start below quick
            done = subprocess.run([*options.quiet, *command, "--once"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            self.told = json.loads(done.stdout.strip().splitlines()[-1]) if done.returncode == 0 else {}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.told = {**self.answer(), **self.told}

    def answer(self):
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        raise RuntimeError("the peer has ended")

    def turn(self, steps):
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        return self.answer()

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def commands(model, options):
    """-> {name: command} of the peers that can train this model"""
    table = {}
    modes = ["eager", "compile"] + (["last"] if model == "resnet50" else []) + (["ckpt"] if model not in ("mlp", "lenet") else [])
    for mode in modes if options.torch else ():
        table["torch " + mode] = [options.torch, os.path.join(PEERS, "bench_torch.py"), model, options.folder, mode]
    if options.jax and model in JAX_NAMES:
        table["jax"] = [options.jax, os.path.join(PEERS, "bench_jax.py"), model, options.folder]
    if options.ort:
        table["onnxruntime training"] = [options.ort, os.path.join(PEERS, "bench_ort.py"), model, options.folder]
    return table


@contextlib.contextmanager
def quiet(options):
    """While it is held nobody else is at work, where --quiet-with knows how."""
    if not options.quiet:
        yield
        return
    with tempfile.TemporaryDirectory() as folder:
        gate = os.path.join(folder, "gate")
        os.mkfifo(gate)
        held = subprocess.Popen([*options.quiet, "sh", "-c", f"cat <{shlex.quote(gate)}"])
        with open(gate, "w"):  # opens when the other side does; closed, it ends
            time.sleep(0.7)
            yield
        held.wait()


def steps_of_a_turn(contender, options):
    """As many as fit into the time of a turn."""
    one = statistics.median(contender.turn(3)["step_seconds"])
    return max(options.least, min(400, int(options.seconds / one)))


def open_all(model, facts, options):
    """-> {name: contender}, {name: why it is missing}; ours first."""
    running, missing = {"snug": Ours(model, facts, options)}, {}
    for name, command in commands(model, options).items():
        try:
            running[name] = Peer(command, options)
        except (RuntimeError, OSError) as fault:
            missing[name] = str(fault)
    return running, missing


def rounds_of(running, options):
    """-> {name: its turns}, the yardstick's under "yard" """
    with quiet(options):
        steps = {name: steps_of_a_turn(one, options) for name, one in running.items() if name != "yard"}
    turns = {name: [] for name in running}
    for number in range(options.rounds):
        with quiet(options):
            for name, one in running.items():
                answer = one.turn(steps.get(name, 3))
                if "step_seconds" in answer:
                    answer["median"] = statistics.median(answer.pop("step_seconds"))
                    print(f"round {number} {name}: {answer['median'] * 1e3:.3f} ms", flush=True)
                turns[name].append(answer)
    return turns


def measure(model, options):
    base = os.path.join(options.folder, model)
    if not os.path.exists(base + ".json"):
        subprocess.run([options.torch, os.path.join(HERE, "subjects.py"), model, options.folder], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
    with open(base + ".json") as file:
        facts = json.load(file)
    running, missing = open_all(model, facts, options)
    if options.torch:
        running["yard"] = Yard(options)
    turns = rounds_of(running, options)
    for one in running.values():
        one.end()
    return dict(model=model, facts=facts, missing=missing, turns=turns, told={name: one.told for name, one in running.items()},
                rounds=options.rounds, threads=options.threads, date=datetime.date.today().isoformat())


def write_document(options):
    found = []
    for model in NAMES:
        with contextlib.suppress(FileNotFoundError), open(os.path.join(options.folder, model + ".figures.json")) as file:
            found.append(json.load(file))
    with open(options.out, "w") as file:
        file.write(document(found))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="*", default=NAMES, metavar="MODEL")
    parser.add_argument("--snug", default=os.path.join(HERE, "..", "..", "build", "snug"))
    for peer in ("torch", "jax", "ort"):
        parser.add_argument("--" + peer, metavar="PYTHON")
    parser.add_argument("--folder", default="bench-models", help="of models and figures")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.5, help="of a turn")
    parser.add_argument("--least", type=int, default=3, help="steps of a turn")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--again", action="store_true", help="measure what has figures, too")
    parser.add_argument("--quiet-with", default="", metavar="COMMAND", help="put before what is timed, keeps others from working")
    parser.add_argument("--out", default=os.path.join(HERE, "..", "..", "docs", "benchmarks.md"))
    options = parser.parse_args()
    options.quiet, options.snug = shlex.split(options.quiet_with), os.path.abspath(options.snug)
    unknown = set(options.models) - set(NAMES)
    if unknown:
        sys.exit(f"no model {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    with open("/proc/self/comm", "w") as file:
        file.write("steps")  # whoever stops compilers by name means not us
    options.folder = os.path.abspath(options.folder)
    os.makedirs(options.folder, exist_ok=True)
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", tempfile.mkdtemp(prefix="bench-inductor-"))
    for model in options.models:
        figures = os.path.join(options.folder, model + ".figures.json")
        if options.again or not os.path.exists(figures):
            found = measure(model, options)
            with open(figures, "w") as file:
                json.dump(found, file)
        write_document(options)


if __name__ == "__main__":
    main()
