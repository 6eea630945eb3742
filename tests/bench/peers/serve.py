"""What every peer has in common: it says what it took to get ready, then runs steps whenever it is asked to.

A line `N` on stdin runs N steps; the answer is a JSON line with "step_seconds" and "peak_bytes", the largest resident size of these
steps. The first line that is printed has "idle_bytes" (the framework loaded, no model), "compile_seconds" (the first step, less a
later one) and whatever else the peer tells.
"""
import json
import sys
import time


def memory(field):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(field))


def rename(name):
    """Who waits for his turn is not to be stopped with the compilers by whatever keeps the machine quiet."""
    with open("/proc/self/comm", "w") as file:
        file.write(name)


def forget_peak():
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def timed(step):
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def serve(step, idle_bytes, once, **told):
    """step(): one training step that is over when it returns. once: tell what it took to get ready, and end."""
    first, second = timed(step), timed(step)
    told.setdefault("compile_seconds", max(0.0, first - second))
    rename("peer")
    print(json.dumps(dict(idle_bytes=idle_bytes, **told)), flush=True)
    for line in () if once else sys.stdin:
        forget_peak()
        seconds = [timed(step) for _ in range(int(line))]
        print(json.dumps(dict(step_seconds=seconds, peak_bytes=memory("VmHWM"))), flush=True)
