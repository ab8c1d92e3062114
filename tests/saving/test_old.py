"""Files that Keras 2.3 to 3.14 and tf.keras wrote (`record_old.py`) give the same weights,
predictions and training.
"""

import io
import json
import pathlib
import zipfile

import numpy as np
import pytest

import jkeras
from tests.saving import old_models

FOLDER = pathlib.Path(__file__).parent / "old"
FAST = {  # one of each idea; the others are slow
    "keras-2.3.1/sequential.h5",
    "keras-2.3.1/nested.only.h5",
    "keras-2.3.1/initial_state.h5",
    "keras-2.3.1/activations.h5",
    "keras-2.3.1/opt_nesterov.h5",
    "keras-2.3.1/one_dimension.keras",
    "tf-2.3.0-tf/cudnn.h5",
    "tf-2.3.0-tf/attention.h5",
    "tf-2.3.0-tf/initializers.h5",
    "tf-2.6.0/multi_head.h5",
    "tf-2.6.0/bins.h5",
    "tf-2.6.0/opt_adam_decay.h5",
    "tf-2.6.0/lstm.weights.h5",
    "tf-2.13.1/nested.keras",
    "tf-2.13.1/branches.keras",
    "tf-2.13.1/lookups.keras",
    "tf-2.15.0/cells.keras",
    "tf_keras-2.21.0/gru.keras",
    "keras-3.0.5/branches.keras",
    "keras-3.6.0/opt_nadam.keras",
}
PREDICTS = {"mixed": dict(rtol=2e-3, atol=2e-3)}
LOSSES = {"mixed": 5e-3}


def recorded():
    for path in sorted(FOLDER.glob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            facts = json.loads(archive.read("expected.json"))
        for name in facts:
            for file in facts[name]["files"]:
                mark = () if f"{path.stem}/{file}" in FAST else pytest.mark.slow
                yield pytest.param(
                    path, name, file, facts[name], id=f"{path.stem}/{file}", marks=mark
                )


def several(arrays, name, what):
    """The arrays of a case: one, or a list."""
    found = [arrays[key] for key in sorted(arrays.files) if key.startswith(f"{name}/{what}/")]
    return found[0] if len(found) == 1 else found


def loaded(folder, name, file):
    """The model of a file; where it has weights alone, these in a model whose own have been
    zeros.
    """
    if file.removeprefix(name) in (".h5", ".keras"):
        return jkeras.saving.load_model(folder / file)
    whole = folder / f"{name}.h5"
    model = (
        jkeras.saving.load_model(whole, compile=False)
        if whole.exists()
        else old_models.CASES[name][0](jkeras)
    )
    model.set_weights([np.zeros_like(w) for w in model.get_weights()])
    model.load_weights(folder / file)
    return model


@pytest.mark.promise("Whole models and weights")
@pytest.mark.promise("`.h5`, whole model or weights")
@pytest.mark.promise("`.keras` | yes | yes | yes")
@pytest.mark.promise("`CuDNNLSTM`, `CuDNNGRU`")
@pytest.mark.promise("writes a file that Keras")
# an LSTM of the words of a table was recorded on random numbers, which Keras takes for ids
@pytest.mark.filterwarnings("ignore:.* no row of an `Embedding`")
# and accuracies on labels that are any numbers
@pytest.mark.filterwarnings("ignore:The metric '.*accuracy'")
@pytest.mark.parametrize("path, name, file, facts", list(recorded()))
def test_recorded_files(tmp_path, path, name, file, facts):
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path)
        arrays = np.load(io.BytesIO(archive.read("expected.npz")))
    model = loaded(tmp_path, name, file)
    if name != "cudnn":  # whose weights have another form here
        assert sorted(map(old_models.checksum, model.get_weights())) == facts["weights"]
    x, want = several(arrays, name, "x"), several(arrays, name, "predict")
    got = model.predict(x, batch_size=2, verbose=0)
    for a, b in zip(
        *(value if isinstance(value, list) else [value] for value in (got, want)), strict=True
    ):
        np.testing.assert_allclose(a, b, **PREDICTS.get(name, dict(rtol=1e-5, atol=2e-6)))
    if model.compiled:
        y = several(arrays, name, "y")
        history = model.fit(x, y, batch_size=2, epochs=2, shuffle=False, verbose=0).history
        # early Keras 3 had no losses of single outputs
        assert set(facts["history"]) <= set(history)
        for key, values in facts["history"].items():
            np.testing.assert_allclose(
                history[key], values, rtol=LOSSES.get(name, 1e-4), atol=1e-5, err_msg=key
            )
