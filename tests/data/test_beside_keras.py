"""The same data given to Keras and to jkeras: the same weights, results and numbers of steps."""

import itertools
import warnings

import keras
import numpy as np
import pytest

import jkeras
from tests.data.kinds import ARRAYS, BATCH, ITERABLES, W, X, Y, batches
from tests.parity.both import LIBRARIES

START = [np.array([[0.1], [-0.2], [0.3], [0.4]]), np.array([0.5])]


class KerasBatches(keras.utils.PyDataset):
    """Keras's own base class, which jkeras takes too."""

    def __init__(self, parts, **kwargs):
        super().__init__(**kwargs)
        self.items = batches(parts)

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


# Keras raises whatever comes to pass where it does not look
MISTAKES = (ValueError, TypeError, AttributeError, LookupError, NameError, StopIteration)


def endless(parts):
    while True:
        yield from batches(parts)


KINDS = {
    kind: ARRAYS[kind]
    for kind in ("numpy", "float64", "jax", "pandas", "torch", "scipy", "memory map", "h5py")
}
KINDS |= {
    kind: ITERABLES[kind] for kind in ("torch loader", "grain map", "grain iter", "grain loader")
}
KINDS["torch"] = lambda parts, folder: {
    k: v.detach() for k, v in ARRAYS["torch"](parts, folder).items()
}
KINDS |= {
    "PyDataset": lambda parts, folder: {"x": KerasBatches(parts)},
    "PyDataset, threads": lambda parts, folder: {"x": KerasBatches(parts, workers=2)},
    "generator": lambda parts, folder: {"x": endless(parts), "steps_per_epoch": 3},
}


def new_models():
    made = []
    for library in LIBRARIES:
        model = library.Sequential([library.Input((4,)), library.layers.Dense(1)])
        model.compile(library.optimizers.SGD(0.1), "mse", metrics=["mae"])
        made.append(model)
    return made


@pytest.fixture(scope="module")
def models():
    return new_models()


def of_both(models, make, make_theirs=None, **kwargs):
    """(history, weights, messages) of jkeras and of Keras."""
    results = []
    for model, data in zip(models, (make, make_theirs or make)):
        model.set_weights(START)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            history = model.fit(**data(), shuffle=False, verbose=0, **kwargs).history
        ran_out = sum("ran out of data" in str(w.message) for w in caught)
        results.append((history, model.get_weights(), ran_out))
    return results


def assert_same(results):
    (mine, weights, _), (theirs, expected, _) = results
    assert mine.keys() == theirs.keys()
    for name in mine:
        np.testing.assert_allclose(mine[name], theirs[name], 2e-5, 1e-6)
    for one, other in zip(weights, expected):
        np.testing.assert_allclose(one, other, 2e-5, 1e-6)


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")
@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_two_epochs(kind, weights, models, tmp_path):
    parts = (X, Y, W) if weights else (X, Y)
    size = {} if kind in ITERABLES or kind.startswith(("PyD", "gen")) else {"batch_size": BATCH}
    assert_same(of_both(models, lambda: KINDS[kind](parts, tmp_path), epochs=2, **size))


@pytest.mark.promise(
    "Validation on a generator begins with its first two batches again, as in Keras"
)
@pytest.mark.parametrize("kind", ["numpy", "PyDataset", "PyDataset, threads", "torch loader"])
@pytest.mark.parametrize("steps, epochs", [(1, 2), (2, 3), (3, 2), (4, 2)])
def test_steps_per_epoch(kind, steps, epochs, models, tmp_path):
    """The next epoch goes on where the last one stopped, and Keras and jkeras warn alike where the
    data ends first.
    """
    size = {"batch_size": BATCH} if kind == "numpy" else {}
    # in Keras threads that are stopped within the data leave behind as many batches as they got to
    without_threads = kind.removesuffix(", threads")
    results = of_both(
        models,
        lambda: KINDS[kind]((X, Y), tmp_path),
        lambda: KINDS[without_threads]((X, Y), tmp_path),
        steps_per_epoch=steps,
        epochs=epochs,
        **size,
    )
    assert_same(results)
    assert (results[0][2] > 0) == (results[1][2] > 0)


@pytest.mark.parametrize("end", [None, 3, 4, 5])
def test_a_generator_that_ends(end, models):
    """One that ends at the end of the second epoch, or in the middle of it, or lasts longer."""

    def make():
        items = batches((X, Y)) * 2
        return {"x": iter_of(items[:end]), "steps_per_epoch": 2, "epochs": 2}

    results = of_both(models, make)
    assert_same(results)


def iter_of(items):
    yield from items


def test_columns_by_name():
    """Inputs by name: pandas columns, each (rows, 1) as in Keras, and batches of dicts from
    torch.
    """
    pandas, torch = pytest.importorskip("pandas"), pytest.importorskip("torch")
    frame = pandas.DataFrame({"a": X[:, 0], "b": X[:, 1], "y": Y[:, 0]})
    rows = [({"a": X[i, :1], "b": X[i, 1:2]}, Y[i]) for i in range(len(X))]
    results = []
    for library in LIBRARIES:
        inputs = {name: library.Input((1,), name=name) for name in ("a", "b")}
        out = library.layers.Dense(1, kernel_initializer="ones")(
            library.layers.Concatenate()(list(inputs.values()))
        )
        model = library.Model(inputs, out)
        model.compile("sgd", "mse")
        data = {name: frame[name] for name in ("a", "b")}
        history = model.fit(
            data, frame["y"], batch_size=BATCH, epochs=2, shuffle=False, verbose=0
        ).history["loss"]
        loader = torch.utils.data.DataLoader(rows, batch_size=BATCH)
        history += model.fit(loader, epochs=2, verbose=0).history["loss"]
        results.append(
            (history, model.evaluate(data, frame["y"], verbose=0), model.predict(data, verbose=0))
        )
    for mine, theirs in zip(*results):
        np.testing.assert_allclose(mine, theirs, 2e-5, 1e-6)


@pytest.mark.promise("`x`, `y` and `sample_weight`")
@pytest.mark.promise("A dict alone is an `x`, also when it has a key")
def test_a_dict_alone_is_the_inputs():
    """Also one with a key "y", which is no label."""
    results = []
    for library in LIBRARIES:
        inputs = {name: library.Input((4,), name=name) for name in ("x", "y")}
        out = library.layers.Dense(1, kernel_initializer="ones")(
            library.layers.Concatenate()([inputs["x"], inputs["y"]])
        )
        model = library.Model(inputs, out)
        results.append(model.predict({"x": X, "y": 2 * X}, verbose=0))
    np.testing.assert_allclose(results[0], 3 * X.sum(1, keepdims=True), 1e-5)
    np.testing.assert_allclose(*results, 1e-5)


@pytest.mark.promise("In a source of batches")
def test_nested_structures():
    """Dicts in lists in a dict, as inputs and as labels of two outputs, with weights for each;
    batches and arrays.
    """
    results = []
    for library in LIBRARIES:
        a, b = library.Input((4,), name="a"), library.Input((4,), name="b")
        outputs = {
            "p": library.layers.Dense(1, kernel_initializer="ones", name="p")(a),
            "q": library.layers.Dense(1, kernel_initializer="ones", name="q")(b),
        }
        model = library.Model({"in": [{"a": a}, b]}, outputs)
        model.compile("sgd", {"p": "mse", "q": "mae"})
        x, y, w = {"in": [{"a": X}, X[:, ::-1]]}, {"p": Y, "q": 1 - Y}, {"p": W, "q": W[::-1]}
        first = model.fit(
            x, y, sample_weight=w, batch_size=BATCH, shuffle=False, verbose=0
        ).history["loss"]

        items = [
            jkeras.tree.map_structure(lambda leaf, i=i: leaf[i : i + BATCH], (x, y, w))
            for i in range(0, len(X), BATCH)
        ]
        second = model.fit(iter_of(items), shuffle=False, verbose=0).history["loss"]
        results.append((first, second, model.evaluate(x, y, sample_weight=w, verbose=0)))
    for mine, theirs in zip(*results):
        np.testing.assert_allclose(mine, theirs, 2e-5, 1e-6)


@pytest.mark.parametrize(
    "x, y",
    [
        (None, None),
        ("text", None),
        (len, None),
        ({}, None),
        (X[:0], Y[:0]),
        (X, Y[:5]),
        ([X, Y[:5]], Y),
        (X, "y"),
        (iter([]), None),
        (object(), None),
    ],
)
def test_mistakes_raise(x, y):
    """What Keras refuses is refused here, with an error that says what was expected."""
    models = new_models()  # a model of Keras is of no use after some of these
    for model in models:
        with pytest.raises(MISTAKES) as error:
            model.fit(x, y, verbose=0)
        if model is models[0]:
            assert error.type is ValueError and len(str(error.value)) > 30


@pytest.mark.parametrize("method", ["evaluate", "predict", "validation"])
@pytest.mark.parametrize("is_generator", [False, True])
def test_fewer_batches_than_steps_ask_for(is_generator, method, models):
    number = len(batches((X, Y)))

    def warned(model, steps):
        batched = {} if is_generator else {"batch_size": BATCH}
        parts = ((batch for batch in batches((X, Y))),) if is_generator else (X, Y)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            if method == "evaluate":
                model.evaluate(*parts, steps=steps, verbose=0, **batched)
            elif method == "predict":
                model.predict(parts[0], steps=steps, verbose=0, **batched)
            else:
                parts = parts[0] if is_generator else parts
                batched = {f"validation_{name}": value for name, value in batched.items()}
                data = {"validation_data": parts, "validation_steps": steps}
                model.fit(X, Y, verbose=0, **data, **batched)
        return [str(w.message) for w in caught if "ran out of data" in str(w.message)]

    for model in models:
        assert len(warned(model, number + 1)) == 1 and warned(model, number) == []


@pytest.mark.parametrize("name", ["y", "sample_weight"])
@pytest.mark.parametrize("kind", ["torch loader", "grain map", "PyDataset", "generator"])
def test_parts_beside_batches(kind, name, models, tmp_path):
    for model in models:
        with pytest.raises(ValueError, match=f"{name}.*should not be passed"):
            model.fit(KINDS[kind]((X, Y), tmp_path)["x"], **{name: Y}, verbose=0)


@pytest.mark.parametrize("library", [jkeras, keras], ids=["jkeras", "keras"])
def test_a_data_set_of_batches_is_walked_through_once(library):
    """Also one whose `__getitem__` gives something behind the end, as slices do."""

    class Batches(library.utils.PyDataset):
        def __len__(self):
            return 3

        def __getitem__(self, i):
            return np.arange(6)[2 * i : 2 * i + 2]

    assert [batch.tolist() for batch in Batches()] == [[0, 1], [2, 3], [4, 5]]

    class Endless(Batches):
        num_batches = None

    assert len(list(itertools.islice(Endless(), 9))) == 9
