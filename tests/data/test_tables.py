"""Tables of pandas and polars: columns by the names of the inputs."""

import numpy as np
import pytest

import jkeras
from jkeras import layers

COLUMNS = {
    "width": np.arange(6, dtype="float32"),
    "unused": np.zeros(6, "float32"),
    "height": np.arange(6, dtype="float32")[::-1].copy(),
}
Y = np.arange(6, dtype="float32") * 2.0 + 1.0


def table(library, columns):
    return pytest.importorskip(library).DataFrame(columns)


def model():
    jkeras.utils.set_random_seed(0)
    inputs = {name: jkeras.Input((1,), name=name) for name in ("height", "width")}
    outputs = layers.Dense(1)(layers.Concatenate()(list(inputs.values())))
    made = jkeras.Model(inputs, outputs)
    made.compile("sgd", "mse")
    return made


@pytest.mark.promise("A model with several inputs")
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_columns_by_the_names_of_inputs(library):
    wanted = {name: COLUMNS[name][:, None] for name in ("height", "width")}
    data, y = table(library, COLUMNS), table(library, {"y": Y})["y"]
    options = dict(verbose=0, epochs=2, batch_size=4, seed=1)
    reference, mine = model(), model()
    expected = reference.fit(wanted, Y, validation_split=0.5, **options).history
    history = mine.fit(data, y, validation_split=0.5, **options).history
    for name in expected:
        np.testing.assert_allclose(history[name], expected[name], rtol=1e-6)
    np.testing.assert_allclose(mine.evaluate(data, y, verbose=0), expected_of(reference, wanted))
    np.testing.assert_allclose(
        mine.predict(data, verbose=0), reference.predict(wanted, verbose=0), rtol=1e-6
    )


def expected_of(reference, wanted):
    return reference.evaluate(wanted, Y, verbose=0)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_table_for_one_input_is_its_array(library):
    data = table(library, COLUMNS)
    array = np.stack(list(COLUMNS.values()), -1)
    one = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(1)])
    one.compile("sgd", "mse")
    np.testing.assert_allclose(
        one.evaluate(data, table(library, {"y": Y}), verbose=0), one.evaluate(array, Y, verbose=0)
    )
    np.testing.assert_allclose(
        one.predict(data, verbose=0), one.predict(array, verbose=0), rtol=1e-6
    )
