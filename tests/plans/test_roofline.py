"""What a step takes at least: what chips can do, what devices send, what a model needs."""

import types

import jax
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.distribution.chips import CHIPS, chip_of
from jkeras.plans.cycles import estimated_cycles
from jkeras.plans.plan import Memory, Plan, Roofline
from jkeras.plans.traffic import over_links


def device(kind, **more):
    return types.SimpleNamespace(device_kind=kind, **more)


# ---------------------------------------------------------------- chips


@pytest.mark.parametrize(
    "kind, cores, name, half",
    [
        ("TPU v5 lite", 1, "v5e", 197e12),
        ("TPU v5e", 1, "v5e", 197e12),
        ("TPU v5", 2, "v5p", 459e12),
        ("TPU v4", 2, "v4", 275e12),
        ("TPU v4", 1, "v4", 137.5e12),
        ("TPU7x", 1, "tpu7x", 1153.5e12),
        ("NVIDIA H100 80GB HBM3", None, "h100", 989.4e12),
        ("NVIDIA A100-SXM4-80GB", None, "a100-80", 312e12),
        ("NVIDIA A100-SXM4-40GB", None, "a100", 312e12),
        ("Tesla T4", None, "t4", 65e12),
    ],
)
def test_a_device_is_a_chip_or_its_share_of_one(kind, cores, name, half):
    cores = {} if cores is None else {"num_cores": cores}
    chip = chip_of(device(kind, **cores))
    assert (chip.name, chip.half) == (name, half)


@pytest.mark.parametrize(
    "kind", ["cpu", "TPU v9", "TPU v50", "NVIDIA L40S", "NVIDIA H100 PCIe", "NVIDIA A1000", ""]
)
def test_a_kind_that_is_not_known_is_none(kind):
    assert chip_of(device(kind)) is None


def test_every_chip_is_found_by_its_own_kind():
    assert [chip_of(device(chip.kind)) for chip in CHIPS] == list(CHIPS)


def test_the_peak_is_that_of_the_dtype():
    chip = chip_of(device("Tesla T4"))
    assert [chip.peak(t) for t in ("float16", "bfloat16", "float32")] == [65e12, 65e12, 8.1e12]


@pytest.mark.parametrize(
    "name, units, side",
    [
        *(("v2", 2, 128), ("v3", 4, 128), ("v4", 8, 128), ("v5e", 4, 128), ("v5p", 8, 128)),
        ("v6e", 4, 256),
    ],
)
def test_the_clock_of_a_tpu_is_that_of_its_peak(name, units, side):
    (chip,) = (chip for chip in CHIPS if chip.name == name)
    assert chip.half == pytest.approx(2 * units * side**2 * chip.clock, rel=0.02)


CYCLES = """
ENTRY %main (x: f32[8]) -> f32[8] {
  %x = f32[8] parameter(0)
  %one = f32[8] fusion(%x), kind=kLoop, calls=%f, backend_config={"estimated_cycles":"1500"}
  ROOT %two = f32[8] fusion(%one), kind=kLoop, calls=%f, backend_config={"estimated_cycles":"3000"}
}
"""


def test_the_larger_of_both_counts():
    """What the compiler of a TPU estimates, and what a step takes at least."""
    assert estimated_cycles(CYCLES) == 4500
    roofline = Roofline(2e-6, 1e-6, 0.0, 2e-6)
    for estimated, wanted in ((3e-6, 3e-6), (1e-6, 2e-6), (None, 2e-6)):
        plan = plan_with(roofline, estimated)
        assert plan.seconds_of_a_step() == wanted
        assert ("estimated by the compiler" in str(plan)) is (estimated is not None)
    assert plan_with(None, 1e-6).seconds_of_a_step() is None


def plan_with(roofline, estimated):
    sizes = {"memory": Memory(*[0] * 8), "needed": 0, "available": None, "fits": True}
    rest = {"flops": 1, "collectives": {}, "bytes_accessed": 1, "seconds": 0.1, "text": ""}
    about = {"what": "a step", "devices": "some", "roofline": roofline, "estimated": estimated}
    return Plan(**about, **sizes, **rest)


# ---------------------------------------------------------------- what devices send


def program(line):
    return f"ENTRY %main (x: f32[8]) -> f32[8] {{\n  ROOT %sum = f32[8]{{0}} {line}\n}}"


@pytest.mark.parametrize(
    "line, received",
    [
        ("all-reduce(%x), replica_groups={{0,1,2,3}}, to_apply=%add", 2 * 32 * 3 / 4),
        ("all-reduce(%x), replica_groups=[2,2]<=[4], to_apply=%add", 2 * 32 / 2),
        ("all-reduce(%x), to_apply=%add", 2 * 32 * 7 / 8),  # all devices are one group
        ("all-reduce(%x), replica_groups=mesh['a'=2,'b'=4] {'b'}, to_apply=%add", 2 * 32 * 3 / 4),
        ("all-gather(%x), replica_groups=mesh['a'=2,'b'=4] {'a','b':(1)2}", 32 * 3 / 4),
        ("all-gather(%x), replica_groups={{0,1},{2,3}}, dimensions={0}", 32 / 2),
        ("reduce-scatter(%x), replica_groups={{0,1,2,3}}, to_apply=%add", 32 * 3),
        ("all-to-all(%x), replica_groups={{0,1,2,3}}", 32 * 3 / 4),
        ("collective-permute(%x), source_target_pairs={{0,1},{1,0}}", 32),
        ("all-reduce(%x), replica_groups={{0},{1}}, to_apply=%add", 0),
    ],
)
def test_what_a_ring_brings(line, received):
    assert over_links(program(line), 8) == pytest.approx(received)


# ---------------------------------------------------------------- what a model needs


def chain(remat):
    block = jkeras.Sequential([layers.Dense(16, activation="relu"), layers.Dense(8)])
    model = jkeras.Sequential([jkeras.Input((8,)), layers.Stack(block, 3, remat=remat)])
    model.compile("sgd", "mse")
    return model


def scoped(mode):
    with jkeras.RematScope(mode=mode):
        parts = [layers.Dense(16, activation="relu"), layers.Dense(8)]
    model = jkeras.Sequential([jkeras.Input((8,)), *parts])
    model.compile("sgd", "mse")
    return model


V5E = device("TPU v5 lite", num_cores=1)


@pytest.mark.promise("Operations count once, also where a block is computed again")
@pytest.mark.parametrize(
    "plain, again", [(chain(False), chain(True)), (scoped(None), scoped("full"))]
)
def test_what_is_computed_again_is_not_what_the_model_needs(plain, again, monkeypatch):
    monkeypatch.setattr("jkeras.plans.planning.chip_of", lambda _: chip_of(V5E))
    plain, again = plain.plan(4), again.plan(4)
    assert again.flops > plain.flops
    assert again.roofline.operations == pytest.approx(again.flops / 197e12)
    assert again.roofline.model == pytest.approx(plain.roofline.operations)
    assert plain.roofline.model == plain.roofline.operations
    assert again.roofline.memory == pytest.approx(again.bytes_accessed / 819e9)


@pytest.mark.promise("What a step takes at least follows from it where the chip is known")
def test_the_largest_binds():
    roofline = Roofline(operations=2.0, memory=3.0, network=1.0, model=1.5)
    assert (roofline.seconds, roofline.bound, roofline.mfu) == (3.0, "memory", 0.5)


def test_of_devices_that_are_not_known_nothing_is_said():
    found = chain(False).plan(4)
    assert found.roofline is None
    assert "at least" not in str(found)
    assert found.bytes_accessed > found.memory.parameters


def test_products_of_two_types_have_two_peaks(monkeypatch):
    monkeypatch.setattr("jkeras.plans.planning.chip_of", lambda _: chip_of(device("Tesla T4")))
    half = layers.Dense(8, dtype="mixed_float16")
    model = jkeras.Sequential([jkeras.Input((8,)), half, layers.Dense(8, dtype="float32")])
    model.compile("sgd", "mse")
    roofline = model.plan(4).roofline
    once = 2 * 4 * 8 * 8
    # the first layer has no gradient of its input
    expected = 2 * once / 65e12 + 3 * once / 8.1e12
    assert roofline.operations == pytest.approx(expected)


def test_the_gradient_is_the_same_where_all_is_saved():
    from jkeras.core.run.remat import ALL_SAVED
    from jkeras.kernel import in_force

    model = chain(True)
    params, state = model.params, model.state
    x = np.random.default_rng(0).normal(size=(4, 8)).astype("float32")

    def loss(params):
        return (model.apply(params, state, x)[0] ** 2).sum()

    grads = jax.grad(loss)(params)
    with in_force.having(ALL_SAVED, True):
        saved = jax.grad(lambda params: loss(params))(params)
    for one, other in zip(*map(jax.tree_util.tree_leaves, (grads, saved))):
        np.testing.assert_allclose(one, other, rtol=1e-6)
