"""spilled.py FOLDER: a module whose plan keeps values in a file (less_model) against the one that keeps all in its arena (all_model)."""
import os
import sys

import numpy as np

os.chdir(sys.argv[1])
sys.path.insert(0, ".")
import all_model  # noqa: E402
import less_model  # noqa: E402

assert less_model.arena_bytes < all_model.arena_bytes
draw = np.random.default_rng(1)
rows = [{"input": draw.random((64, 1, 28, 28), np.float32), "labels": draw.integers(0, 10, 64)} for _ in range(3)]
with all_model.Model() as whole, less_model.Model(spill="spill") as less:
    assert [whole.step(**r) for r in rows] == [less.step(**r) for r in rows]
    assert all(np.array_equal(less.parameters[k], v) for k, v in whole.parameters.items())
    for k, v in whole.snapshot().items():
        assert np.array_equal(less.snapshot()[k], v)
try:
    less_model.Model(spill="absent")
    raise AssertionError("a folder that is not there")
except less_model.Error as error:
    assert "absent: cannot make the file of a tier" in str(error), error
print("ok module: values in a file, the same bits")
