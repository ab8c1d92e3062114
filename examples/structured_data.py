"""A table of numbers, categories and texts: `FeatureSpace` makes vectors of its rows, and a model
sees those.

The table is made by the program: who renews a subscription. What counts is the plan together with
the weekday, besides age, so the space crosses these two columns. Preprocessing happens outside of
the trained model; in front of it, the same space makes a model that takes rows of the table. A
logistic model without the cross is the baseline. Run it with `python examples/structured_data.py`.
"""

import numpy as np

import jkeras
from jkeras import layers
from jkeras.utils import FeatureSpace

PLANS = ["basic", "family", "student", "business"]
CITIES = ["Bergen", "Porto", "Lyon", "Graz", "Turku"]


def table(rows, seed):
    """(columns by name, who renewed)."""
    rng = np.random.default_rng(seed)
    columns = {
        "age": rng.uniform(18, 80, rows).astype("float32"),
        "visits": rng.poisson(4, rows).astype("int32"),
        "weekday": rng.integers(0, 7, rows).astype("int32"),
        "plan": rng.choice(PLANS, rows),
        "city": rng.choice(CITIES, rows),
    }
    # which plan renews on which day
    habits = np.random.default_rng(0).choice([-2.5, 2.5], (len(PLANS), 7))
    plan = np.array([PLANS.index(p) for p in columns["plan"]])
    score = (
        habits[plan, columns["weekday"]]
        + 2 * np.cos(columns["age"] / 10)
        + 0.3 * (columns["visits"] - 4)
    )
    return columns, (rng.uniform(size=rows) < 1 / (1 + np.exp(-score))).astype("float32")


def make_space(crosses):
    """How each column becomes numbers."""
    return FeatureSpace(
        {
            "age": FeatureSpace.float_discretized(num_bins=20),
            "visits": "float_normalized",
            "weekday": FeatureSpace.integer_categorical(num_oov_indices=0),
            "plan": FeatureSpace.string_categorical(num_oov_indices=0),
            "city": FeatureSpace.string_hashed(num_bins=16),
        },
        crosses=crosses,
    )


def train(columns, renewed, crosses, hidden, epochs):
    """A model that takes columns of a table, by name."""
    space = make_space(crosses)
    space.adapt(columns)
    vectors = space.get_encoded_features()
    x = vectors
    for units in hidden:
        x = layers.Dropout(0.2)(layers.Dense(units, activation="relu")(x))
    chance = layers.Dense(1, activation="sigmoid")(x)
    model = jkeras.Model(vectors, chance)
    model.compile(jkeras.optimizers.Adam(3e-3), "binary_crossentropy")
    model.fit(space(columns), renewed, batch_size=64, epochs=epochs, verbose=0)
    return jkeras.Model(space.get_inputs(), chance)


def main(rows=6000, epochs=20):
    """Trains both; prints and returns the area under the ROC curve on new rows."""
    jkeras.utils.set_random_seed(0)
    (columns, renewed), (new_columns, new_renewed) = table(rows, 1), table(4000, 2)
    areas = {}
    for name, crosses, hidden in (
        ("logistic", None, ()),
        ("crossed", [("plan", "weekday")], (32,)),
    ):
        model = train(columns, renewed, crosses, hidden, epochs)
        area = jkeras.metrics.AUC()
        area.update_state(new_renewed[:, None], model.predict(new_columns, verbose=0))
        areas[name] = float(area.result())
    asked = {"age": [31.0], "visits": [3], "weekday": [2], "plan": ["student"], "city": ["Porto"]}
    chance = model.predict({name: np.array(value) for name, value in asked.items()}, verbose=0)
    print(f"a student of 31 in Porto renews on a Wednesday with a chance of {chance[0, 0]:.2f}")
    print(
        "area under the ROC curve,",
        ", ".join(f"{name}: {area:.4f}" for name, area in areas.items()),
    )
    return areas


if __name__ == "__main__":
    main()
