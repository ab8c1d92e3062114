"""What the distribution tests run in processes of their own, since JAX fixes its devices once:
`python -m … KIND`.

Prints one JSON object.
"""

import contextlib
import functools
import hashlib
import json
import re
import sys
import tempfile

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

import jkeras
from jkeras import distribution as dist
from jkeras import layers, losses, ops
from jkeras.ops.attention import attention
from jkeras.ops.attention_plain import Form, padding_segments, plain
from jkeras.ops.kernels import traced_for
from jkeras.programs.operations import count_operations
from jkeras.saving import Checkpointer
from jkeras.training.data import placement

X = np.random.default_rng(0).normal(size=(40, 16)).astype("float32")
Y = (X.sum(1) > 0).astype("int32")
TOKENS = np.random.default_rng(1).integers(0, 20, (16, 8)).astype("int32")


def mlp():
    """Everything that has state or draws numbers."""
    return jkeras.Sequential(
        [
            jkeras.Input((16,)),
            layers.Dense(32, "relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(2),
        ]
    )


def transformer():
    tokens = jkeras.Input((8,), dtype="int32")
    x = layers.Embedding(20, 16, name="embedding")(tokens)
    x = layers.Add()(
        [x, layers.MultiHeadAttention(4, 4, name="attention")(x, x, use_causal_mask=True)]
    )
    x = layers.LayerNormalization()(x)
    x = layers.Add()([x, layers.Dense(16, name="down")(layers.Dense(64, "gelu", name="up")(x))])
    return jkeras.Model(tokens, layers.Dense(20, name="head")(x))


class Block(layers.Layer):
    """A block of a transformer, with a penalty, which drops nothing."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.attention = layers.MultiHeadAttention(4, 4)
        self.norm = layers.LayerNormalization()
        self.dense = layers.Dense(16, "tanh", activity_regularizer="l2", kernel_regularizer="l2")

    def call(self, x, mask=None, segment_ids=None):
        seen = None if mask is None else mask[:, None, :]
        y = self.attention(x, x, attention_mask=seen, segment_ids=segment_ids)
        return x + self.dense(self.norm(y))


def stack():
    """Blocks in four stages, where the mesh has so many."""
    tokens = jkeras.Input((8,), dtype="int32")
    x = layers.Embedding(20, 16, mask_zero=True)(tokens)
    ids = ops.cumsum(ops.cast(tokens < 5, "int32"), axis=1)  # sequences begin at such tokens
    x = layers.Stack(Block(), 8, remat=True, stages=4, microbatches=8)(x, segment_ids=ids)
    return jkeras.Model(tokens, layers.Dense(20, name="head")(x))


def slices():
    """Two slices of four devices."""
    return dist.DeviceMesh((2, 4), ["slice", "batch"])


def tensor_parallel():
    """The heads and the hidden units cut over 4 devices, the batch over 2 (Shoeybi et al. 2019,
    arXiv:1909.08053).
    """
    layouts = dist.LayoutMap(dist.DeviceMesh((2, 4), ["batch", "model"]))
    layouts[".*attention/(query|key|value)/kernel"] = (None, "model", None)
    layouts[".*attention/attention_output/kernel"] = ("model", None, None)
    layouts[".*up/kernel"] = (None, "model")
    layouts[".*up/bias"] = ("model",)
    layouts[".*down/kernel"] = ("model", None)
    layouts[".*up/output"] = ("batch", None, "model")
    return dist.ModelParallel(layout_map=layouts, batch_dim_name="batch")


def gated():
    """A decoder's block of today: few keys, which are not cut in 4, and a gate."""
    tokens = jkeras.Input((8,), dtype="int32")
    x = layers.Embedding(22, 16, name="embedding")(tokens)
    attention = layers.GroupQueryAttention(4, 4, 2, name="attention")
    x = layers.Add()([x, attention(x, x)])
    x = layers.LayerNormalization()(x)
    gate = layers.Dense(32, "silu", name="gate")(x)
    up = layers.Dense(32, name="up")(x)
    x = layers.Add()([x, layers.Dense(16, name="down")(layers.Multiply()([gate, up]))])
    return jkeras.Model(tokens, layers.Dense(20, name="head")(x))


def stacked():
    """Two blocks whose weights lie behind one another in the same arrays."""
    inputs = jkeras.Input((8, 16))
    x = layers.Add()([inputs, layers.MultiHeadAttention(4, 4, name="attention")(inputs, inputs)])
    x = layers.LayerNormalization(name="norm")(x)
    x = layers.Add()([x, layers.Dense(16, name="down")(layers.Dense(64, "gelu", name="up")(x))])
    tokens = jkeras.Input((8,), dtype="int32")
    x = layers.Stack(jkeras.Model(inputs, x), 2, name="stack")(
        layers.Embedding(20, 16, name="embedding")(tokens)
    )
    return jkeras.Model(tokens, layers.Dense(20, name="head")(x))


def three_steps(build, layout=None):
    """The losses of three steps, the predictions behind them, and how the weights lie."""
    jkeras.utils.clear_session()
    jkeras.utils.set_random_seed(3)
    dist.set_distribution(layout)
    model = build()
    model.compile("adam", losses.SparseCategoricalCrossentropy(from_logits=True))
    y = np.roll(TOKENS, -1, 1)
    found = {
        "losses": [float(model.train_on_batch(TOKENS, y)) for _ in range(3)],
        "prediction": model.predict(TOKENS, verbose=0).ravel().tolist(),
    }
    parameters = [v.value for v in model.trainable_variables]
    found["parameters"] = sum(value.addressable_shards[0].data.nbytes for value in parameters)
    if layout is not None:
        found["layouts"] = {row.path: [row.layout, row.why] for row in layout.report(model)}
        slots = [v for v in model.optimizer.variables if v.shape]
        found["slots"] = all(v.value.sharding.is_equivalent_to(v.sharding, v.ndim) for v in slots)
        found["planned"] = model.plan(16).memory.parameters
        found["loaded"] = loaded(model)
    slots = [v.value for v in model.optimizer.variables]
    found["bytes"] = sum(value.addressable_shards[0].data.nbytes for value in slots)
    dist.set_distribution(None)
    return found


def loaded(model):
    """The predictions of the model from its file."""
    with tempfile.TemporaryDirectory() as folder:
        model.save(f"{folder}/model.keras")
        again = jkeras.saving.load_model(f"{folder}/model.keras")
    kernel = again.get_layer("head").kernel.value
    assert not kernel.sharding.is_fully_replicated
    return again.predict(TOKENS, verbose=0).ravel().tolist()


def experts(capacity_factor=1.25):
    tokens = jkeras.Input((8,), dtype="int32")
    x = layers.Embedding(20, 16, name="embedding")(tokens)
    options = dict(use_bias=True, capacity_factor=capacity_factor, name="experts")
    several = layers.MixtureOfExperts(4, 64, **options)
    return jkeras.Model(tokens, layers.Dense(20, name="head")(x + several(x)))


def auto():
    """Cuts by rules over 4 and 2 of eight devices."""
    builds = {"transformer": transformer, "gated": gated, "stacked": stacked, "experts": experts}
    builds["dropless"] = functools.partial(experts, None)
    return {
        name: [three_steps(build), *(three_steps(build, auto_over(n)) for n in (4, 2))]
        for name, build in builds.items()
    }


def auto_over(count):
    return dist.AutoParallel(model=count, min_size=16)


def trained(build, x, y, batch_size, layout=None):
    """What a training gives, and where its arrays lie."""
    jkeras.utils.clear_session()
    jkeras.utils.set_random_seed(3)
    dist.set_distribution(layout)
    model = build()
    model.compile(
        "adam", losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
    )
    history = model.fit(
        x, y, batch_size=batch_size, epochs=2, verbose=0, validation_data=(x, y)
    ).history
    prediction = model.predict(x, verbose=0)
    single = jax.process_count() == 1
    out = {
        "history": history,
        "prediction": prediction.ravel().tolist(),
        "losses": [
            float(v) for v in (*model.evaluate(x, y, verbose=0), *model.train_on_batch(x, y))
        ],
        "traces": {key[0]: f.traces for key, f in model._functions.items() if hasattr(f, "traces")},
    }
    if single:
        out["weights"] = np.concatenate([w.ravel() for w in model.get_weights()]).tolist()
        arrays = [v.value for v in model.variables + model.optimizer.variables]
        out["bytes"] = sum(a.addressable_shards[0].data.nbytes for a in arrays)
        out["traffic"] = traffic(model, (x[:16], y[:16]))
    dist.set_distribution(None)
    return out


def private(layout=None):
    """What a training with noise gives: its noise, and the samples of rows."""
    jkeras.utils.set_random_seed(3)
    dist.set_distribution(layout)
    model = jkeras.Sequential([jkeras.Input((16,)), layers.Dense(32, "tanh"), layers.Dense(2)])
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    noise = jkeras.privacy.DPSGD(clip=0.5, noise_multiplier=1.0, delta=1e-3)
    model.compile("sgd", loss, privacy=noise)
    history = model.fit(X, Y, batch_size=16, epochs=2, verbose=0).history
    weights = np.concatenate([w.ravel() for w in model.get_weights()]).tolist()
    dist.set_distribution(None)
    return {"history": history, "weights": weights}


def members(layout=None):
    """What eight members of an ensemble learn, on how many devices their weights lie, and what of
    them lies on one.
    """
    jkeras.utils.clear_session()
    dist.set_distribution(layout)
    try:
        model = mlp()
        model.compile("adam", losses.SparseCategoricalCrossentropy(from_logits=True))
        how = {"batch_size": 16, "epochs": 2, "verbose": 0, "validation_data": (X[:8], Y[:8])}
        found = model.fit(X, Y, ensemble=8, seed=3, **how).history
        kernel = model.ensemble_members.state.params["dense"]["kernel"]
        programs = [f for f in model._functions.values() if hasattr(f, "traces")]
        return {
            "losses": np.stack(found["loss_members"] + found["val_loss_members"]).tolist(),
            "predictions": model.predict(X, members=True, verbose=0).tolist(),
            "devices": len(kernel.sharding.device_set),
            "bytes": kernel.addressable_shards[0].data.nbytes / kernel.nbytes,
            "traces": max(program.traces for program in programs),
        }
    finally:
        dist.set_distribution(None)


def traffic(model, batch):
    """How many collectives of each kind the compiled step has."""
    state = jkeras.training.init_train_state(model)
    step = jax.jit(jkeras.training.make_train_step(model))
    text = step.lower(state, placement.place(batch)).compile().as_text()
    return {
        kind: len(re.findall(rf" {kind}(?:-start)?\(", text))
        for kind in (
            "all-reduce",
            "all-gather",
            "reduce-scatter",
            "all-to-all",
            "collective-permute",
        )
    }


ATTENTION = {  # arguments, and whether there is padding
    "all": ({}, False),
    "causal, padding": ({"is_causal": True}, True),
    "window": ({"window": 5}, True),
}
LAYOUTS = {
    "fsdp": dist.FSDP,
    "slices": lambda: dist.FSDP(slices()),
    "tensor": tensor_parallel,
    "ring": dist.ContextParallel,
    "short ring": lambda: dist.ContextParallel(4),
}


def attentions():
    """How far attention over eight devices is from the plain form on one, values and gradients, by
    distribution and case.
    """
    rng = np.random.default_rng(2)
    x = [jnp.asarray(rng.normal(size=(8, heads, 16, 8)), "float32") for heads in (8, 4, 4)]
    return {
        f"{layout}, {case}": largest_difference(make(), *ATTENTION[case], x)
        for layout, make in LAYOUTS.items()
        for case in ATTENTION
    }


def largest_difference(layout, options, is_padded, x):
    segments = None
    if is_padded:
        mask = jnp.arange(16) < jnp.arange(8, 16)[:, None]
        segments = padding_segments(mask, mask, 8, 16, 16)

    def run(by, *x):
        form = Form(x[0].shape[-1] ** -0.5, **options)
        y = attention(x, form, segments=segments, implementation=by)
        return jnp.vdot(jnp.sin(y), jnp.cos(jnp.arange(y.size).reshape(y.shape))), y

    def results(by):
        return jax.jit(jax.value_and_grad(functools.partial(run, by), (0, 1, 2), has_aux=True))(*x)

    with layout.scope(), traced_for("interpreter"):
        mine = results("flash")
    differences = jax.tree.map(
        lambda a, b: float(jnp.abs(a - b).max()), mine[1:], results("xla")[1:]
    )
    return max(jax.tree.leaves(differences))


def recurrent():
    """What training an LSTM and a GRU by the kernels of a TPU gives on eight devices, and by XLA's
    loops on one; a batch of 12 is one that eight do not divide.
    """
    rng = np.random.default_rng(3)
    x = rng.normal(size=(24, 5, 3)).astype("float32") * (np.arange(5) < 4)[:, None]
    answers = (x[:, 0, 0] > 0).astype("int32")
    layouts = {"data": dist.DataParallel, "fsdp": lambda: dist.FSDP(min_size=8)}

    def build():
        parts = [layers.Masking(), layers.LSTM(8, return_sequences=True), layers.GRU(8)]
        return jkeras.Sequential([jkeras.Input((5, 3)), *parts, layers.Dense(2)])

    found = {}
    for size in (8, 12):
        found[f"one, {size}"] = trained(build, x, answers, size)
        with traced_for("interpreter"):
            for name, layout in layouts.items():
                found[f"{name}, {size}"] = trained(build, x, answers, size, layout())
    return found


def rings():
    """Causal attention in a ring over 2, 3 and 8 devices: how far it is from the plain form, values
    and gradients, where the parts have even and odd lengths, and its operations beside those of a
    ring that hides nothing.
    """
    cases = ((2, 8, None), (3, 12, None), (8, 16, None), (8, 32, 5), (8, 24, None))
    return {f"{n} devices, {time}, {window}": ring(n, time, window) for n, time, window in cases}


def ring(count, time, window):
    rng = np.random.default_rng(3)
    x = [jnp.asarray(rng.normal(size=(2, heads, time, 8)), "float32") for heads in (4, 2, 2)]
    mesh, cut = Mesh(jax.devices()[:count], ("time",)), PartitionSpec(None, None, "time")

    def attend(is_causal, *x):
        by_device = functools.partial(
            ops.ring_attention, axis_name="time", is_causal=is_causal, window=window
        )
        split = dict(mesh=mesh, in_specs=cut, out_specs=cut, check_vma=False)
        return jax.shard_map(by_device, **split)(*x)

    def of(function):
        y, back = jax.vjp(function, *x)
        return [y, *back(jnp.cos(y))]

    mine = of(jax.jit(functools.partial(attend, True)))
    exact = of(lambda *x: plain(*x, Form(8**-0.5, True, window)))
    counts = [
        count_operations(jax.make_jaxpr(functools.partial(attend, is_causal))(*x).jaxpr)
        for is_causal in (True, False)
    ]
    far = max(float(jnp.abs(a - b).max()) for a, b in zip(mine, exact))
    return {"far": far, "share": counts[0] / counts[1]}


def dropless():
    """How far experts that take all of their tokens are on eight devices from one: losses, outputs
    and gradients, by layout and shape; 8 experts, which one device has, two or eight, and 5.
    """
    layouts = {
        "data": dist.DataParallel(),
        "fsdp": dist.FSDP(min_size=8),
        "two": dist.AutoParallel(model=2, min_size=8),
        "eight": dist.AutoParallel(model=8, min_size=8),
        "context": dist.ContextParallel(2, min_size=8),
    }
    cases = [((8, 6, 12), 8), ((16, 12), 8), ((8, 3, 4, 12), 8), ((6, 5, 12), 8), ((8, 6, 12), 5)]
    found = {}
    for shape, count in cases:
        one = through_experts(shape, count)
        for name, layout in layouts.items():
            with layout.scope():
                many = through_experts(shape, count)
            far = jax.tree.map(lambda a, b: float(np.abs(np.subtract(a, b)).max()), one, many)
            found[f"{name}, {shape}, {count}"] = max(jax.tree.leaves(far))
    return found


def through_experts(shape, count):
    jkeras.utils.clear_session()
    layer = layers.MixtureOfExperts(count, 16, use_bias=True)
    x = jnp.asarray(np.random.default_rng(4).normal(size=shape), "float32")
    mask = jnp.arange(np.prod(shape[:-1])).reshape(shape[:-1]) % 7 > 0
    params, state = layer.init(jax.random.key(0), x)

    def loss(params, x):
        y, _ = layer.apply(params, state, x, training=True, mask=mask)
        return jnp.vdot(jnp.sin(y), jnp.cos(jnp.arange(y.size).reshape(y.shape))), y

    found = jax.jit(jax.value_and_grad(loss, (0, 1), has_aux=True))(params, x)
    return jax.device_get(found)


def eight():
    assert jax.device_count() == 8
    tokens = (TOKENS, np.roll(TOKENS, -1, 1), 16)
    return {
        "one": trained(mlp, X, Y, 16),
        "data": trained(mlp, X, Y, 16, dist.DataParallel()),
        "fsdp": trained(mlp, X, Y, 16, dist.FSDP(min_size=8)),
        "slices": trained(mlp, X, Y, 16, dist.FSDP(slices(), min_size=8)),
        "one transformer": trained(transformer, *tokens),
        "tensor": trained(transformer, *tokens, tensor_parallel()),
        "fsdp transformer": trained(transformer, *tokens, dist.FSDP(min_size=64)),
        "context": trained(transformer, *tokens, dist.ContextParallel(4, min_size=64)),
        "one stack": trained(stack, *tokens),
        "pipeline": trained(stack, *tokens, dist.PipelineParallel(4)),
        "attention": attentions(),
        "rings": rings(),
        "recurrent": recurrent(),
        "dropless": dropless(),
        "members": [members(), members(dist.DataParallel()), members(dist.FSDP(min_size=8))],
        "private": [private(), private(dist.DataParallel()), private(dist.FSDP(min_size=8))],
    }


def process(address, index):
    """One of two processes with two devices each; each has all of the data."""
    dist.initialize(address, 2, int(index))
    assert jax.device_count() == 4 and jax.local_device_count() == 2
    return trained(mlp, X, Y, 16, dist.DataParallel())


def alone():
    return trained(mlp, X, Y, 16)


def kept(folder):
    """What a model has after two epochs with checkpoints in a folder: a digest of all its numbers,
    and where they lie.

    Where the folder has them already, nothing is trained.
    """
    jkeras.utils.clear_session()
    jkeras.utils.set_random_seed(3)
    model = mlp()
    model.compile("adam", losses.SparseCategoricalCrossentropy(from_logits=True))
    steps = model.fit(X, Y, batch_size=8, epochs=2, verbose=0, checkpoint=folder)
    arrays = [v.value for v in model.variables + model.optimizer.variables]
    whole = [placement.to_host(a) for a in arrays]
    return {
        "digest": hashlib.sha256(b"".join(a.tobytes() for a in whole)).hexdigest(),
        "epochs": steps.epoch,
        "bytes": sum(a.addressable_shards[0].data.nbytes for a in arrays),
    }


def checkpoints(*folders):
    """`kept` for each folder, cut over all devices."""
    dist.set_distribution(dist.FSDP(min_size=8) if jax.device_count() > 1 else None)
    return [kept(folder) for folder in folders]


def rested(layout, folder=None, epochs=2):
    """What a training leaves behind: a digest of all its numbers, and in which memories the
    optimizer's lie.
    """
    jkeras.utils.clear_session()
    jkeras.utils.set_random_seed(3)
    each = jkeras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
    with layout.scope():
        model = mlp()
        loss = losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss, metrics=["accuracy"])
        options = {"epochs": epochs, "checkpoint": folder, "callbacks": [each]}
        model.fit(X, Y, batch_size=8, verbose=0, validation_data=(X, Y), **options)
        planned = model.plan(8).memory
        # as in a loop of one's own
        model.optimizer.apply([np.ones(v.shape, "float32") for v in model.trainable_variables])
        own = [v.own_value() for v in model.optimizer.variables]
        kinds = sorted({f"{a.ndim > 0} {a.sharding.memory_kind}" for a in own})
        again = loaded_optimizer(model)
    arrays = [placement.to_host(v.value) for v in model.variables + model.optimizer.variables]
    slots = sum(a.addressable_shards[0].data.nbytes for a in own if a.ndim)
    return {
        "digest": hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest(),
        "kinds": kinds,
        "loaded": again,
        "slots": slots,
        "host": planned.host,
        "optimizer": planned.optimizer,
    }


def loaded_optimizer(model):
    """Whether the optimizer's variables of the model's file are alike, and lie alike."""
    with tempfile.TemporaryDirectory() as folder:
        model.save(f"{folder}/model.keras")
        again = jkeras.saving.load_model(f"{folder}/model.keras")
    pairs = zip(model.optimizer.variables, again.optimizer.variables, strict=True)
    pairs = [(one.own_value(), other.own_value()) for one, other in pairs]
    return all(
        a.sharding == b.sharding and np.array_equal(*map(np.asarray, (a, b))) for a, b in pairs
    )


def offload(folder):
    """Trainings whose optimizer's state lies with the host, and does not; also cut in two by a
    checkpoint.
    """
    plain = dist.FSDP(min_size=8)
    away = dist.FSDP(min_size=8, offload="optimizer")
    for name in ("away", "plain"):
        rested(away, f"{folder}/{name}", epochs=1)
    cut = {"model": 4, "min_size": 16}
    return {
        "plain": rested(plain),
        "away": rested(away),
        "away resumed": rested(away, f"{folder}/away"),
        "plain resumed": rested(plain, f"{folder}/plain"),
        "cut": rested(dist.AutoParallel(**cut)),
        "cut away": rested(dist.AutoParallel(**cut, offload="optimizer")),
    }


def checkpoint_of_process(address, index, folder):
    """`kept` in one of two processes, each of which holds a part of the arrays."""
    dist.initialize(address, 2, int(index))
    return checkpoints(folder)


class Part:
    """Half of the rows, again and again, for one of two processes; notes where it was."""

    def __init__(self, index):
        self.index, self.at, self.numbers = index, 0, []

    def __iter__(self):
        return self

    def __next__(self):
        self.numbers.append(self.at)
        rows = (np.arange(4) + self.at) % 20 + 20 * self.index
        self.at += 4
        return X[rows], Y[rows]

    def get_state(self):
        return {"part": self.index, "at": self.at}

    def set_state(self, state):
        assert state["part"] == self.index
        self.at = state["at"]


class Stop(jkeras.callbacks.Callback):
    """Ends the training after so many steps; 0: not at all."""

    def __init__(self, steps):
        super().__init__()
        self.left = steps

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            raise InterruptedError


def tiers_of_process(address, index, local, durable, steps):
    """What a training in two processes ends with, where it went on, and which batches it took."""
    dist.initialize(address, 2, int(index))
    dist.set_distribution(dist.FSDP(min_size=8, auto_shard_dataset=False))
    jkeras.utils.set_random_seed(3)
    model = mlp()
    model.compile("adam", losses.SparseCategoricalCrossentropy(from_logits=True))
    kept = Checkpointer(local=local, every=2, then=durable, every_remote=4)
    part = Part(int(index))
    with contextlib.suppress(InterruptedError):
        model.fit(
            part,
            steps_per_epoch=5,
            epochs=2,
            verbose=0,
            checkpoint=kept,
            callbacks=[Stop(int(steps))],
        )
    arrays = [placement.to_host(v.value) for v in model.variables + model.optimizer.variables]
    return {
        "digest": hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest(),
        "from": kept.report.step if kept.report else None,
        "batches": part.numbers,
        "steps": [tier.steps() for tier in kept.tiers],
    }


PROGRAMS = {
    "auto": auto,
    "eight": eight,
    "offload": offload,
    "process": process,
    "alone": alone,
    "checkpoints": checkpoints,
    "checkpoint_of_process": checkpoint_of_process,
    "tiers_of_process": tiers_of_process,
}

if __name__ == "__main__":
    print(json.dumps(PROGRAMS[sys.argv[1]](*sys.argv[2:])))
