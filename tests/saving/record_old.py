"""Writes files with the Keras of the interpreter that runs this, and what that Keras computes with
them.

    RECORD_WITH=tf python tests/saving/record_old.py FOLDER

writes VERSION.zip: the files that `KEPT` names, `expected.json` and `expected.npz`. With `--all` it
becomes a folder with all cases in all formats. RECORD_WITH is "tf", "tf_keras" or nothing, for the
package keras. Runs under Python 3.7 with Keras 2.3.1 (and TensorFlow 1.15), under TensorFlow 2.1 to
2.15, tf_keras and Keras 3.
"""

import json
import os
import shutil
import sys
import tempfile
import warnings
import zipfile

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import old_models

ROWS, BATCH = 4, 2
# .h5 last: writing it, Keras 3 forgets the optimizer
ENDINGS = (".keras", ".weights.h5", ".h5", ".only.h5")
KEPT = {
    "keras-2.3.1": "sequential.h5 branches.h5 nested.only.h5 images.h5 gru.h5 both_directions.h5 "
    "activations.h5 noise.h5 initial_state.h5 frozen.h5 opt_nesterov.h5 "
    "opt_adadelta.h5 one_dimension.keras",
    "tf-2.3.0-tf": "nested.h5 initializers.h5 attention.h5 conv_lstm.h5 cudnn.h5 "
    "opt_rmsprop_more.h5 opt_amsgrad.h5 loss_probabilities.h5 stateful.h5 "
    "volumes.h5",
    "tf-2.6.0": "multi_head.h5 adapted.h5 bins.h5 numbers.h5 cells.h5 opt_schedule.h5 "
    "opt_adam_decay.h5 opt_sgd_lr.h5 opt_adam.keras loss_list.h5 lstm.h5 "
    "lstm.weights.h5 mixed.h5",
    "tf-2.12.0": "fixed_batch.keras one_dimension_more.keras sequence_of_models.weights.h5 "
    "opt_adamw.h5",
    "tf-2.13.1": "nested.keras branches.keras both_directions.keras multi_head.weights.h5 "
    "opt_amsgrad.keras opt_ema.h5 opt_adamax_legacy.h5 loss_probabilities.keras "
    "lookups.keras",
    "tf-2.15.0": "cells.keras initial_state.keras images.keras mixed.keras pictures.keras "
    "opt_ftrl.h5 loss_list.keras masking.h5 text.keras",
    "tf_keras-2.21.0": "gru.keras normalizations.keras opt_lion.h5 loss_objects.keras",
    "keras-3.0.5": "branches.keras initial_state.keras opt_adam.keras "
    "newer_normalizations.weights.h5",
    "keras-3.3.3": "lstm.keras gru.h5 einsum.keras",
    "keras-3.6.0": "both_directions.keras multi_head.weights.h5 opt_nadam.keras",
    "keras-3.9.2": "nested.keras cells.weights.h5 loss_probabilities.keras",
    "keras-3.12.0": "attention.keras images.weights.h5 loss_list.keras",
    "keras-3.14.0": "conv_lstm.keras opt_nadam.weights.h5 opt_schedule.keras",
}


def library():
    """(the module, its version)."""
    which = os.environ.get("RECORD_WITH", "")
    if which == "tf":
        import tensorflow as tf

        tf.keras.compat_v1 = tf.compat.v1.keras
        try:
            import keras as inside  # from 2.6 on
        except ImportError:
            from tensorflow.python import keras as inside
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
    found = []
    for tensor in model.inputs:
        shape = [getattr(size, "value", size) for size in tensor.shape]
        dtype = getattr(tensor.dtype, "name", tensor.dtype)
        found.append(old_models.data(shape, dtype, tensor.name.split(":")[0], rows))
    return found[0] if len(found) == 1 else found


def record(k, name, folder):
    """Builds, trains and saves the model of one case; returns (facts, arrays)."""
    builder, compiled = old_models.CASES[name]
    k.backend.clear_session()
    model = builder(k)
    if not model.built:
        model(np.zeros((1, 5), "int32"))
    old_models.fill(model)
    x = inputs_of(model, BATCH if name == "stateful" else ROWS)
    facts, arrays = {}, {"x": listed(x)}
    if compiled is not None:
        model.compile(**compiled(k))
        y = targets(model, x)
        arrays["y"] = listed(y)
        model.fit(x, y, batch_size=BATCH, epochs=1, shuffle=False, verbose=0)
    facts["weights"] = sorted(old_models.checksum(w) for w in model.get_weights())
    facts["files"] = save(model, name, folder)
    if name == "cudnn":  # runs on GPUs only: what the plain layers make of its weights
        model = old_models.plain_of_cudnn(k)
        model.load_weights(os.path.join(folder, "cudnn.only.h5"))
    arrays["predict"] = listed(model.predict(x, batch_size=BATCH, verbose=0))
    if compiled is not None:
        history = model.fit(x, y, batch_size=BATCH, epochs=2, shuffle=False, verbose=0).history
        facts["history"] = {key: [float(v) for v in values] for key, values in history.items()}
    return facts, arrays


def targets(model, x):
    found = [
        0.5 + 0.5 * old_models.values(p.shape, 2.0)
        for p in listed(model.predict(x, batch_size=BATCH, verbose=0))
    ]
    return found[0] if len(found) == 1 else found


def save(model, name, folder):
    """The names of the files that this version can write of a model."""
    files = []
    for ending in ENDINGS:
        path = os.path.join(folder, name + ending)
        try:
            if ending in (".h5", ".keras"):
                model.save(path)
            else:
                model.save_weights(path)
            files.append(name + ending)
        except Exception as error:  # each version has some that it cannot write
            print("  not written:", name + ending, type(error).__name__, str(error)[:150])
    return files


def main(out, everything):
    k, version = library()
    kept = None if everything else KEPT[version].split()
    folder = os.path.join(out, version) if everything else tempfile.mkdtemp()
    os.makedirs(folder, exist_ok=True)
    facts, arrays = {}, {}
    for name in (
        old_models.CASES if everything else dict.fromkeys(file.partition(".")[0] for file in kept)
    ):
        try:
            facts[name], found = record(k, name, folder)
        except Exception as error:
            print("left out:", name, type(error).__name__, str(error)[:120].replace("\n", " "))
            continue
        if not everything:
            facts[name]["files"] = [file for file in facts[name]["files"] if file in kept]
        for what, values in found.items():
            for i, value in enumerate(values):
                arrays[f"{name}/{what}/{i}"] = value.astype("U") if value.dtype == object else value
    with open(os.path.join(folder, "expected.json"), "w") as file:
        json.dump(facts, file, indent=0, sort_keys=True)
    np.savez(os.path.join(folder, "expected.npz"), **arrays)
    if not everything:
        pack(os.path.join(out, version + ".zip"), folder, kept + ["expected.json", "expected.npz"])
        shutil.rmtree(folder)


def pack(path, folder, names):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        for name in names:
            archive.write(os.path.join(folder, name), name)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(sys.argv[1], "--all" in sys.argv)
