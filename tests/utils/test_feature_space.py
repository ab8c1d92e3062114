"""FeatureSpace: every kind of feature, crosses, both output modes, single rows, graphs."""

import keras
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.utils import FeatureSpace

DATA = {
    "f": np.array([0.0, 0.1, 0.2, 0.3]),
    "s": ["zero", "one", "two", "three"],
    "i": [0, 1, 2, 3],
}


def test_widths_of_all_kinds():
    kinds = {
        "a": "float",
        "b": "float_rescaled",
        "c": "float_normalized",
        "d": "float_discretized",
        "e": "integer_categorical",
        "f": "string_categorical",
        "g": "integer_hashed",
        "h": "string_hashed",
    }
    data = {name: DATA[kind[0]] for name, kind in kinds.items()}
    space = FeatureSpace(
        kinds, crosses=[("e", "f")], crossing_dim=7, hashing_dim=5, num_discretization_bins=3
    )
    with pytest.raises(ValueError, match="adapt"):
        space(data)
    space.adapt(data)
    out = space(data)
    assert out.shape == (4, 1 + 1 + 1 + 3 + 5 + 5 + 5 + 5 + 7) and out.dtype == "float32"
    np.testing.assert_allclose(out[:, 2], (DATA["f"] - 0.15) / np.std(DATA["f"]), rtol=1e-5)
    np.testing.assert_array_equal(out[:, 3:].sum(1), 6)
    single = space({name: values[1] for name, values in data.items()})
    np.testing.assert_allclose(single, out[1], rtol=1e-6)
    again = FeatureSpace.from_config(space.get_config())
    assert again.get_config()["features"].keys() == space.get_config()["features"].keys()
    # classes that are not public have a registered name, as in Keras
    written = space.get_config()["features"]["a"]
    assert written["registered_name"] == "Feature"
    assert written["config"]["preprocessor"]["registered_name"] == "TFDIdentity"


def test_numbers_in_a_dict():
    space = FeatureSpace(
        {
            "s": FeatureSpace.string_categorical(output_mode="int"),
            "i": FeatureSpace.integer_categorical(output_mode="int", max_tokens=3),
        },
        crosses=[FeatureSpace.cross(("s", "i"), crossing_dim=4, output_mode="int")],
        output_mode="dict",
    )
    space.adapt(
        iter([{"s": np.array(["a", "a", "b"]), "i": np.array([5, 5, 6])}, {"s": ["c"], "i": [5]}])
    )
    out = space({"s": ["a", "?"], "i": [5, 7]})
    assert (
        list(out) == ["i", "s", "s_X_i"]
        and out["s"].tolist() == [[1], [0]]
        and out["i"].tolist() == [[1], [0]]
    )
    with pytest.raises(ValueError, match="concatenate"):
        FeatureSpace({"i": FeatureSpace.integer_hashed(3, output_mode="int")})({"i": [1]})


def test_graphs_and_own_layers():
    space = FeatureSpace(
        {
            "f": "float",
            "t": FeatureSpace.feature(
                "string", layers.TextVectorization(output_mode="count"), "float"
            ),
        },
        output_mode="dict",
    )
    space.adapt({"f": [1.0], "t": ["a b b"]})
    assert space({"f": [1.0], "t": ["b b q"]})["t"].tolist() == [[1, 2, 0]]
    numbers = FeatureSpace({"f": "float_normalized", "i": "integer_hashed"})
    numbers.adapt(DATA)
    encoded = numbers.get_encoded_features()
    assert encoded.shape == (None, 33) and list(numbers.get_inputs()) == ["f", "i"]
    model = jkeras.Model(numbers.get_inputs(), layers.Dense(1)(encoded))
    x = {"f": DATA["f"].astype("float32")[:, None], "i": np.array(DATA["i"])[:, None]}
    assert model.predict(x, verbose=0).shape == (4, 1)


def test_wrong_arguments():
    for options in (
        dict(features={}),
        dict(features={"a": "x"}),
        dict(features={"a": "float"}, output_mode="x"),
        dict(features={"a": "float"}, crosses=[("a", "b")]),
    ):
        with pytest.raises(ValueError):
            FeatureSpace(**options)
    with pytest.raises(ValueError, match="dict"):
        FeatureSpace({"a": "float"})([1.0])


@pytest.mark.parametrize("form", ["dict", "rows", "batches"])
def test_bins_of_values_in_batches(form):
    # Keras cuts single values into batches of 32 and joins what it keeps of each batch
    ages = np.random.default_rng(0).normal(40, 12, 200).astype("float32")
    sizes = {"dict": 32, "rows": 32, "batches": 50}
    wanted = keras.layers.Discretization(num_bins=8)
    for batch in np.split(ages, range(sizes[form], len(ages), sizes[form])):
        wanted.update_state(batch)
    wanted.finalize_state()
    data = {
        "dict": {"age": ages},
        "rows": ({"age": age} for age in ages),
        "batches": ({"age": batch} for batch in np.split(ages, 4)),
    }[form]
    space = FeatureSpace({"age": FeatureSpace.float_discretized(num_bins=8)})
    space.adapt({"age": ages[:5]})  # forgotten by the next
    space.adapt(data)
    np.testing.assert_array_equal(space.preprocessors["age"].bin_boundaries, wanted.bin_boundaries)


# bins that Keras 3.15.1 learns of a tf.data.Dataset in batches of so many rows; None: single ones
RECORDED = {
    None: [36.4892, 41.63292, 45.71167, 49.38661, 53.70891, 58.34689, 63.92975],
    7: [36.44153, 41.60452, 45.69371, 49.43856, 53.61177, 58.48375, 63.96955],
    64: [36.3469, 41.66606, 45.82715, 49.43463, 53.75334, 58.40235, 63.94538],
    500: [36.08718, 41.55032, 45.58113, 49.39274, 53.68074, 58.20423, 63.57893],
}


@pytest.mark.parametrize("size", RECORDED)
def test_bins_are_those_that_keras_learns_of_a_dataset(size):
    ages = np.random.default_rng(0).normal(50, 12, 500).astype("float32")
    batches = ages if size is None else np.split(ages, range(size, len(ages), size))
    space = FeatureSpace({"age": FeatureSpace.float_discretized(num_bins=8)})
    space.adapt({"age": batch} for batch in batches)
    np.testing.assert_allclose(space.preprocessors["age"].bin_boundaries, RECORDED[size], rtol=1e-6)


def test_no_data():
    with pytest.raises(ValueError, match="empty"):
        FeatureSpace({"x": "float_normalized"}).adapt(iter([]))
