"""The compilers of TPUs and GPUs themselves, where the extra `aot` is installed: steps compile,
take the memory that they should, and are told not to fit where they do not.

`XLA_FLAGS= python -m pytest -m slow tests/platforms/test_compiled.py`: the compiler of TPUs ends a
process that has flags of the one for CPUs, as the other tests have.
"""

import importlib.util
import math
import os
import re

import jax
import numpy as np
import pytest

import jkeras
from benchmarks import compiled, compiled_pods
from jkeras import distribution as dist
from jkeras import layers
from jkeras.distribution import topology
from jkeras.distribution.chips import chip_of
from jkeras.plans.planning import find_batch_size
from tests.platforms.test_lowering import MODELS, batch_for

HAVE = {
    "v5e": importlib.util.find_spec("libtpu") is not None,
    "h100": importlib.util.find_spec("jax_cuda12_plugin") is not None,
}
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not all(HAVE.values()), reason="takes the extra `aot`"),
    pytest.mark.skipif(bool(os.environ.get("XLA_FLAGS")), reason="takes XLA_FLAGS without flags"),
]
ONE = {"v5e": "v5e:1x1", "h100": "h100:1"}
EIGHT = {"v5e": "v5e:2x4", "h100": "h100:8"}
LOSS = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)


@pytest.fixture(autouse=True)
def fresh():
    jkeras.utils.clear_session()
    yield
    jkeras.config.set_dtype_policy("float32")
    jax.clear_caches()


@pytest.mark.parametrize("kind", ONE)
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("name", MODELS)
def test_steps_compile(kind, policy, name):
    jkeras.config.set_dtype_policy(policy)
    model = MODELS[name]()
    model.compile("adam", LOSS, metrics=["accuracy"])
    found = model.plan(batch_for(model), topology=ONE[kind])
    assert found.fits and found.text
    # all that the step changes takes the place of what it was
    assert found.memory.results < 4096
    assert found.memory.parameters == 4 * sum(math.prod(v.shape) for v in model.trainable_variables)


def dense(width=256):
    parts = [layers.Dense(width, "relu") for _ in range(3)]
    model = jkeras.Sequential([jkeras.Input((width,)), *parts, layers.Dense(width)])
    model.compile("adam", "mse")
    return model


@pytest.mark.promise("the whole model, a part of the batch")
@pytest.mark.parametrize("kind", EIGHT)
def test_data_in_parts(kind):
    found = dense().plan(64, topology=EIGHT[kind])
    assert found.collectives["all-reduce"] >= 4 * 256 * 256 * 4
    assert found.memory.batch == pytest.approx(2 * 64 * 256 * 4 / 8, rel=0.02)
    assert "all-gather" not in found.collectives


@pytest.mark.promise("A sharded weight is all-gathered by each layer")
@pytest.mark.parametrize("kind", EIGHT)
def test_weights_in_parts(kind):
    pod = dist.Topology(EIGHT[kind])
    with dist.FSDP(devices=pod.devices, min_size=64).scope():
        model = dense()
    found = model.plan(64)
    whole = dense().plan(64, topology=ONE[kind])
    assert found.collectives["all-gather"]
    for name in ("parameters", "optimizer"):
        part, of = getattr(found.memory, name), getattr(whole.memory, name)
        assert part == pytest.approx(of / 8, rel=0.02)


@pytest.mark.parametrize("kind", EIGHT)
def test_layers_in_parts(kind):
    pod = dist.Topology(EIGHT[kind])
    mesh = dist.DeviceMesh((2, 4), ["batch", "model"], pod.devices)
    layouts = dist.LayoutMap(mesh)
    layouts[".*dense.*kernel"] = (None, "model")
    with dist.ModelParallel(layout_map=layouts, batch_dim_name="batch").scope():
        model = dense()
    found = model.plan(64)
    assert found.fits and sum(found.collectives.values()) > 0
    assert found.memory.parameters < 0.3 * 4 * 4 * 256 * 257


def test_an_optimizer_with_the_host():
    """What the host keeps, the devices need not be given."""
    pod = dist.Topology("v5e:4x4")
    with dist.FSDP(devices=pod.devices, offload="optimizer").scope():
        away = dense(512).plan(64)
    with dist.FSDP(devices=pod.devices).scope():
        plain = dense(512).plan(64)
    numbers = 8  # the count of steps and the rate stay
    assert away.memory.optimizer == numbers
    assert away.memory.host == plain.memory.optimizer - numbers > 0
    assert away.memory.parameters == plain.memory.parameters
    assert "S(5)" in away.text and "S(5)" not in plain.text  # XLA's name of that memory


@pytest.mark.promise("there a distribution with `offload` raises an error")
def test_devices_without_a_host():
    """JAX knows no memories of GPUs that are not here."""
    pod = dist.Topology("h100:8")
    with pytest.raises(ValueError, match="FSDP: expected devices with the memory 'pinned_host'"):
        dist.FSDP(devices=pod.devices, offload="optimizer")


@pytest.fixture
def sizes(monkeypatch):
    """What the compiler says of the memory of each program that is planned."""
    monkeypatch.setattr("jkeras.plans.cached._read", lambda path: None)  # what was said earlier
    seen = []
    plainly = jax.stages.Lowered.compile

    def compile(lowered, *args, **options):
        compiled = plainly(lowered, *args, **options)
        seen.append(compiled.memory_analysis())
        return compiled

    monkeypatch.setattr(jax.stages.Lowered, "compile", compile)
    return seen


def test_the_compiler_counts_alike(sizes):
    """What goes in falls by what the host keeps, by the compiler's own numbers."""
    pod = dist.Topology("v5e:4x4")
    for offload in (None, "optimizer"):
        with dist.FSDP(devices=pod.devices, offload=offload).scope():
            found = dense(512).plan(64)
    plain, away = sizes
    assert plain.host_argument_size_in_bytes == 0
    assert away.host_argument_size_in_bytes == found.memory.host
    fallen = plain.argument_size_in_bytes - away.argument_size_in_bytes
    assert fallen == found.memory.host


@pytest.mark.promise("arrays whose layout fills up tiles have the size that they have in memory")
@pytest.mark.parametrize("name", ["mlp", "resnet", "lstm"])
def test_needed_is_what_the_compiler_says(name, sizes):
    """Arrays of few channels fill up tiles, which take three times their bytes and more."""
    work = compiled.work_of(name)
    model = compiled.model_of(jkeras, work, "mixed_bfloat16")
    x, y = (rows[: work.batch] for rows in work.data())
    found = model.plan((x, y), topology=ONE["v5e"])
    (said,) = sizes
    results = said.output_size_in_bytes - said.alias_size_in_bytes
    account = said.argument_size_in_bytes + said.temp_size_in_bytes + results
    assert found.needed == account + said.generated_code_size_in_bytes
    assert (found.memory.padding > found.memory.parameters) == (name == "resnet")


def test_more_than_the_device_has():
    """A state that a chip cannot hold fits where the host keeps the optimizer's part."""
    pod = dist.Topology("v5e:1x1")
    needed = []
    for offload in (None, "optimizer"):
        with dist.FSDP(devices=pod.devices, offload=offload).scope():
            model = jkeras.Sequential(
                [jkeras.Input((2**13,)), *(layers.Dense(2**13, "relu") for _ in range(22))]
            )
            model.compile("adam", "mse")
            needed.append(model.plan(64))
    plain, away = needed
    assert not plain.fits and away.fits
    assert away.memory.host > plain.available / 2


@pytest.mark.promise("a part of each layer, by rules")
def test_cuts_by_rules():
    """Two products of which the first is cut by its outputs need one sum, behind the second."""
    pod = dist.Topology("v5e:2x4")
    with dist.AutoParallel(8, devices=pod.devices).scope():
        model = jkeras.Sequential([jkeras.Input((512,)), layers.Dense(2048), layers.Dense(512)])
        found = model.plan(64, kind="predict")
    assert found.collectives == {"all-reduce": 64 * 512 * 4}
    assert found.memory.parameters == 4 * (2 * 512 * 2048 // 8 + 2048 // 8 + 512)


@pytest.mark.filterwarnings("ignore:Layer InputLayer does not have a `quantize` method")
@pytest.mark.parametrize("kind", ONE)
@pytest.mark.parametrize("mode, share", [("int8", 0.27), ("int4", 0.15), ("float8", 1.02)])
def test_predictions_of_few_bits(kind, mode, share):
    """Weights of 8 and 4 bits take as much less; those of float8 are cast as they are used."""
    whole = dense(512).plan(64, kind="predict", topology=ONE[kind]).memory
    model = dense(512)
    model.quantize(mode)
    found = model.plan(64, kind="predict", topology=ONE[kind])
    weights = found.memory.parameters + found.memory.state
    assert weights <= share * whole.parameters
    if mode != "float8":
        assert "s8[" in found.text


def attending(positions, **options):
    inputs = jkeras.Input((positions, 512))
    attend = layers.MultiHeadAttention(8, 128, **options)
    model = jkeras.Model(inputs, layers.Dense(512)(attend(inputs, inputs, use_causal_mask=True)))
    model.compile("sgd", "mse")
    return model


@pytest.mark.promise("which never holds the scores of all pairs of positions")
@pytest.mark.promise("nothing more with a fused kernel")
def test_long_sequences():
    """4,096 positions take no memory of 4,096 x 4,096, and as many operations as ever."""
    found = attending(4096).plan(1, topology="v5e:1x1")
    plain = attending(4096, flash_attention=False).plan(1, topology="v5e:1x1")
    assert "splash" in found.text and "splash" not in plain.text
    assert found.memory.temporary < 64 * 2**20 < 2**30 < plain.memory.temporary
    assert found.flops == plain.flops


def test_long_sequences_in_parts():
    """The kernel on each device of FSDP, which gathers weights and nothing of attention; the ring,
    which gives keys and values away once for the output and once, with gradients, for those.
    """
    pod = dist.Topology("v5e:2x4")
    with dist.FSDP(devices=pod.devices).scope():
        model = attending(4096)
    found = model.plan(8)
    assert "splash" in found.text and found.memory.temporary < 64 * 2**20
    assert found.collectives["all-gather"] < 2 * 4 * sum(math.prod(v.shape) for v in model.weights)
    with dist.ContextParallel(devices=pod.devices).scope():
        model = attending(4096)
    found = model.plan(1)
    part = 4096 // 8 * 8 * 128 * 4
    assert found.memory.temporary < 64 * 2**20
    assert found.collectives["collective-permute"] == pytest.approx(8 * (2 + 4) * part, rel=0.5)


@pytest.mark.promise("what passes from one device to the next is one activation")
def test_stages():
    """8 microbatches through 4 stages: 11 turns, of which each stage works in 8 and is idle in 3.

    A microbatch goes on in every turn, and back for the gradient; the 8 that come out of the last
    stage go to all, and their gradients back.
    """
    pod = dist.Topology("v5e:2x4")
    block = jkeras.Sequential([jkeras.Input((512, 128)), AttendingBlock()])
    with dist.PipelineParallel(4, devices=pod.devices).scope():
        inputs = jkeras.Input((512, 128))
        stack = layers.Stack(block, 8, remat=True, stages=4, microbatches=8)
        model = jkeras.Model(inputs, stack(inputs))
        model.compile("adam", "mse")
    found = model.plan(16)
    turn = 512 * 128 * 4  # one row on each of the two devices of a stage
    assert found.collectives["collective-permute"] == 2 * (11 + 8) * turn
    of_blocks = sum(4 * math.prod(v.shape) for v in stack.trainable_weights)
    assert found.memory.parameters == of_blocks // 4
    assert "splash" in found.text


class AttendingBlock(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.attend = layers.MultiHeadAttention(1, 128)

    def call(self, x):
        return x + self.attend(x, x, use_causal_mask=True)


@pytest.mark.promise("only gradients cross it")
def test_slices():
    pod = dist.Topology("v5e:2x2", slices=2)
    assert len(pod.devices) == 8 and len({device.slice_index for device in pod.devices}) == 2
    mesh = dist.DeviceMesh((2, 4), ["slice", "batch"], pod.devices)
    assert {device.slice_index for device in mesh.devices[0]} == {0}
    with dist.FSDP(mesh, min_size=64).scope():
        model = dense()
    text = model.plan(64).text
    gathers = [line for line in text.splitlines() if re.search(r" all-gather(-start)?\(", line)]
    assert gathers
    for line in gathers:  # weights, and never from another slice
        groups = re.search(r"replica_groups=(\[2,4\]<=\[8\]|\{\{0,1,2,3\}(,\{4,5,6,7\})?\})", line)
        assert groups, line


@pytest.mark.promise("A plan that does not fit says")
@pytest.mark.parametrize("kind", ["v5e", "h100"])
def test_what_does_not_fit(kind):
    """On a TPU the compiler refuses; on a GPU it does not, and what it says is compared."""
    model = jkeras.Sequential([jkeras.Input((2**15,)), layers.Dense(2**18), layers.Dense(1)])
    model.compile("adam", "mse")
    found = model.plan(8, topology=ONE[kind])
    assert not found.fits and found.needed > found.available
    assert "no (" in str(found)


@pytest.mark.promise("is the largest power of")
def test_batch_size():
    """That it fits, and twice as many rows do not."""
    model = jkeras.Sequential(
        [jkeras.Input((2**14,)), *(layers.Dense(2**14, "relu") for _ in range(4))]
    )
    model.compile("sgd", "mse")
    rows = find_batch_size(model, "v5e:1x1")
    assert model.plan(rows, topology="v5e:1x1").fits
    assert not model.plan(2 * rows, topology="v5e:1x1").fits


@pytest.mark.promise("On a topology `fit` and `predict` raise an error")
def test_nothing_runs_on_a_topology():
    pod = dist.Topology("v5e:2x2")
    with dist.DataParallel(devices=pod.devices).scope():
        model = dense()
        x = np.zeros((8, 256), "float32")
        for call in (
            lambda: model.fit(x, x, verbose=0),
            lambda: model.predict(x, verbose=0),
            lambda: model.evaluate(x, x, verbose=0),
        ):
            with pytest.raises(RuntimeError, match="A topology can be planned for, not run on"):
                call()
    model = dense()
    model.get_weights()  # they are here
    refused = pytest.raises(RuntimeError, match="A topology can be planned for, not run on")
    with dist.DataParallel(devices=pod.devices).scope(), refused:
        model.predict(x, verbose=0)
    model.predict(x, verbose=0)


def test_sizes_that_there_are_not():
    with pytest.raises(ValueError, match="sizes that there are, received 'v5e:3x5'"):
        dist.Topology("v5e:3x5")


@pytest.mark.promise("In all of them the state takes the place of what it was, and nothing goes to")
@pytest.mark.parametrize("name", ["mlp", "lstm"])
def test_steps_are_as_good_as_by_hand(name):
    """A recurrent kernel saves gates, which takes more memory and fewer cycles."""
    accessed, temporary = {"mlp": (1.02, 1.05), "lstm": (2, 1.3)}[name]
    for form in compiled.FORMS:
        own = compiled.account("jkeras", form, name, "float32", ONE["v5e"])
        by_hand = compiled.account("by hand", form, name, "float32", ONE["v5e"])
        assert own["bytes"] <= accessed * by_hand["bytes"]
        assert own["temporaries"] <= temporary * by_hand["temporaries"]
        assert own["copied"] < 4096 and own["to host"] == 0  # the logs alone


@pytest.mark.parametrize("layout", ["fsdp", "tensor", "both"])
def test_pods_send_no_more_than_by_hand(layout, monkeypatch):
    small = {"units": (256, 2), "shape": (128,), "answers": (128,)}
    small |= {"vocabulary": 512, "classes": 512}
    monkeypatch.setitem(compiled_pods.WORKS, "gpt2", small)
    own, by_hand = (
        compiled_pods.account(peer, layout, "gpt2", "mixed_bfloat16", "v5e:4x4")
        for peer in ("jkeras", "by hand")
    )
    sent, of_hand = own["collectives"], by_hand["collectives"]
    assert sent.keys() == of_hand.keys()
    for kind, (_, size) in sent.items():
        assert size <= 1.02 * of_hand[kind][1]
    assert own["operations"] == by_hand["operations"]
    assert own["arguments"] <= 1.3 * by_hand["arguments"]  # 64 features of a head fill up 128


@pytest.mark.parametrize("kind", EIGHT)
def test_a_way_to_train_is_recommended(kind):
    """The compiler says of each choice what it says of a model that is made for it."""
    choices = jkeras.training.recommend(dense(), EIGHT[kind], batch=64, verbose=0)
    assert [one.layout.partition(" ")[0] for one in choices.others] == []
    assert {one.layout for one in choices} >= {"data in parts", "weights in parts (FSDP)"}
    best = choices[0]
    with best.scope():
        model = dense()
    found = model.plan(64)
    assert (found.memory, found.flops) == (best.plan.memory, best.plan.flops)
    assert found.roofline == best.plan.roofline
    assert all(one.seconds >= best.seconds > 0 for one in choices)


def test_what_does_not_fit_is_computed_again():
    model = jkeras.Sequential([jkeras.Input((1024, 1024)), layers.Stack(deep(), 24)])
    model.compile("adam", "mse")
    choices = jkeras.training.recommend(model, "v5e:1x1", batch=64, verbose=0)
    assert not choices.others[0].options and "of 15.75 GiB" in choices.others[0].reason
    assert any(one.options.get("remat") for one in choices)
    assert all(one.plan.needed < 15.75 * 2**30 for one in choices)


def deep():
    return jkeras.Sequential([layers.Dense(1024, "gelu"), layers.Dense(1024, "gelu")])


@pytest.mark.promise("With one, as 1.25, devices exchange tokens")
@pytest.mark.parametrize("capacity", [1.25, None])
def test_experts_on_a_pod(capacity):
    """16 experts over 16 of 256 devices: each holds one, and no device gets all tokens."""
    pod = dist.Topology("v5e:16x16")
    with dist.AutoParallel(model=16, devices=pod.devices).scope():
        experts = layers.MixtureOfExperts(16, 512, capacity_factor=capacity)
        model = jkeras.Sequential([jkeras.Input((128, 256)), experts])
        model.compile("adam", "mse")
    found = model.plan(64)
    weights = 4 * (256 * 16 + 16 * 3 * 256 * 512)
    assert found.fits and found.memory.parameters < 1.1 * weights / 16
    tokens = 4 * 64 * 128 * 256
    assert found.collectives and max(found.collectives.values()) < tokens


@pytest.mark.promise("A `Topology` knows seven kinds of TPUs and seven of GPUs")
@pytest.mark.parametrize("kind", topology.GPUS)
def test_kinds_of_gpus(kind):
    """What the compiler is told of one is what a plan says of it."""
    pod, gpu = dist.Topology(f"{kind}:2"), topology.GPUS[kind]
    assert {device.device_kind for device in pod.devices} == {gpu.description}
    found = dense().plan(64, topology=pod)
    assert found.fits and found.available == gpu.memory == pod.device_memory
    chip = chip_of(pod.devices[0])
    assert chip.name == kind
    assert chip.bandwidth == pytest.approx(gpu.bandwidth, rel=0.05)
    assert found.roofline.seconds > 0
    assert len(topology.GPUS) == len(topology.TPUS) == 7


def recurrent(cell):
    """Two layers, one of them of more units than lanes, and a mask."""
    cell = getattr(layers, cell)
    parts = [layers.Masking(), cell(96, return_sequences=True), cell(256), layers.Dense(2)]
    model = jkeras.Sequential([jkeras.Input((24, 8)), *parts])
    model.compile("adam", LOSS)
    return model


@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_recurrent_layers_are_kernels(cell, policy):
    """Forwards and backwards, on one TPU and on eight."""
    jkeras.config.set_dtype_policy(policy)
    alone = recurrent(cell).plan(16, topology=ONE["v5e"])
    assert alone.fits and alone.text.count('custom_call_target="tpu_custom_call"') == 4
    with dist.FSDP(devices=dist.Topology(EIGHT["v5e"]).devices, min_size=64).scope():
        cut = recurrent(cell).plan(64)
    assert cut.fits and cut.text.count('custom_call_target="tpu_custom_call"') == 4


def test_an_lstm_by_cudnn(monkeypatch):
    """Lowered and compiled; the library, which JAX asks for two sizes, takes the device."""
    from jax.experimental import rnn

    def sizes(*given):
        return 2**20, 2**20

    monkeypatch.setattr(rnn.gpu_rnn, "compute_rnn_workspace_reserve_space_sizes", sizes)
    model = jkeras.Sequential([jkeras.Input((24, 8)), layers.LSTM(96), layers.Dense(2)])
    model.compile("adam", LOSS)
    text = model.plan(16, topology=ONE["h100"]).text
    assert re.findall(r'custom_call_target="(cudnn_rnn\w*)"', text) == [
        "cudnn_rnn_ffi",
        "cudnn_rnn_bwd_ffi",
    ]
