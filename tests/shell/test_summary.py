"""`summary()`: rows, columns and totals, against counts by hand and Keras's totals."""

import re

import keras
import numpy as np
import pytest

import jkeras


def network(k):
    x = k.Input((8, 8, 1), name="image")
    y = k.layers.BatchNormalization(name="norm")(k.layers.Conv2D(4, 3, name="conv")(x))
    y = k.layers.Flatten(name="flat")(y)
    head = k.Sequential(
        [k.Input((144,)), k.layers.Dense(8, name="hidden"), k.layers.Dense(2, name="out")],
        name="head",
    )
    z = k.layers.Add(name="sum")([head(y), k.layers.Dense(2, name="skip")(y)])
    return k.Model(x, z, name="net")


def text_of(model, **kwargs):
    lines = []
    model.summary(print_fn=lambda text, **_: lines.append(str(text)), **kwargs)
    return "\n".join(lines)


def shared(k):
    """A layer used twice, ops between layers, two inputs and an output that is an inner tensor."""
    x, z = k.Input((3,), name="x"), k.Input((2, 3), name="z")
    dense = k.layers.Dense(3, name="dense")
    y = k.ops.sum(z * 2.0, axis=1) + dense(dense(x))
    return k.Model([x, z], [y, *k.layers.LSTM(2, return_state=True, name="lstm")(z)], name="a[b]")


def path(k):
    return k.Sequential(
        [k.Input((3,)), k.layers.Dense(2000), k.layers.Dropout(0.1), k.layers.Dense(1)], name="path"
    )


def unbuilt(k):
    return k.Sequential([k.layers.Dense(3), k.layers.LSTM(2)], name="unbuilt")


def subclass(k):
    class Net(k.Model):
        def __init__(self):
            super().__init__(name="net")
            self.lstm, self.own = k.layers.LSTM(4, return_state=True), Own()

        def call(self, x):
            return self.own(self.lstm(x)[0])

    class Own(k.layers.Layer):
        def call(self, x):
            return x * 2.0

    net = Net()
    net(np.ones((1, 2, 3)))
    return net


@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        dict(expand_nested=True, show_trainable=True),
        dict(line_length=64),
        dict(positions=[0.5, 0.7, 0.9, 1.0]),
        dict(line_length=76, show_trainable=True),
        dict(layer_range=("d", "flat")),
        dict(line_length=12),
    ],
    ids=lambda kwargs: "-".join(kwargs) or "plain",
)
@pytest.mark.parametrize("build", [network, shared, path, unbuilt, subclass])
def test_text_is_kerass(build, kwargs):
    texts = []
    for library in (jkeras, keras):
        library.utils.clear_session(free_memory=False)
        try:
            texts.append(text_of(build(library), **kwargs))
        except ValueError:
            texts.append("ValueError")
    assert texts[0] == texts[1]


def totals(text):
    return re.findall(r"(\w[\w-]*) params:\s*([\d,]+)", text)


def test_totals_are_kerass():
    mine, theirs = network(jkeras), network(keras)
    for model in (mine, theirs):
        model.get_layer("conv").trainable = False
    assert totals(text_of(mine)) == totals(text_of(theirs))
    assert (
        dict(totals(text_of(mine)))["Total"]
        == f"{40 + 16 + 144 * 8 + 8 + 8 * 2 + 2 + 144 * 2 + 2:,}"
    )


def test_optimizer_is_counted_once_it_is_built():
    model = network(jkeras)
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    count = 2 * sum(v.size for v in model.trainable_variables) + 2
    assert dict(totals(text_of(model)))["Optimizer"] == f"{count:,}"


def test_columns():
    model = network(jkeras)
    model.get_layer("skip").trainable = False
    text = text_of(model, expand_nested=True, show_trainable=True, line_length=120)
    assert "Connected to" in text and "Trainable" in text
    row = next(line for line in text.splitlines() if "skip (Dense)" in line)
    assert [c.strip() for c in row.strip("│").split("│")] == [
        "skip (Dense)",
        "(None, 2)",
        "290",
        "flat[0][0]",
        "N",
    ]
    assert "└ hidden (Dense)" in text and "hidden" not in text_of(model)


def test_layer_range_and_unbuilt():
    text = text_of(network(jkeras), layer_range=("norm", "flat"))
    assert "norm" in text and "flat" in text and "conv (" not in text
    with pytest.raises(ValueError, match="layer_range"):
        text_of(network(jkeras), layer_range=("nope", "flat"))
    assert "0 (unbuilt)" in text_of(jkeras.Sequential([jkeras.layers.Dense(2)]))
