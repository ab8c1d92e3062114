"""Chips whose compiler is not here: plans and choices by the roofline alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.plans.on_paper import on_paper
from jkeras.programs.operations import bytes_of_products
from jkeras.training import recommend

HALF, BANDWIDTH, LINK = 653.7e12, 5_300e9, 448e9  # of float32


def net(width=64):
    model = jkeras.Sequential(
        [jkeras.Input((32,)), layers.Dense(width), layers.Dense(16, use_bias=False)]
    )
    model.compile("adam", "mse")
    return model


PARAMETERS = 4 * (32 * 64 + 64 + 64 * 16)
# inputs, outputs, gradients: forwards two products, backwards three (no gradient of the inputs)
PRODUCTS = 4 * 128 * ((32 + 64) + (64 + 16) + (32 + 64) + 2 * (64 + 16)) + 4 * (
    2 * 32 * 64 + 3 * 64 * 16
)


@pytest.mark.promise("`mi300x:8` is planned by the roofline alone, and says so")
def test_one_chip():
    plan = net().plan(128, topology="mi300x:1")
    assert not plan.is_compiled and plan.fits and plan.collectives == {}
    assert plan.memory.parameters == PARAMETERS
    assert plan.memory.optimizer == pytest.approx(2 * PARAMETERS, abs=64)
    assert plan.memory.batch == 4 * 128 * (32 + 16)
    assert plan.flops == 2 * 128 * (2 * 32 * 64 + 3 * 64 * 16)
    kept = plan.memory.parameters + plan.memory.optimizer
    assert plan.bytes_accessed == pytest.approx(PRODUCTS + 2 * kept)
    assert plan.roofline.operations == pytest.approx(plan.flops / HALF)
    assert plan.roofline.memory == pytest.approx(plan.bytes_accessed / BANDWIDTH)
    assert plan.roofline.network == 0
    said = str(plan)
    assert "by the roofline alone: nothing was compiled" in said
    assert "without activations" in said and "compiled in" not in said


def test_what_chips_share():
    data, cut = recommend(net(), "mi300x:8", batch=128, verbose=0)[:2]
    if data.layout != "data in parts":
        data, cut = cut, data
    assert data.plan.memory.parameters == PARAMETERS
    assert cut.plan.memory.parameters == PARAMETERS // 8
    assert data.plan.memory.batch == cut.plan.memory.batch == 4 * 16 * (32 + 16)
    assert data.plan.roofline.network == pytest.approx(2 * PARAMETERS * 7 / 8 / LINK)
    assert cut.plan.roofline.network == pytest.approx(3 * PARAMETERS * 7 / 8 / LINK)
    assert "by the roofline alone" in repr(data)


def test_predictions_write_no_weights():
    train, predict = (net().plan(128, kind=kind, topology="mi300x:2") for kind in KINDS)
    assert predict.bytes_accessed < train.bytes_accessed
    assert predict.memory.optimizer == 0 and predict.roofline.network == 0


KINDS = ("train", "predict")


def test_a_distribution_around_changes_nothing():
    alone = net().plan(128, topology="mi300x:2")
    with jkeras.distribution.DataParallel(devices=jax.devices()[:1]).scope():
        around = net().plan(128, topology="mi300x:2")
    assert (around.memory, around.roofline) == (alone.memory, alone.roofline)


def test_what_does_not_fit_says_so():
    huge = jkeras.Sequential([jkeras.Input((200_000,)), layers.Dense(100_000)])
    huge.compile("adam", "mse")
    (choice,) = recommend(lambda: huge, "mi300x:1", batch=4, verbose=0).others
    assert choice.reason.startswith("it needs") and "without activations" in choice.reason


@pytest.mark.parametrize("name", ["mi300x", "mi300x:0", "mi300x:2x2", "mi250:1", "xmi300x:1"])
def test_other_names_are_no_chips_on_paper(name):
    assert on_paper(name) is None
    with pytest.raises(ValueError, match="expected a name such as"):
        net().plan(8, topology=name)


def test_bytes_of_products_are_those_of_loops_as_often_as_they_run():
    def loop(w, x):
        return jax.lax.scan(lambda x, w: (x @ w, None), x, w)[0]

    jaxpr = jax.make_jaxpr(loop)(np.ones((5, 4, 4), "float32"), np.ones((2, 4), "float32"))
    assert bytes_of_products(jaxpr.jaxpr) == 5 * 4 * (16 + 8 + 8)
    half = jax.make_jaxpr(lambda x: x @ x)(jnp.ones((4, 4), "bfloat16"))
    assert bytes_of_products(half.jaxpr) == 2 * 3 * 16


# ---------------------------------------------------------------- tokens


def reader(length=64):
    tokens = jkeras.Input((length,), dtype="int32")
    model = jkeras.Model(tokens, layers.Dense(50)(layers.Embedding(50, 16)(tokens)))
    model.compile("adam", jkeras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def test_tokens_are_rows_of_the_length_of_the_input():
    by_tokens = recommend(reader(), tokens=[256, 1024], verbose=0)
    assert [choice.rows for choice in by_tokens] == [4, 16]
    (one,) = recommend(reader(None), tokens=256, length=32, verbose=0)
    assert one.rows == 8


@pytest.mark.parametrize(
    "make, given, words",
    [
        (reader, {}, "either `batch` or `tokens`, received neither"),
        (reader, dict(batch=2, tokens=128), "received batch and tokens"),
        (reader, dict(tokens=100), "multiple of the 64 of a row"),
        (reader, dict(tokens=0), "tokens"),
        (lambda: reader(None), dict(tokens=128), "`length` beside `tokens`"),
        (net, dict(tokens=128), "`length` beside `tokens`"),
    ],
)
def test_tokens_that_make_no_rows_are_refused(make, given, words):
    with pytest.raises(ValueError, match=words):
        recommend(make(), verbose=0, **given)
