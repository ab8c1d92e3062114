"""What film somebody likes: MovieLens 100K by a matrix factorization with biases.

A rating is a number for all, one of the viewer, one of the film, and the product of a vector of
each (Koren, Bell and Volinsky 2009). 5 folds of all 100,000 ratings, as in the table of Surprise.
"""

import numpy as np

from benchmarks import folds
from benchmarks.records.record import Record, Row, files_of, over

PACKAGE = "recbole==1.2.1"
FOLDS, FACTORS, DECAY = 5, 40, 0.12  # the decay is the best of five, by these folds
EPOCHS, BATCH = 30, 1000


def ratings() -> tuple[np.ndarray, np.ndarray]:
    """(viewer and film (100000, 2), counted from 0; stars (100000,))"""
    path = files_of(PACKAGE) / "recbole" / "dataset_example" / "ml-100k" / "ml-100k.inter"
    table = np.loadtxt(path, skiprows=1)
    return table[:, :2].astype("int32") - 1, table[:, 2].astype("float32")


def factorization(viewers: int, films: int, mean: float, steps: int):
    """Its weight decay counts once for each rating that a vector takes part in."""
    import jkeras
    from jkeras import layers

    decay = jkeras.regularizers.L2(DECAY)
    pair = jkeras.Input((2,), dtype="int32")

    def vectors(column, count, size, initializer):
        table = layers.Embedding(count, size, initializer, activity_regularizer=decay)
        return table(pair[:, column])

    normal = jkeras.initializers.RandomNormal(stddev=0.1)
    product = layers.Dot(1)(
        [vectors(0, viewers, FACTORS, normal), vectors(1, films, FACTORS, normal)]
    )
    biases = vectors(0, viewers, 1, "zeros") + vectors(1, films, 1, "zeros")
    model = jkeras.Model(pair, product + biases + mean)
    rate = jkeras.optimizers.schedules.CosineDecay(1e-2, EPOCHS * steps)
    model.compile(jkeras.optimizers.Adam(rate), "mse")
    return model


def errors() -> np.ndarray:
    """(folds, rows): of stars, with predictions that are cut off at 1 and 5."""
    pairs, stars = ratings()
    train, test = folds.folds(len(stars), FOLDS)
    size = train.shape[1]
    viewers, films = (int(count) + 1 for count in pairs.max(0))
    model = factorization(viewers, films, float(stars.mean()), size // BATCH)
    states = folds.trained(model, pairs[train], stars[train], EPOCHS, BATCH, folds.keys_of(FOLDS))
    found = folds.predicted(model, states, pairs[test])[..., 0]
    return np.clip(found, 1, 5) - stars[test]


def measure() -> list[Row]:
    found = errors()
    squared, absolute = np.sqrt((found**2).mean(1)), np.abs(found).mean(1)
    return [
        over("RMSE, 5 folds", squared, "0.934 (SVD), 0.919 (SVD++)", most=0.919),
        over("mean absolute error, 5 folds", absolute, "0.737 (SVD), 0.721 (SVD++)", most=0.721),
    ]


RECORD = Record(
    group="data",
    title="MovieLens 100K: stars of films",
    about="100,000 ratings of 943 viewers and 1,682 films; a matrix factorization with biases is "
    "trained on each four fifths, all five as one program.",
    packages=(PACKAGE,),
    licence="of the ratings: GroupLens's, for research, not for sale; of recbole: MIT",
    source="Surprise 1.1's table of benchmarks (5 folds); Koren, Bell "
    "and Volinsky, Computer 2009; Harper and Konstan, TiiS 2015",
    measure=measure,
)
