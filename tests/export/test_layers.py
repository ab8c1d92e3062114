"""Every layer exports with a batch of any size."""

import jax
import numpy as np
import pytest

import jkeras
from jkeras.core.errors import ExportError
from tests.common.table import ROWS
from tests.common.test_layers import Bench, is_shape

ON_HOST = ("Hashing", "HashedCrossing", "IntegerLookup")


@pytest.mark.promise("compiles for each new batch size, once")
@pytest.mark.promise("The file runs wherever")
@pytest.mark.promise("writes a program with its")
@pytest.mark.promise("The size of the batch is a symbol, the same for all inputs")
@pytest.mark.slow
@pytest.mark.parametrize("row", [row for row in ROWS if not row.texts], ids=lambda row: row.layer)
def test_any_batch(row, tmp_path):
    bench, archive = Bench(row), jkeras.export.ExportArchive()
    signature = jax.tree_util.tree_map(
        lambda shape: jkeras.InputSpec("int32" if row.ints else "float32", (None, *shape[1:])),
        list(row.inputs),
        is_leaf=is_shape,
    )
    if row.layer in ON_HOST:
        with pytest.raises(ExportError, match=rf"\({row.layer}\).*on the host"):
            archive.add_endpoint("serve", bench.layer, signature)
        return
    bench.layer(*bench.inputs)
    archive.add_endpoint("serve", bench.layer, signature)
    archive.write_out(tmp_path / "layer", verbose=False)
    serve = jkeras.export.load(tmp_path / "layer")
    for size in (1, 5):
        inputs = jax.tree_util.tree_map(
            lambda v, n=size: np.concatenate([v, v, v])[:n], bench.inputs
        )
        expected = (
            bench.layer(*inputs, training=False)
            if "training" in bench.layer.bind_call(inputs, {}).target.context
            else bench.layer(*inputs)
        )
        for y, value in zip(
            jax.tree_util.tree_leaves(serve(*inputs)), jax.tree_util.tree_leaves(expected)
        ):
            np.testing.assert_allclose(y, value, rtol=1e-5, atol=1e-4 if row.pixels else 1e-5)
