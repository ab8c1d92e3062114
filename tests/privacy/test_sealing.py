"""Seals on accounts in checkpoints and files of models."""

import json
import pathlib
import shutil
import zipfile

import numpy as np
import pytest

import jkeras
from jkeras import layers, privacy
from jkeras.privacy import sealing
from jkeras.privacy.fitting import PrivateFitting

LOSS = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(60, 4)).astype("float32")
Y = RANDOM.integers(0, 3, 60)
KEY = bytes(range(32))


def model_of(seal, path=None):
    jkeras.utils.set_random_seed(0)
    if path is None:
        model = jkeras.Sequential([jkeras.Input((4,)), layers.Dense(3, name="d")], name="net")
    else:
        model = jkeras.models.load_model(path)
    model.compile("sgd", LOSS, privacy=privacy.DPSGD(0.5, 1.0, delta=1e-3, seal=seal))
    return model


def fitted(model, epochs=2, seed=0, **options):
    return model.fit(X, Y, batch_size=12, epochs=epochs, seed=seed, verbose=0, **options)


def edited(monkeypatch, change):
    """Accounts that are read from checkpoints are changed, as if who wrote the file had done so and
    made its check sums anew.
    """
    start = PrivateFitting.start

    def changed(self, state, stored, resumes):
        if stored is not None:
            stored = json.loads(json.dumps(stored))
            change(stored)
        return start(self, state, stored, resumes)

    monkeypatch.setattr(PrivateFitting, "start", changed)


def less(stored):
    stored["account"]["current"]["noise_multiplier"] = 9.0


CHANGES = {
    "noise": less,
    "q": lambda stored: stored["account"]["current"].update(q=1e-9),
    "first": lambda stored: (
        stored["account"]["current"].update(first=10) or stored.update(begun=10)
    ),
    "no seal": lambda stored: stored.pop("seal"),
    "another seal": lambda stored: stored.update(seal="0" * 64),
    "no text": lambda stored: stored.update(seal=3),
}


@pytest.mark.promise("A checkpoint whose account, step or weights were changed is refused")
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_an_edited_checkpoint_is_refused(change, tmp_path, monkeypatch):
    seal = privacy.Seal(KEY)
    fitted(model_of(seal), checkpoint=tmp_path)
    edited(monkeypatch, change)
    model = model_of(seal)
    with pytest.raises(ValueError, match="The checkpoint: expected an account"):
        fitted(model, 3, checkpoint=tmp_path)


def test_without_a_seal_an_edited_checkpoint_is_believed(tmp_path, monkeypatch):
    """What the seal is for: the same change goes through."""
    fitted(model_of(None), checkpoint=tmp_path)
    edited(monkeypatch, less)
    model = model_of(None)
    fitted(model, 2, checkpoint=tmp_path)
    assert model.privacy_spent().epsilon < privacy.epsilon(1.0, 12 / 60, 10, 1e-3) / 2


def test_a_checkpoint_goes_on_with_its_seal(tmp_path):
    seal = privacy.Seal(KEY)
    fitted(model_of(seal), checkpoint=tmp_path)
    model = model_of(seal)
    history = fitted(model, 4, checkpoint=tmp_path)
    whole = model_of(None)
    fitted(whole, 4)
    assert history.history["epsilon"][-1] == privacy.epsilon(1.0, 12 / 60, 20, 1e-3)
    for mine, wanted in zip(model.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, wanted)


@pytest.mark.promise("an older account beside newer weights")
def test_weights_of_another_step_are_refused():
    seal = privacy.Seal(KEY)
    model = model_of(seal)
    fitted(model, 1)
    old = {"runs": model.private_record()["runs"], "seal": model.private_record()["seal"]}
    fitted(model, 1, seed=1)
    other = model_of(None)
    other.set_weights(model.get_weights())
    other.take_private_record(old)
    with pytest.raises(ValueError, match="as they were sealed with this key"):
        seal.verify(other)


@pytest.mark.parametrize("name", ["net.keras", "net.h5"])
def test_files_of_models(name, tmp_path):
    seal, path = privacy.Seal(KEY), tmp_path / name
    model = model_of(seal)
    fitted(model)
    model.save(path)
    again = model_of(seal, path)
    assert again.privacy_spent().epsilon == model.privacy_spent().epsilon
    seal.verify(again)
    with pytest.raises(ValueError, match="another key's seal"):
        model_of(privacy.Seal(KEY[::-1]), path)
    again.set_weights([w + 1 for w in again.get_weights()])
    with pytest.raises(ValueError, match="as they were sealed"):
        seal.verify(again)


@pytest.mark.promise("`compile(privacy=DPSGD(seal=…))` refuses a model whose file was edited")
def test_an_edited_file_is_refused(tmp_path):
    seal, path = privacy.Seal(KEY), tmp_path / "net.keras"
    model = model_of(seal)
    fitted(model)
    model.save(path)

    def rewritten(change):
        other = tmp_path / "edited.keras"
        with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w") as new:
            for entry in old.infolist():
                data = old.read(entry)
                if entry.filename == "metadata.json":
                    metadata = json.loads(data)
                    metadata["privacy"] = change(metadata["privacy"])
                    data = json.dumps(metadata)
                new.writestr(entry, data)
        return other

    def fewer(record):
        record["runs"][0]["steps"] = 1
        return record

    for change in (fewer, lambda record: record["runs"], lambda record: {**record, "seal": "a"}):
        with pytest.raises(ValueError, match="an account"):
            model_of(seal, rewritten(change))
    with pytest.raises(ValueError, match="'runs' and 'seal'"):
        jkeras.models.load_model(rewritten(lambda record: {**record, "more": 1}))


def test_a_model_without_an_account_has_nothing_to_verify():
    with pytest.raises(ValueError, match="a model of a file with an account"):
        privacy.Seal(KEY).verify(model_of(None))


@pytest.mark.promise("that nobody else may read")
def test_the_key_of_a_file(tmp_path):
    path = tmp_path / "key"
    first, second = privacy.Seal.from_file(path), privacy.Seal.from_file(path)
    assert first.of([1], "w") == second.of([1], "w")
    assert path.stat().st_mode & 0o077 == 0
    assert len(path.read_bytes()) == 32
    assert path.read_bytes().hex() not in repr(first)
    pathlib.Path(path).write_bytes(b"short")
    with pytest.raises(ValueError, match="a key of at least 32 bytes"):
        privacy.Seal.from_file(path)
    with pytest.raises(ValueError, match="a key of at least 32 bytes"):
        privacy.Seal("x" * 40)
    shutil.rmtree(tmp_path)


def test_a_seal_is_the_hmac_of_the_standard():
    """RFC 4231, test case 2 has a shorter key, so it is taken from the definition."""
    import hashlib
    import hmac

    text = json.dumps([[{"b": 1, "a": 2.5}], "weights"], sort_keys=True)
    wanted = hmac.new(KEY, text.encode(), hashlib.sha256).hexdigest()
    assert privacy.Seal(KEY).of([{"a": 2.5, "b": 1}], "weights") == wanted


def test_digests_see_values_names_and_types():
    base = [("a", np.arange(3.0)), ("b", np.ones((2, 2), "float32"))]
    others = [
        [("a", np.arange(3.0)), ("b", np.ones((2, 2), "float32") + 1e-6)],
        [("a", np.arange(3.0)), ("c", np.ones((2, 2), "float32"))],
        [("a", np.arange(3.0)), ("b", np.ones((4,), "float32"))],
        [("a", np.arange(3.0))],
    ]
    found = {sealing.digest(named) for named in (base, *others)}
    assert len(found) == 5
