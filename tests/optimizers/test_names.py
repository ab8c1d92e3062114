"""Names, paths, shapes and dtypes of optimizers' variables, in order, beside Keras's."""

import keras
import pytest

from tests.parity.both import LIBRARIES, clear

NAMES = [
    name
    for name, cls in vars(keras.optimizers).items()
    if isinstance(cls, type)
    and issubclass(cls, keras.optimizers.Optimizer)
    and name not in ("Optimizer", "LossScaleOptimizer", "MultiOptimizer")
]
OPTIONS = ({}, {"use_ema": True}, {"gradient_accumulation_steps": 2})


@pytest.mark.parametrize("name", NAMES)
def test_variables_are_those_of_keras(name):
    tables = []
    for k in LIBRARIES:
        clear()
        parts = [k.Input((3,)), k.layers.Dense(4, name="a"), k.layers.Dense(2, name="b")]
        model = k.Sequential(parts, name="s")
        for options in OPTIONS:
            optimizer = getattr(k.optimizers, name)(**options)
            optimizer.build(model.trainable_variables)
            tables.append(
                [(v.path, v.name, tuple(v.shape), str(v.dtype)) for v in optimizer.variables]
            )
    assert tables[: len(OPTIONS)] == tables[len(OPTIONS) :]
