"""The buffers of a planned training step as a table of the public format id,lower,upper,size.

    snug plan MODEL ... --json | python table.py > TABLE.csv

Weights and state are left out: they are always there. What shares an address while it is alive is one buffer: views, and results in the bytes of
operands.
"""
import json
import sys

plan = json.load(sys.stdin)
align = plan["spaces"][0]["align"]
own = [b for b in plan["buffers"] if b["entry"] == "train" and b["owner"] not in ("weights", "state") and b["bytes"]]
rows = []
for b in sorted(own, key=lambda b: (b["address"], b["first"])):
    lower, upper, size = b["first"], b["last"] + 1, -(-b["bytes"] // align) * align
    if rows and rows[-1][0] == b["address"] and lower < rows[-1][2]:
        rows[-1][2:] = max(rows[-1][2], upper), max(rows[-1][3], size)
    else:
        rows.append([b["address"], lower, upper, size])
print("id,lower,upper,size")
for i, (_, lower, upper, size) in enumerate(sorted(rows, key=lambda r: r[1:])):
    print(f"{i},{lower},{upper},{size}")
