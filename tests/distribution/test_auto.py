"""`AutoParallel`: along which axes weights are cut, what it reports and what it warns of."""

import warnings

import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.distribution import AutoParallel
from jkeras.distribution.cuts import Cuts

ONE = ["cpu:0"]


def axes(*weights, parts=4, min_size=1):
    cuts = Cuts(parts, min_size)
    return [cuts.of(path, shape).axis for path, shape in weights]


@pytest.mark.promise("`AutoParallel` finds the")
@pytest.mark.promise("`embeddings` | the vocabulary")
@pytest.mark.promise("any other, and those above")
@pytest.mark.promise("kernel | its outputs, and")
@pytest.mark.promise("kernels named `query`, `key`")
@pytest.mark.promise("kernel that takes the outputs of one before it")
@pytest.mark.promise("tables of positions")
@pytest.mark.parametrize(
    "weights, expected",
    [
        # kernels alternate, also where all widths are alike
        ([(f"net/dense_{i}/kernel", (8, 8)) for i in range(4)], [1, 0, 1, 0]),
        # projections of attention do not take one another's outputs
        ([(f"a/{n}_proj/kernel", (8, 8)) for n in "qkvo"], [1, 1, 1, 0]),
        # features first, or heads
        ([("a/query/kernel", (16, 4, 8)), ("a/attention_output/kernel", (4, 8, 16))], [1, 0]),
        ([("a/query/kernel", (4, 64, 8)), ("a/attention_output/kernel", (4, 8, 64))], [0, 0]),
        # the axis of the blocks of a `Stack` is left
        (
            [
                ("stack/query_kernel", (12, 16, 4, 8)),
                ("stack/query_bias", (12, 4, 8)),
                ("stack/attention_output_kernel", (12, 4, 8, 16)),
                ("stack/norm_gamma", (12, 16)),
                ("stack/up_kernel", (12, 16, 64)),
                ("stack/up_bias", (12, 64)),
                ("stack/down_kernel", (12, 64, 16)),
                ("stack/down_bias", (12, 16)),
            ],
            [2, 1, 1, None, 2, 1, 1, None],
        ),
        ([("c/conv_1/kernel", (3, 3, 4, 8)), ("c/conv_2/kernel", (3, 3, 8, 16))], [3, 2]),
        (
            [("lstm/kernel", (6, 32)), ("lstm/recurrent_kernel", (8, 32)), ("lstm/bias", (32,))],
            [1, 1, 0],
        ),
        # other blocks have other surroundings
        ([("a/up/kernel", (8, 16)), ("b/out/kernel", (16, 4))], [1, 1]),
        ([("head/kernel", (8, 10)), ("head/bias", (10,))], [0, None]),
        (
            [
                ("e/embeddings", (8, 12)),
                ("f/embeddings", (9, 12)),
                ("e/reverse_embeddings", (8, 12)),
            ],
            [0, 1, 1],
        ),
        # what positions are added to would lie in such parts, and each layer would gather it
        (
            [
                ("net/positions/table", (64, 16)),
                ("net/position_embedding/embeddings", (64, 16)),
                ("net/vit/pos_embed", (1, 64, 16)),
                ("token_and_position_embedding/tokens/embeddings", (64, 16)),
                ("net/pos_proj/kernel", (64, 16)),
            ],
            [None, None, None, 0, 1],
        ),
        ([("experts/gate", (8, 5, 7)), ("x", (3, 5)), ("count", ())], [0, None, None]),
    ],
)
def test_cuts(weights, expected):
    assert axes(*weights) == expected


def test_the_same_weight_is_cut_alike():
    cuts = Cuts(parts=2, min_size=1)
    first, second = [("a/kernel", (4, 4)), ("b/kernel", (4, 4))]
    assert [cuts.of(*w).axis for w in (first, second, second, first)] == [1, 0, 0, 1]


@pytest.mark.promise("Names of models play no role")
def test_names_of_models_play_no_role():
    shapes = {"query/kernel": (16, 4, 8), "dense/kernel": (4, 16), "dense_1/kernel": (16, 4)}
    found = [
        axes(*((f"{name}/{path}", shape) for path, shape in shapes.items()))
        for name in ("model", "embeddings", "query", "transformer_layer_3")
    ]
    assert found == [found[0]] * 4 and found[0] == [1, 1, 0]


@pytest.mark.promise("scales of norms, vectors")
def test_small_weights_are_whole():
    assert axes(("a/kernel", (4, 8)), ("b/kernel", (8, 8)), min_size=33) == [None, 1]


def test_devices_that_cannot_be_shared():
    with pytest.raises(ValueError, match="divide the number of devices, 1, received model=3"):
        AutoParallel(model=3, devices=ONE)


def test_a_model_without_weights():
    with pytest.raises(ValueError, match="build it"):
        AutoParallel(model=1, devices=ONE).report(jkeras.Sequential([layers.Dense(2)]))


def net(width):
    model = jkeras.Sequential([jkeras.Input((8,)), layers.Dense(width), layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def test_report_of_a_model_made_before():
    """What it would be in the scope."""
    report = AutoParallel(model=1, devices=ONE, min_size=16).report(net(16))
    assert [row.layout for row in report] == [(None, "model"), ("model",), ("model", None), (None,)]
    assert report.bytes == 4 * (9 * 16 + 17) and len(str(report).splitlines()) == len(report) + 1
    assert report.share_cut == pytest.approx(1 - 4 / report.bytes)


class OfFour(AutoParallel):
    """Warns as if there were four devices; all lies on one."""

    def __init__(self):
        super().__init__(model=1, devices=ONE, min_size=16)
        self._cuts = Cuts(parts=4, min_size=16)


@pytest.mark.promise("is named in a warning")
@pytest.mark.parametrize("width, times", [(15, 1), (16, 0)])
def test_large_weights_that_cannot_be_cut(width, times):
    model_of = lambda: jkeras.Sequential([jkeras.Input((9,)), layers.Dense(width)])
    with warnings.catch_warnings(record=True) as seen, OfFour().scope():
        warnings.simplefilter("always")
        for _ in range(2):
            model = model_of()
            model.compile("sgd", "mse")
            model.fit(np.ones((4, 9)), np.ones((4, width)), verbose=0)
    messages = [str(w.message) for w in seen if "AutoParallel" in str(w.message)]
    assert len(messages) == times
    assert all("dense/kernel (9, 15), 540 bytes" in message for message in messages)
