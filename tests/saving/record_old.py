"""Writes files with the Keras of the interpreter that runs this, and what that Keras computes with them.

    python tests/saving/record_old.py OUT [CASE …]

OUT becomes a folder with the files of each case in each format, and `expected.json`, `expected.npz`. Runs under Python
3.7 with Keras 2.3.1 (TensorFlow 1.15), under TensorFlow 2.1 … 2.15, tf_keras and Keras 3.
"""

import json
import os
import sys
import warnings

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import old_models

ROWS, BATCH = 4, 2


def library():
    """(the module, its version)."""
    which = os.environ.get("RECORD_WITH", "")
    if which == "tf":
        import tensorflow as tf

        tf.keras.compat_v1 = tf.compat.v1.keras
        from tensorflow.python import keras as inside
        try:
            import keras as inside  # noqa: F811 - from 2.6 on it is there

        except ImportError:
            pass
        return tf.keras, "tf-" + inside.__version__
    if which == "tf_keras":
        import tf_keras

        return tf_keras, "tf_keras-" + tf_keras.__version__
    import keras

    return keras, "keras-" + keras.__version__


def listed(value):
    return list(value) if isinstance(value, (list, tuple)) else [value]


def inputs_of(model, rows):
    """Arrays for the model's inputs, whose names may have a number added by the library."""
    tensors = model.inputs
    names = [t.name.split(":")[0] for t in tensors]
    found = []
    for tensor, name in zip(tensors, names):
        dtype = getattr(tensor.dtype, "name", tensor.dtype)
        found.append(old_models.data([getattr(s, "value", s) for s in tensor.shape], dtype, name, rows))
    return found[0] if len(found) == 1 else found


def record(k, name, folder):
    """Builds, trains and saves the model of one case; returns (facts, arrays)."""
    builder, compiled = old_models.CASES[name]
    k.backend.clear_session()
    model = builder(k)
    if not model.built:
        model(np.zeros((1, 5), "int32"))
    old_models.fill(model)
    if compiled is not None:
        model.compile(**compiled(k))
    facts, arrays = {"files": []}, {}
    x = inputs_of(model, BATCH if name == "stateful" else ROWS)
    if name != "cudnn":
        y = [0.5 + 0.5 * old_models.values(p.shape, 2.0) for p in listed(model.predict(x, batch_size=BATCH, verbose=0))]
        y = y[0] if len(y) == 1 else y
        if compiled is not None:
            model.fit(x, y, batch_size=BATCH, epochs=1, shuffle=False, verbose=0)
            facts["optimizer"] = type(model.optimizer).__name__
        if name == "stateful":
            model.reset_states()
        arrays["predict"] = listed(model.predict(x, batch_size=BATCH, verbose=0))
    facts["weights"] = sorted(old_models.checksum(w) for w in model.get_weights())
    for ending in (".h5", ".only.h5", ".keras", ".weights.h5"):
        path = os.path.join(folder, name + ending)
        try:
            if ending in (".h5", ".keras"):
                model.save(path)
            else:
                model.save_weights(path)
            facts["files"].append(name + ending)
        except Exception as error:
            print("  not written:", name + ending, type(error).__name__, str(error)[:150])
    if name == "cudnn":  # what the plain layers make of its weights
        plain = old_models.plain_of_cudnn(k)
        plain.load_weights(os.path.join(folder, "cudnn.only.h5"))
        arrays["predict"] = listed(plain.predict(x, verbose=0))
    if compiled is not None:
        history = model.fit(x, y, batch_size=BATCH, epochs=2, shuffle=False, verbose=0).history
        facts["history"] = {key: [float(v) for v in values] for key, values in history.items()}
    arrays["x"] = listed(x)
    if compiled is not None:
        arrays["y"] = listed(y)
    return facts, arrays


def main(out, only):
    k, version = library()
    folder = os.path.join(out, version)
    os.makedirs(folder, exist_ok=True)
    facts, arrays = {}, {}
    for name in only or old_models.CASES:
        try:
            facts[name], found = record(k, name, folder)
        except Exception as error:
            print("left out:", name, type(error).__name__, str(error)[:120].replace("\n", " "))
            continue
        for what, values in found.items():
            for i, value in enumerate(values):
                arrays["%s/%s/%d" % (name, what, i)] = value.astype("U") if value.dtype == object else value
    with open(os.path.join(folder, "expected.json"), "w") as file:
        json.dump(facts, file, indent=0, sort_keys=True)
    np.savez_compressed(os.path.join(folder, "expected.npz"), **arrays)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(sys.argv[1], sys.argv[2:])
