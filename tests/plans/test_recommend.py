"""`recommend`: what is tried, in which order, and what is said of it; with a compiler that is
described by a function.
"""

import dataclasses
import inspect
import types
import warnings

import jax
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.search import recommending
from jkeras.plans.plan import Memory, Plan, Roofline
from jkeras.search.recommending import Choice, recommend
from jkeras.training.step.batch_loss import NoChunks

GIB = 2**30


def plan_of(needed, seconds=1.0, available=16 * GIB):
    memory = Memory(*[0] * 8)
    roofline = Roofline(seconds, 0.0, 0.0, seconds / 2)
    return Plan(
        what="a step",
        devices="some",
        fits=needed <= available,
        memory=memory,
        needed=int(needed),
        available=available,
        flops=1,
        collectives={},
        bytes_accessed=1,
        roofline=roofline,
        seconds=0.1,
        text="",
    )


class Distribution:
    """Stands for one of a kind."""

    def __init__(self, devices, model=None, offload=None):
        self.model, self.offload = model, offload

    def scope(self):
        import contextlib

        return contextlib.nullcontext()


@pytest.fixture
def pod(monkeypatch):
    """Devices of no kind; distributions that do nothing."""
    for name in ("FSDP", "DataParallel", "AutoParallel"):
        monkeypatch.setattr(recommending, name, type(name, (Distribution,), {}))
    return lambda count, platform="tpu": types.SimpleNamespace(
        devices=[None] * count, platform=platform
    )


def compiler(needed, seconds=lambda rows, **options: float(rows)):
    """A function that makes a model, whose plan says what a function of its rows and options
    says.
    """
    asked = []
    takes_chunks = "loss_chunks" in inspect.signature(needed).parameters

    def make(**options):
        def plan(shape, labels, topology):
            if "loss_chunks" in options and not takes_chunks:
                warnings.warn("no effect", NoChunks, stacklevel=2)
            rows = shape if isinstance(shape, int) else shape[0]
            asked.append((rows, options))
            return plan_of(needed(rows, **options) * GIB, seconds(rows, **options))

        return types.SimpleNamespace(plan=plan)

    return make, asked


def test_what_fits_is_not_tried_further(pod):
    make, asked = compiler(lambda rows: 1.0)
    choices = recommend(make, pod(8), batch=64, verbose=0)
    assert [one.layout for one in choices] == [
        "data in parts",
        "weights in parts (FSDP)",
        "layers over 2 devices (AutoParallel)",
        "layers over 4 devices (AutoParallel)",
        "layers over 8 devices (AutoParallel)",
    ]
    assert asked == [(64, {})] * 5 and not choices.others


@pytest.mark.promise("It gives those that take a row the least time by their `roofline`")
def test_the_fastest_row_comes_first_then_the_least_memory(pod):
    def seconds(rows):
        return {64: 3.0, 128: 4.0, 256: 8.0}[rows]

    make, _ = compiler(lambda rows: rows / 64, seconds)
    choices = recommend(make, pod(1), batch=[64, 128, 256], verbose=0)
    assert [one.rows for one in choices] == [128, 256, 64]


def test_what_does_not_fit_is_tried_with_less_memory(pod):
    """Both ways on their own until one fits, since each takes time in another way."""

    def needed(rows, remat=None, microbatches=1):
        return {None: 80, "dots_with_no_batch_dims_saveable": 40, True: 12}[remat] / microbatches

    make, asked = compiler(needed)
    choices = recommend(make, pod(1), batch=64, verbose=0)
    assert [options for _, options in asked] == [
        {},
        {"remat": "dots_with_no_batch_dims_saveable"},
        {"remat": True},
        {"microbatches": 2},
        {"microbatches": 4},
        {"microbatches": 8},
    ]
    assert [one.options for one in choices] == [{"microbatches": 8}, {"remat": True}]
    assert [one.reason for one in choices.others] == [
        f"it needs {size:.2f} GiB of 16.00 GiB on each device" for size in (80, 40, 40, 20)
    ]


def test_a_loss_in_chunks_is_tried_where_it_has_an_effect(pod):
    """On its own, and with what follows where it alone is not enough."""

    def needed(rows, loss_chunks=1, remat=None, microbatches=1):
        return (60 / loss_chunks + 30 / (4 if remat else 1)) / microbatches

    make, asked = compiler(needed)
    choices = recommend(make, pod(1), batch=4, verbose=0)
    assert [options for _, options in asked] == [
        {},
        {"loss_chunks": 8},
        {"loss_chunks": 8, "remat": "dots_with_no_batch_dims_saveable"},
        {"loss_chunks": 8, "microbatches": 2},
        {"loss_chunks": 8, "microbatches": 4},
    ]
    assert choices[0].options["loss_chunks"] == 8 and len(choices) == 2
    for least in (10, 20):  # enough, or no less than without

        def asked_for(rows, loss_chunks=1, least=least, **others):
            return 20 if loss_chunks == 1 else least

        make, asked = compiler(asked_for)
        recommend(make, pod(1), batch=4, verbose=0)
        assert sum("loss_chunks" in options for _, options in asked) == 1
        assert {"microbatches": 2} in [options for _, options in asked]


def test_chunks_are_not_asked_of_a_function_that_does_not_take_them(pod):
    def make(remat=None, microbatches=1):
        plan = plan_of(100 * GIB)
        return types.SimpleNamespace(plan=lambda *given, **options: plan)

    assert not recommend(make, pod(1), batch=2, verbose=0)


def test_both_together_and_then_the_host(pod):
    def needed(rows, remat=None, microbatches=1):
        return 200 / microbatches - (10 if remat else 0)

    make, asked = compiler(needed)
    choices = recommend(make, pod(1), batch=16, verbose=0)
    assert choices[0].options == {"microbatches": 16}
    make, asked = compiler(lambda rows, **options: 1000)
    choices = recommend(make, pod(1), batch=4, verbose=0)
    assert not choices
    assert asked[-4:] == [
        (4, {"remat": True, "microbatches": 2}),
        (4, {"remat": True, "microbatches": 4}),
        (4, {"remat": True}),
        (4, {"remat": True, "microbatches": 4}),
    ]
    assert [one.layout.endswith("with the host") for one in choices.others[-3:]] == [
        False,
        True,
        True,
    ]


def test_what_the_compiler_refuses_is_a_reason(pod):
    """One that it cannot compile leaves the others."""

    def needed(rows, **options):
        if not options:
            raise jax.errors.JaxRuntimeError("INTERNAL: out of scratch memory\nand more")
        return 1.0

    make, _ = compiler(needed)
    choices = recommend(make, pod(1), batch=4, verbose=0)
    assert [one.options for one in choices] == [
        {"remat": recommending.REMAT[0]},
        {"microbatches": 2},
    ]
    (refused,) = choices.others
    assert "the compiler refuses it: INTERNAL: out of scratch memory" in repr(refused)
    assert refused.plan is None and refused.seconds is None


def test_gpus_that_are_not_here_have_no_memory_of_a_host(pod):
    make, _ = compiler(lambda rows, **options: 1000)
    choices = recommend(make, pod(1, "cuda"), batch=4, verbose=0)
    assert not any("host" in one.layout for one in choices.others)


def test_no_more_steps_are_compiled_than_asked(pod):
    make, asked = compiler(lambda rows, **options: 1000)
    recommend(make, pod(8), batch=64, most=5, verbose=0)
    assert len(asked) == 5


def test_rows_that_cannot_be_cut_are_refused(pod):
    make, asked = compiler(lambda rows: 1.0)
    with pytest.raises(ValueError, match="expected `batch` in parts for 7 devices, received 10"):
        recommend(make, pod(7), batch=10, verbose=0)
    choices = recommend(make, pod(8), batch=[4, 16], verbose=0)
    # layers over two devices leave four parts of a batch
    assert {one.layout[:6] for one in choices if one.rows == 4} == {"layers"}
    assert {one.rows for one in choices} == {4, 16}


def test_each_step_is_told(pod, capsys):
    make, _ = compiler(lambda rows: 1.0, lambda rows: 0.25)
    recommend(make, pod(1), batch=8)
    said = capsys.readouterr().out
    assert said == (
        "data in parts, 8 rows: at least 250 ms a step (operations), MFU at most 50%, "
        "1.00 GiB on each device\n"
    )


def test_a_choice_says_why_it_cannot_be_taken():
    choice = Choice("one device", 8, {"remat": True}, None, "it needs more")
    assert repr(choice) == "one device, 8 rows, remat=True: it needs more"
    assert not choice.fits and choice.seconds is None


# ---------------------------------------------------------------- with the compiler that is here


def net():
    block = jkeras.Sequential([layers.Dense(64, "relu"), layers.Dense(8)])
    model = jkeras.Sequential([jkeras.Input((8,)), block, layers.Dense(2)])
    model.compile("adam", "mse", metrics=["mae"])
    return model


def test_a_model_is_cloned_and_stays_as_it_is():
    model = net()
    before = model.get_weights()
    (choice,) = recommend(model, batch=32, verbose=0)
    assert choice.plan.memory == model.plan(32).memory
    for one, other in zip(before, model.get_weights()):
        np.testing.assert_array_equal(one, other)
    assert model.compilation.microbatches == 1


def test_options_reach_the_clone(monkeypatch):
    """As if nothing fitted but the last."""
    model, seen = net(), []

    def plan(self, *arguments, **options):
        chunks, microbatches = self.loss_chunks, self.compilation.microbatches
        seen.append((chunks, microbatches, self.layers[0].remat_scope is not None))
        return plan_of((len(seen) < 9) * 100 * GIB)

    monkeypatch.setattr(jkeras.Model, "plan", plan)
    recommend(model, batch=4, verbose=0)
    ways = [(1, False), (1, True), (1, True), (2, False), (4, False), (2, True), (4, True)]
    assert seen == [(1, 1, False), (8, 1, False), *((1, *way) for way in ways[1:])]


def test_what_no_config_has_is_planned_too():
    """Links, attacks and what is done about NaN take operations and memory."""
    attack = jkeras.robust.PGD(epsilon=0.1, steps=3)
    for options in ({"adversarial": attack}, {"nonfinite": "skip"}):
        model = net()
        model.compile("adam", "mse", metrics=["mae"], **options)
        (choice,) = recommend(model, batch=32, verbose=0)
        assert choice.plan.flops == model.plan(32).flops
        assert choice.plan.memory == model.plan(32).memory
    private = net()
    private.compile("sgd", "mse", privacy=jkeras.privacy.DPSGD(clip=1.0, noise_multiplier=1.0))
    with pytest.raises(ValueError, match="a function that makes the model, for one with `privacy`"):
        recommend(private, batch=4, verbose=0)


def test_in_the_scope_of_a_distribution(monkeypatch):
    with jkeras.distribution.DataParallel(devices=["cpu:0"]).scope():
        (choice,) = recommend(net(), batch=4, verbose=0)
    assert choice.layout == "DataParallel of the scope around"
    four = jkeras.distribution.DataParallel(devices=["cpu:0"])
    monkeypatch.setattr(type(four), "num_model_replicas", 4)
    with four.scope(), pytest.raises(ValueError, match="in parts for 4 devices, received 6"):
        recommend(net(), batch=6, verbose=0)


def test_a_choice_trains():
    (choice,) = recommend(net(), batch=32, verbose=0)
    with choice.scope():
        model = net()
        model.compile("adam", "mse", **choice.options)
    model.fit(np.ones((32, 8)), np.ones((32, 2)), verbose=0)


class Own(jkeras.Model):
    """A model whose constructor takes what no config has."""

    def __init__(self, part):
        super().__init__()
        self.dense = part

    def call(self, x):
        return self.dense(x)


@pytest.mark.promise("A model that cannot be cloned is given as a function")
def test_a_model_that_cannot_be_cloned():
    model = Own(layers.Dense(2))
    model.compile("sgd", "mse")
    model(np.ones((2, 3)))
    with pytest.raises(ValueError, match="that can be cloned, or a function that makes one"):
        recommend(model, batch=4, verbose=0)

    def make(**options):
        model = Own(layers.Dense(2))
        model.compile("sgd", "mse", **options)
        model(np.ones((2, 3)))
        return model

    (choice,) = recommend(make, batch=4, verbose=0)
    assert choice.plan.memory.parameters == 4 * (3 * 2 + 2)


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="batch"):
        recommend(net(), batch=0, verbose=0)
    with pytest.raises(ValueError, match="batch"):
        recommend(net(), batch=[4, -4], verbose=0)
    with pytest.raises(ValueError, match="most"):
        recommend(net(), batch=4, most=0, verbose=0)
    plain = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(2)])
    with pytest.raises(ValueError, match="a compiled model that can be cloned"):
        recommend(plain, batch=4, verbose=0)


def test_a_model_that_was_built_by_a_call():
    model = jkeras.Sequential([layers.Dense(2)])
    model.compile("sgd", "mse")
    model(np.ones((2, 3)))
    (choice,) = recommend(model, batch=4, verbose=0)
    assert choice.plan.memory == model.plan(4).memory


@pytest.mark.filterwarnings("ignore:.*`loss_chunks` has no effect")
def test_chunks_of_a_real_loss(monkeypatch):
    """A model of many classes is tried with them, one that has them already is not. A head that is
    computed again for the gradient has none.
    """
    asked = []

    def plan(self, *arguments, **options):
        asked.append(self.loss_chunks)
        return dataclasses.replace(of_model(self, *arguments, **options), fits=False, available=1)

    of_model = jkeras.Model.plan
    monkeypatch.setattr(jkeras.Model, "plan", plan)
    loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for given, wanted in (
        (1, [1, 8, 8, 1]),
        (4, [4, 4, 4]),
    ):
        asked.clear()
        model = jkeras.Sequential([jkeras.Input((16, 8)), layers.Dense(512)])
        model.compile("sgd", loss, loss_chunks=given)
        recommend(model, batch=4, most=3, verbose=0)
        assert asked == wanted


def test_labels_and_lengths():
    tokens = jkeras.Input((None,), dtype="int32")
    outputs = layers.Dense(5)(layers.Embedding(7, 4)(tokens))
    model = jkeras.Model(tokens, outputs)
    model.compile("sgd", jkeras.losses.SparseCategoricalCrossentropy(from_logits=True))
    (choice,) = recommend(model, batch=4, length=6, verbose=0)
    assert choice.plan.memory.batch == 2 * 4 * 6 * 4  # tokens and labels
