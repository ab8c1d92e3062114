"""Training steps as the compiler of an accelerator sees them: the figures of docs/scaling.md.

    python -m benchmarks.compiled [--topology v5e:1x1] [--works cnn gpt2] [--types float32]

The steps of jkeras, of Keras, of Flax NNX and of a loop by hand, with the same network and batch,
each compiled for one device that is not here, in a process of its own; "many" is the program of
`fit` that takes many steps, beside a `fori_loop` over the step by hand. Counted are the bytes that
a step reads from the main memory and writes to it, the seconds that it takes at least by them and
by its operations, the cycles that the compiler of a TPU estimates, its temporaries, the results
that are not in the place of what was given, fusions, and seconds to compile. Needs the extra `aot`.
"""

import argparse
import dataclasses
import json

import jax
import jax.numpy as jnp
import optax

from benchmarks import kept, runner
from benchmarks.compiling import told
from benchmarks.work import Work
from benchmarks.works import WORKS

FORMS = ("one", "many")
TYPES = ("float32", "mixed_bfloat16")
ROWS, STEPS = 256, 16  # of a batch; of the data that "many" has on the device
NAMES = ("mlp", "cnn", "separable", "resnet", "lstm", "transformer")

LARGE = {
    work.name: dataclasses.replace(work, network=work.name, steps=4)
    for work in [
        Work("resnet50", "ResNet50", "", (224, 224, 3), batch=64, classes=1000),
        Work("unet", "U-Net", "", (128, 128, 3), batch=64, classes=2, answers=(128, 128)),
        Work("lstms", "two LSTMs", "", (128,), vocabulary=5000, units=(512,), batch=64),
        Work("vit", "ViT-B", "", (224, 224, 3), units=(768, 12), batch=64, classes=1000),
        Work(
            "gpt2",
            "GPT-2",
            "",
            (1024,),
            vocabulary=50_257,
            units=(768, 12),
            batch=8,
            classes=50_257,
            answers=(1024,),
        ),
        Work(
            "llama",
            "Llama",
            "",
            (2048,),
            vocabulary=32_000,
            units=(1024, 2816, 16),
            batch=2,
            classes=32_000,
            answers=(2048,),
        ),
    ]
}


def work_of(name) -> Work:
    """A large work, or one of RESULTS.md with batches for an accelerator."""
    return LARGE.get(name) or dataclasses.replace(WORKS[name], batch=ROWS, steps=STEPS)


# ---------------------------------------------------------------- each peer
#
# A function of (work, type, x, y): (step, state), where `step(state, x, y)` gives the state first.


def of_jkeras(work, dtype, x, y):
    import jkeras

    model = model_of(jkeras, work, dtype)
    step = jkeras.training.make_train_step(model)
    state = jkeras.training.init_train_state(model, 0)
    return (lambda state, x, y: step(state, (x, y, None))), state


def many_of_jkeras(work, dtype, x, y):
    """The program itself that `fit` takes."""
    import jkeras
    from jkeras.training.loop.programs import Programs
    from jkeras.training.step.layout import state_layout

    model = model_of(jkeras, work, dtype)
    state = jkeras.training.init_train_state(model, 0)
    many = Programs(model, state_layout(model), "train", in_a_loop=True)._loop()
    order = jnp.arange(work.rows).reshape(-1, work.batch)
    run = lambda state, x, y: many(state, (x, y, None), order, 0, len(order))  # noqa: E731
    return run, state


def of_keras(work, dtype, x, y):
    import keras

    model = model_of(keras, work, dtype)
    model.optimizer.build(model.trainable_variables)
    model._symbolic_build(data_batch=(x, y))
    groups = ("trainable", "non_trainable", "optimizer", "metrics")
    state = model._get_jax_state(**{f"{group}_variables": True for group in groups})
    return (lambda state, x, y: model.train_step(state, (x, y))[::-1]), state


def model_of(library, work, dtype):
    from benchmarks.peers.keras_ import network

    library.config.set_dtype_policy(dtype)
    model = network(library, work)
    loss = library.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(library.optimizers.Adam(1e-3), loss, metrics=["accuracy"])
    return model


def of_nnx(work, dtype, x, y):
    from benchmarks.peers.nnx import Network, nnx, train_step

    model = Network(work)
    optimizer = nnx.Optimizer(model, optax.adam(1e-3), wrt=nnx.Param)
    metrics = nnx.MultiMetric(loss=nnx.metrics.Average("loss"), accuracy=nnx.metrics.Accuracy())
    model.train()
    graph, state = nnx.split((model, optimizer, metrics))

    def step(state, x, y):
        parts = nnx.merge(graph, state)
        train_step.__wrapped__(*parts, x, y)
        return (nnx.state(parts),)

    return step, state


def by_hand(work, dtype, x, y):
    from benchmarks.peers import plain

    compute = "bfloat16" if dtype == "mixed_bfloat16" else "float32"
    optimizer = optax.adam(1e-3)
    params, stats = jax.eval_shape(lambda: plain.start(work))
    moments = jax.eval_shape(optimizer.init, params)
    step = plain.make_step(work, optimizer, compute)
    return (lambda state, x, y: (step(state, x, y),)), (params, stats, moments, jnp.zeros(2))


def many_by_hand(work, dtype, x, y):
    step, state = by_hand(work, dtype, x, y)
    order = jnp.arange(work.rows).reshape(-1, work.batch)

    def many(state, x, y):
        def body(i, state):
            return step(state, x[order[i]], y[order[i]])[0]

        return (jax.lax.fori_loop(0, len(order), body, state),)

    return many, state


STEPS_OF = {
    ("jkeras", "one"): of_jkeras,
    ("jkeras", "many"): many_of_jkeras,
    ("keras", "one"): of_keras,
    ("nnx", "one"): of_nnx,
    ("by hand", "one"): by_hand,
    ("by hand", "many"): many_by_hand,
}


# ---------------------------------------------------------------- what the compiler says


def account(peer, form, name, dtype, topology):
    """What the compiler says of a step of a peer."""
    from jkeras.distribution import Topology

    work = work_of(name)
    x, y = work.data()
    if form == "one":
        x, y = x[: work.batch], y[: work.batch]
    step, state = STEPS_OF[peer, form](work, dtype, x, y)
    pod = Topology(topology)
    where = jax.sharding.SingleDeviceSharding(pod.devices[0])

    def placed(shape):
        return jax.ShapeDtypeStruct(shape.shape, shape.dtype, sharding=where)

    given = jax.tree_util.tree_map(placed, jax.eval_shape(lambda *given: given, state, x, y))
    return told(step, given, pod)


def side_by_side(name, dtype, topology):
    """{peer, form: what `account` gives}."""
    found = {}
    for peer, form in STEPS_OF:
        if peer == "nnx" and dtype != "float32":
            continue  # takes a type for each of its layers
        given = peer, form, name, dtype, topology
        environment = {"XLA_FLAGS": ""}  # the compiler of TPUs ends a process with others
        said = runner.printed("compiled", "--one", *given, environment=environment, check=False)
        found[f"{peer}, {form}"] = said[-1] if said else None  # None: it cannot be compiled here
        print(name, dtype, peer, form, found[f"{peer}, {form}"], flush=True)
    return found


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--topology", default="v5e:1x1")
    parser.add_argument("--works", nargs="*", default=list(NAMES), choices=[*NAMES, *LARGE])
    parser.add_argument("--types", nargs="*", default=list(TYPES), choices=TYPES)
    parser.add_argument("--one", nargs=5, metavar=("PEER", "FORM", "WORK", "TYPE", "TOPOLOGY"))
    given = parser.parse_args()
    if given.one:
        print(json.dumps(account(*given.one)), flush=True)
        return
    found = kept.found("compiled", given.topology)  # of the other works
    for name in given.works:
        for dtype in given.types:
            found[f"{name}, {dtype}"] = side_by_side(name, dtype, given.topology)
            kept.keep("compiled", given.topology, found, ("keras", "flax", "libtpu"))


if __name__ == "__main__":
    main()
