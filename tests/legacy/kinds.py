"""Each kind of file that jkeras writes: how a release writes one, and what a later one reads of it.

`KINDS` has (write, read) of each. Both are given the folder of the kind; `read` gives arrays, which
have to be those that it gave when the file was written.
"""

import json

import numpy as np

import jkeras
from jkeras import layers, lora, privacy, search

X = np.random.default_rng(0).normal(size=(32, 6, 4)).astype("float32")
Y = X.sum(axis=(1, 2))[:, None]


def network(**options):
    """A model with most of what weights and configs hold, trained for an epoch."""
    jkeras.utils.set_random_seed(0)
    inputs = jkeras.Input((6, 4), name="signal")
    x = layers.Conv1D(8, 3, padding="same", name="conv")(inputs)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.Activation("gelu")(x)
    x = layers.Bidirectional(layers.GRU(5, return_sequences=True), name="both")(x)
    x = layers.MultiHeadAttention(2, 4, name="attention")(x, x)
    x = layers.Dropout(0.2, seed=1)(layers.GlobalAveragePooling1D()(x))
    model = jkeras.Model(inputs, layers.Dense(1, name="out")(x))
    model.compile(jkeras.optimizers.AdamW(1e-2), "mse", metrics=["mae"], **options)
    return model


def trained(**fit):
    """The network after an epoch."""
    model = network()
    model.fit(X, Y, batch_size=8, epochs=1, verbose=0, **fit)
    return model


def outputs(model):
    """{what a model gives, its optimizer's state}"""
    state = [np.asarray(value) for value in model.optimizer.variables]
    return {"predictions": model.predict(X, verbose=0)} | {
        f"state/{i}": v for i, v in enumerate(state)
    }


# ---------------------------------------------------------------- whole models


def write_keras(folder):
    trained().save(folder / "model.keras")


def read_keras(folder):
    return outputs(jkeras.models.load_model(folder / "model.keras"))


def write_h5(folder):
    trained().save(folder / "model.h5")


def read_h5(folder):
    return outputs(jkeras.models.load_model(folder / "model.h5"))


def write_texts(folder):
    """Vocabularies, and a custom loss by its public name."""
    words = layers.TextVectorization(max_tokens=20, output_sequence_length=4)
    words.adapt(["the cat sat", "the dog ran", "a cat ran"])
    model = jkeras.Sequential([words, layers.Embedding(20, 3), layers.Flatten(), layers.Dense(2)])
    model(np.array([["the cat"]], dtype=object))
    model.save(folder / "texts.keras")


def read_texts(folder):
    model = jkeras.models.load_model(folder / "texts.keras")
    return {"outputs": model(np.array([["the cat"], ["a dog ran"]], dtype=object))}


def write_orbax(folder):
    saves = jkeras.callbacks.OrbaxCheckpoint(folder / "steps", save_freq="epoch")
    trained(callbacks=[saves])


def read_orbax(folder):
    return {"predictions": jkeras.saving.load_model(folder / "steps").predict(X, verbose=0)}


# ---------------------------------------------------------------- weights


def write_weights(folder):
    model = trained()
    (folder / "config.json").write_text(model.to_json())
    for name in ("m.weights.h5", "m.safetensors", "m.npz"):
        model.save_weights(folder / name)
    model.save_weights(folder / "m.weights.json", max_shard_size=4e-6)


def read_weights(folder):
    found = {}
    for name in ("m.weights.h5", "m.safetensors", "m.npz", "m.weights.json"):
        model = jkeras.models.model_from_json((folder / "config.json").read_text())
        model.load_weights(folder / name)
        found[name] = model.predict(X, verbose=0)
    return found


def write_lora(folder):
    model = trained()
    kernels = lora.kernels(model)
    adapter = lora.init(kernels, {"out/kernel": 1}, 3)
    lora.save(
        folder / "adapter", adapter, kernels, names={"out/kernel": "out"}, task_type="CAUSAL_LM"
    )
    model.save(folder / "model.keras")


def read_lora(folder):
    model = jkeras.models.load_model(folder / "model.keras")
    adapter = lora.load(folder / "adapter", lora.kernels(model), names={"out/kernel": "out"})
    params = lora.apply(model.params, adapter, model.state)
    return {"outputs": model.apply(params, model.state, X)[0]}


# ---------------------------------------------------------------- trainings


def write_checkpoint(folder):
    """One that goes on."""
    network().fit(X, Y, batch_size=8, epochs=1, verbose=0, checkpoint=folder / "run")


def read_checkpoint(folder):
    model = network()
    history = model.fit(X, Y, batch_size=8, epochs=2, verbose=0, checkpoint=folder / "run").history
    return {"loss": history["loss"], "predictions": model.predict(X, verbose=0)}


def write_report(folder):
    trained(report=folder / "run.json")


def read_report(folder):
    """The same training, compared with it."""
    trained(report=folder / "again.json")
    found = jkeras.visualization.compare_runs(folder / "run.json", folder / "again.json")
    said = json.loads((folder / "run.json").read_text())
    return {
        "loss": [epoch["logs"]["loss"] for epoch in said["epochs"]],
        "rows": len(str(found)) > 0,
    }


def write_account(folder):
    """A model that knows what its training with privacy has shown."""
    model = jkeras.Sequential([jkeras.Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse", privacy=privacy.DPSGD(noise_multiplier=2.0, delta=1e-3))
    model.fit(X[:, 0], Y, batch_size=8, epochs=2, verbose=0)
    model.save(folder / "private.keras")


def read_account(folder):
    model = jkeras.models.load_model(folder / "private.keras")
    return {"epsilon": model.privacy_spent(delta=1e-3).epsilon}


def swept(folder):
    """Three trainings of two epochs, saved after each."""

    def make():
        model = jkeras.Sequential([jkeras.Input((4,)), layers.Dense(4), layers.Dense(1)])
        model.compile("sgd", "mse")
        return model

    return search.sweep(
        make,
        X[:, 0],
        Y,
        space={"learning_rate": search.log(1e-3, 1e-1)},
        trials=3,
        epochs=2,
        validation_data=(X[:, 0], Y),
        seed=0,
        checkpoint=folder / "sweep",
    )


def write_sweep(folder):
    swept(folder)


def read_sweep(folder):
    result = swept(folder)
    return {"rates": result.numbers["learning_rate"], "loss": result.history["val_loss"]}


# ---------------------------------------------------------------- programs


def write_export(folder):
    trained().export(folder / "model.stablehlo", verbose=False)


def read_export(folder):
    return {"predictions": jkeras.export.load(folder / "model.stablehlo")(X)}


KINDS = {
    name.removeprefix("write_"): (write, globals()[name.replace("write_", "read_")])
    for name, write in list(globals().items())
    if name.startswith("write_")
}
