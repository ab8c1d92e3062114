"""The rules of `AutoParallel` on backbones of keras-hub, which runs with jkeras as its Keras."""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from tests.distribution.test_devices import ROOT
from tests.quick_xla import flags_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("keras_hub") is None, reason="takes keras-hub"),
]


@pytest.fixture(scope="module")
def found():
    environment = {
        **os.environ,
        "XLA_FLAGS": flags_for(8),
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "tests.distribution.hub"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_nearly_all_is_cut(found):
    shares = {name: share for name, (_, share, _) in found["cut"].items()}
    assert len(shares) == 20
    assert {name: share for name, share in shares.items() if share < 0.95} == {}
    assert not any(whole for _, _, whole in found["cut"].values())


def test_losses_are_those_of_one_device(found):
    assert len(found["losses"]) == 8
    for one, cut in found["losses"].values():
        np.testing.assert_allclose(cut, one, rtol=1e-5)
        assert one[-1] < one[0]
