"""The account goes with the weights: into other models, files and checkpoints; and a model that had
privacy is not trained without by oversight.
"""

import copy
import json
import pickle
import shutil
import zipfile

import keras
import numpy as np
import pytest

import jkeras
from jkeras import layers, privacy
from jkeras.core.errors import SerializationError
from jkeras.privacy.account import Account, Current, Trained
from jkeras.privacy.recorded import account_as_json, account_from_json
from jkeras.training import find_lr, init_train_state, make_train_step

LOSS = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
RANDOM = np.random.default_rng(0)
SIZE = 60
X = RANDOM.normal(size=(SIZE, 4)).astype("float32")
Y = RANDOM.integers(0, 3, SIZE)
DP = privacy.DPSGD(0.5, 1.0, delta=1e-3)


def model_of(*parts, compiled=True):
    model = jkeras.Sequential([jkeras.Input((4,)), *parts, layers.Dense(3)])
    if compiled:
        model.compile("sgd", LOSS, privacy=DP)
    return model


def fitted(model, epochs=1):
    model.fit(X, Y, batch_size=12, epochs=epochs, verbose=0)
    return model


def epsilon(steps):
    return pytest.approx(privacy.epsilon(1.0, 12 / SIZE, steps, 1e-3))


@pytest.fixture(scope="module")
def trained():
    """A model with five steps, which tests copy or save."""
    return fitted(model_of(layers.Dense(5, name="encoder")))


# ---------------------------------------------------------------- other models


@pytest.mark.promise("Each layer remembers the")
@pytest.mark.promise("The accountant's record goes with the")
def test_layers_of_another_model():
    encoder = layers.Dense(5)
    first, second = model_of(encoder), model_of(encoder)
    fitted(first, epochs=2)
    assert second.privacy_spent().epsilon == epsilon(10)  # before it is trained itself
    history = second.fit(X, Y, batch_size=12, epochs=1, verbose=0)
    assert history.history["epsilon"] == [epsilon(15)]
    assert second.privacy_spent().runs == (privacy.Run(1.0, 12 / SIZE, 15),)
    assert first.privacy_spent().epsilon == epsilon(15)  # its encoder has seen more


@pytest.mark.promise("Each layer remembers the")
def test_a_run_counts_once():
    """However many layers saw it, in whichever models."""
    one, two = layers.Dense(4), layers.Dense(4)
    fitted(model_of(one, two))
    assert model_of(two, one).privacy_spent().epsilon == epsilon(5)
    assert jkeras.Sequential([one]).privacy_spent().epsilon == epsilon(5)


def test_a_frozen_layer_saw_nothing():
    encoder = layers.Dense(5, trainable=False)
    fitted(model_of(encoder))
    with pytest.raises(ValueError, match="neither it nor any of its layers was trained with"):
        model_of(encoder).privacy_spent()


def test_what_is_trained_on_top_follows_from_below():
    """A head was made of what its encoder knew when it was trained, frozen or not."""
    for trainable in (True, False):
        encoder = layers.Dense(5)
        fitted(model_of(encoder), epochs=2)
        encoder.trainable = trainable
        second = fitted(model_of(encoder))
        head = jkeras.Sequential([jkeras.Input((5,)), second.layers[-1]])
        assert head.privacy_spent().epsilon == epsilon(15)


@pytest.mark.parametrize("train", [fitted, lambda m: m.train_on_batch(X, Y)])
def test_what_is_trained_without_on_top_follows_from_below(train):
    """On other rows, say: it tells of those that the encoder saw."""
    encoder = layers.Dense(5)
    fitted(model_of(encoder))
    encoder.trainable = False
    second = model_of(encoder, layers.Dense(4, trainable=False))
    second.compile("sgd", LOSS, privacy=None)
    train(second)
    *_, fixed, head = second.layers
    assert jkeras.Sequential([jkeras.Input((4,)), head]).privacy_spent().epsilon == epsilon(5)
    assert not fixed.private_runs


def test_the_noise_for_an_epsilon_counts_what_the_layers_saw():
    encoder = layers.Dense(5)
    first = model_of(encoder)
    first.compile("sgd", LOSS, privacy=privacy.DPSGD(0.5, epsilon=3.0, delta=1e-3))
    fitted(first)
    second = model_of(encoder)
    second.compile("sgd", LOSS, privacy=privacy.DPSGD(0.5, epsilon=3.0, delta=1e-3))
    with pytest.raises(ValueError, match="of which 3 is spent"):
        fitted(second)


def test_weights_in_the_place_of_others():
    """In few bits: new variables."""
    model = fitted(model_of(layers.Dense(5, name="encoder")))
    model.layers[0].quantize("int8")
    inner = jkeras.Sequential([jkeras.Input((4,)), model.layers[0]])
    assert inner.privacy_spent().epsilon == epsilon(5)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies(trained, copied):
    again = copied(trained)
    assert again.privacy_spent() == trained.privacy_spent()
    assert jkeras.Sequential([again.get_layer("encoder")]).privacy_spent().epsilon == epsilon(5)


@pytest.mark.promise("Their trainings have to")
@pytest.mark.promise("What goes as arrays has")
@pytest.mark.promise("`set_weights`, weights alone")
def test_arrays_have_no_account(trained):
    other = model_of(layers.Dense(5))
    other.set_weights(trained.get_weights())
    fitted(other)
    assert "by `set_weights`, `assign`, `load_weights` of" in other.privacy_spent().assumptions
    assert "an account goes with layers" in other.privacy_spent().assumptions


def test_a_plain_compile_keeps_the_account(trained):
    model = copy.deepcopy(trained)
    model.compile("sgd", LOSS)
    assert model.privacy_spent() == trained.privacy_spent()
    assert model.privacy_spent(1e-2).epsilon < trained.privacy_spent().epsilon


# ---------------------------------------------------------------- files


@pytest.mark.promise("Files of `model.save` have")
@pytest.mark.parametrize("ending", ["keras", "h5"])
@pytest.mark.parametrize("compile", [True, False])
def test_saved_and_loaded(trained, tmp_path, compile, ending):
    path = tmp_path / f"model.{ending}"
    trained.save(path)
    model = jkeras.models.load_model(path, compile=compile)
    assert model.privacy_spent().epsilon == epsilon(5)
    model.compile("sgd", LOSS, privacy=DP)
    fitted(model)
    assert model.privacy_spent().epsilon == epsilon(10)
    assert model_of(model.layers[0]).privacy_spent().epsilon == epsilon(10)
    # both have the run before the file was written, which counts once
    both = jkeras.Sequential([model.layers[0], trained.layers[1]])
    assert both.privacy_spent().epsilon == epsilon(10)


def test_a_file_of_a_training_that_goes_on(tmp_path):
    class Save(jkeras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                self.model.save(tmp_path / "model.keras")

    model = model_of()
    model.fit(X, Y, batch_size=12, epochs=3, verbose=0, callbacks=[Save()])
    assert jkeras.models.load_model(tmp_path / "model.keras").privacy_spent().epsilon == epsilon(10)


@pytest.mark.promise("Files of `model.save` have")
def test_folders_of_checkpoints(trained, tmp_path):
    trained.save(tmp_path / "a.keras")
    model = jkeras.models.load_model(tmp_path / "a.keras")
    model.compile("sgd", LOSS, privacy=DP)
    keep = jkeras.callbacks.OrbaxCheckpoint(str(tmp_path / "steps"), save_freq="epoch")
    model.fit(X, Y, batch_size=12, epochs=1, verbose=0, callbacks=[keep])
    again = jkeras.models.load_model(tmp_path / "steps")
    assert again.privacy_spent().epsilon == epsilon(10)
    with pytest.raises(ValueError, match="before it is trained on"):
        fitted(again)


def test_weights_out_of_a_whole_model(trained, tmp_path):
    trained.save(tmp_path / "model.keras")
    other = model_of(layers.Dense(5, name="encoder"))
    other.load_weights(tmp_path / "model.keras")
    assert other.privacy_spent().epsilon == epsilon(5)


@pytest.mark.promise("Keras reads these files")
def test_keras_reads_the_file(trained, tmp_path):
    for ending in ("keras", "h5"):
        trained.save(tmp_path / f"model.{ending}")
        theirs = keras.models.load_model(tmp_path / f"model.{ending}")
        np.testing.assert_allclose(
            theirs.predict(X, verbose=0), trained.predict(X, verbose=0), atol=1e-6
        )
    assert keras.models.model_from_json(trained.to_json()).name == trained.name


def test_a_plain_file_has_nothing_of_it(tmp_path):
    model = jkeras.Sequential([jkeras.Input((4,)), layers.Dense(3)])
    model.compile("sgd", LOSS)
    fitted(model).save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        assert set(json.loads(archive.read("metadata.json"))) == {"keras_version", "date_saved"}
        assert b"priva" not in archive.read("config.json")
    fitted(jkeras.models.load_model(tmp_path / "model.keras"))


def test_no_key_of_noise_is_in_a_file(trained, tmp_path):
    trained.save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        (run,) = json.loads(archive.read("metadata.json"))["privacy"]
    names = {"id", "noise_multiplier", "q", "steps", "delta", "overflow", "steps_of_a_turn"}
    assert set(run) == names


HOSTILE = [
    ("q", 0),
    ("q", 1.5),
    ("q", -0.1),
    ("q", True),
    ("q", "0.1"),
    ("q", None),
    ("noise_multiplier", float("inf")),
    ("noise_multiplier", float("nan")),
    ("noise_multiplier", -1),
    ("steps", 2.5),
    ("steps", -1),
    ("steps", 1e3),
    ("steps", True),
    ("delta", 0),
    ("delta", 1),
    ("overflow", 2),
    ("overflow", -1),
    ("steps_of_a_turn", 0),
    ("id", "x"),
    ("id", 7),
    ("unknown", 1),
]


def changed(path, change):
    """An archive whose account is changed."""
    other = path.with_name("changed.keras")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w") as new:
        for item in old.infolist():
            content = old.read(item)
            if item.filename == "metadata.json":
                metadata = json.loads(content)
                metadata["privacy"] = change(metadata["privacy"])
                content = json.dumps(metadata).encode()
            new.writestr(item, content)
    return other


@pytest.mark.promise("numbers that cannot be are refused when it is read")
@pytest.mark.parametrize("name, value", HOSTILE)
def test_files_whose_account_cannot_be(trained, tmp_path, name, value):
    trained.save(tmp_path / "model.keras")
    path = changed(tmp_path / "model.keras", lambda runs: [{**runs[0], name: value}])
    with pytest.raises(SerializationError, match="changed.keras"):
        jkeras.models.load_model(path)


@pytest.mark.parametrize("account", [None, "text", {}, 3, [None], [[1, 2]], [{}]])
def test_files_whose_account_is_none(trained, tmp_path, account):
    trained.save(tmp_path / "model.keras")
    path = changed(tmp_path / "model.keras", lambda runs: account)
    with pytest.raises(SerializationError, match="An account of privacy"):
        jkeras.models.load_model(path)


# ---------------------------------------------------------------- checkpoints


def account():
    run = Trained("a" * 32, 1.0, 0.2, 5, 1e-3, 0.0, 1, (1, 2), 0, 5)
    return Account((run,), Current(1.0, 0.2, 12, 1, 0.0, (1, 2), 5, "b" * 32, 1e-3))


def test_checkpoints_of_accounts():
    data = json.loads(json.dumps(account_as_json(account())))
    assert account_from_json(data, begun=0, step=9) == account()


@pytest.mark.parametrize(
    "change",
    [
        *({"runs": {name: value}} for name, value in HOSTILE),
        *({"current": {name: value}} for name, value in HOSTILE if name not in ("steps", "id")),
        {"runs": {"steps": 3}},  # less than there were
        {"runs": {"end": 4, "steps": 4}},
        {"runs": {"end": 50}},
        {"runs": {"key": [1]}},
        {"current": {"first": 7}},
        {"current": {"first": 70}},
        {"current": None},
        {"runs": None},
    ],
)
def test_checkpoints_whose_account_cannot_be(change):
    data = json.loads(json.dumps(account_as_json(account())))
    ((part, values),) = change.items()
    if values is None:
        data[part] = None
    elif part == "runs":
        data["runs"][0] |= values
    else:
        data["current"] |= values
    with pytest.raises(ValueError, match="An account of privacy"):
        account_from_json(data, begun=0, step=9)


# ---------------------------------------------------------------- with or without


def loaded(trained, folder):
    trained.save(folder / "model.keras")
    return jkeras.models.load_model(folder / "model.keras")


TRAININGS = [
    fitted,
    lambda m: m.train_on_batch(X, Y),
    lambda m: m.precompile(X, Y),
    lambda m: find_lr(m, X, Y),
    lambda m: make_train_step(m)(init_train_state(m, 0), (X, Y)),
    lambda m: m.fit(X, Y, ensemble=2, verbose=0),
]


@pytest.mark.promise("A model that was compiled")
@pytest.mark.promise("`privacy=None` is the word")
@pytest.mark.promise("Until then `fit`, `train_on_batch` and `make_train_step` refuse")
@pytest.mark.parametrize("train", TRAININGS)
@pytest.mark.parametrize("compiles", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_trained_on_only_when_privacy_is_spoken_of(trained, tmp_path, train, compiles):
    model = loaded(trained, tmp_path)
    if compiles:
        model.compile("sgd", LOSS)
    with pytest.raises(ValueError, match=r"`privacy=None` to train on without"):
        train(model)
    model.evaluate(X, Y, verbose=0)
    again = loaded(model, tmp_path)  # it is not forgotten
    with pytest.raises(ValueError, match="before it is trained on"):
        train(again)
    model.compile("sgd", LOSS, privacy=None)
    fitted(model)


def test_loaded_without_compiling_and_saved_again(trained, tmp_path):
    trained.save(tmp_path / "a.keras")
    model = jkeras.models.load_model(tmp_path / "a.keras", compile=False)
    again = loaded(model, tmp_path)
    again.compile("sgd", LOSS)
    with pytest.raises(ValueError, match="before it is trained on"):
        fitted(again)


@pytest.mark.promise("So does a model that was")
def test_compiled_again_in_this_program(trained):
    model = copy.deepcopy(trained)
    model.compile("sgd", LOSS)
    with pytest.raises(ValueError, match="before it is trained on"):
        fitted(model)
    model.compile("sgd", LOSS, privacy=DP)
    assert fitted(model).privacy_spent().epsilon == epsilon(10)


@pytest.mark.promise("A model that was compiled")
@pytest.mark.parametrize(
    "again",
    [
        jkeras.models.clone_model,
        lambda m: jkeras.models.model_from_json(m.to_json()),
        lambda m: fresh(m.get_compile_config()),
        copy.deepcopy,
    ],
)
def test_clones(again):
    model = model_of()
    clone = again(model)
    if clone.privacy is None:
        with pytest.raises(ValueError, match="before it is trained on"):
            fitted(clone)
        clone.compile("sgd", LOSS, privacy=DP)
    assert fitted(clone).privacy_spent().epsilon == epsilon(5)


def fresh(config):
    model = model_of(compiled=False)
    model.compile_from_config(config)
    return model


@pytest.mark.promise("those of scikit-learn are refused likewise")
def test_clones_of_scikit_learn():
    pytest.importorskip("sklearn")
    estimator = jkeras.wrappers.SKLearnClassifier(model_of(), fit_kwargs={"verbose": 0})
    with pytest.raises(ValueError, match="before it is trained on"):
        estimator.fit(X, Y)


def test_files_that_say_it_of_something_else(trained, tmp_path):
    described = json.loads(trained.to_json())
    assert described["private"] is True
    for wrong in (False, 1, "yes", None):
        with pytest.raises(ValueError, match="Expected `private: true` of a model"):
            jkeras.models.model_from_json(json.dumps({**described, "private": wrong}))
    layer = described["config"]["layers"][1]
    layer["private"] = True
    with pytest.raises(ValueError, match="Expected `private: true` of a model"):
        jkeras.models.model_from_json(json.dumps(described))
    with pytest.raises(ValueError, match="privacy"):
        trained.compile("sgd", LOSS, privacy="yes")


def test_a_checkpoint_of_fit_whose_account_was_changed(tmp_path, monkeypatch):
    folder = tmp_path / "steps"
    model_of().fit(X, Y, batch_size=12, epochs=1, verbose=0, checkpoint=folder)
    kept = tmp_path / "kept"
    shutil.copytree(folder, kept)
    from jkeras.privacy import fitting

    plain = fitting.account_from_json

    def lied(data, begun, step):
        return plain({**data, "current": {**data["current"], "q": 0.0}}, begun, step)

    monkeypatch.setattr(fitting, "account_from_json", lied)
    with pytest.raises(ValueError, match="a probability above 0, at most 1 as 'q'"):
        model_of().fit(X, Y, batch_size=12, epochs=2, verbose=0, checkpoint=kept)
