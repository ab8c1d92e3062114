"""A diffusion model draws digits that a classifier of real digits reads.

Denoising diffusion (Ho et al. 2020) with the cosine schedule (Nichol and Dhariwal 2021), told which
digit is wanted: the network, the training and the drawing of `examples/ddpm.py`, several seeds of
it in one program. The classifier has seen real digits alone. The Fréchet distance (Heusel et al.
2017), in the features of its last hidden layer, is from the training digits, and stands beside that
of as many real digits that nobody has seen.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.records.record import Record, Row, over
from examples import ddpm

SEEDS, STEPS, SHOWN = 3, 5000, 3


def classifier(x: Any, y: Any) -> Any:
    """A model of images (rows, 64), trained; the layer in front of its last one: "features"."""
    import jkeras
    from jkeras import layers

    dense = [layers.Dense(128, "relu"), layers.Dense(32, "relu", name="features")]
    model = jkeras.Sequential([jkeras.Input((64,)), *dense, layers.Dense(10, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=40, batch_size=32, seed=0, verbose=0)
    return model


def frechet(one: np.ndarray, other: np.ndarray) -> float:
    """The distance of two normal distributions that fit features (rows, width)."""
    one, other = one.astype("float64"), other.astype("float64")
    a, b = (np.cov(features, rowvar=False) for features in (one, other))
    # the trace of the root of a product of matrices is the sum of the roots of its eigenvalues
    roots = np.sqrt(np.linalg.eigvals(a @ b).real.clip(0)).sum()
    return float(((one.mean(0) - other.mean(0)) ** 2).sum() + np.trace(a + b) - 2 * roots)


def drawn(x: Any, y: Any, asked: Any) -> np.ndarray:
    """(seeds, asked, 64): an image of each digit that is asked for."""
    model = ddpm.network()

    def of_seed(seed):
        params, state, _ = ddpm.train(model, x, y, STEPS, seed=seed)
        return ddpm.draw(model, params, state, asked, jax.random.fold_in(jax.random.key(2), seed))

    return np.asarray(jax.jit(jax.vmap(of_seed))(jnp.arange(SEEDS)))


def measure() -> tuple[list[Row], dict]:
    import jkeras
    from jkeras.datasets import digits

    jkeras.utils.set_random_seed(0)
    (x, y), (x_test, y_test) = digits.load_data()
    x, x_test = (np.float32(each.reshape(-1, 64) / 8 - 1) for each in (x, x_test))
    model = classifier(x, y)
    asked = jnp.asarray(y_test, "int32")
    made = drawn(jnp.asarray(x), jnp.asarray(y, "int32"), asked)
    features = jkeras.Model(model.inputs, model.get_layer("features").output)
    seen = features.predict(x, verbose=0)
    away = lambda images: frechet(features.predict(images, verbose=0), seen)
    right = [model.evaluate(images, y_test, verbose=0)[1] for images in (x_test, *made)]
    unseen, noise = away(x_test), away(np.random.default_rng(0).permuted(x_test, axis=1))
    of_made = [away(images) for images in made]
    near = ddpm.nearest(x_test, x)[1].mean()
    rows = [
        Row("accuracy of the classifier on test digits", right[0], least=0.96),
        over("its accuracy on the digits that are drawn", right[1:], least=0.95),
        Row("Fréchet distance of test digits", unseen),
        over("that of as many drawn ones", of_made, most=3 * unseen),
        Row("that of test digits with shuffled pixels", noise, least=10 * unseen),
        over(
            "distance from the nearest training digit, in units of that of test digits",
            [ddpm.nearest(images, x)[1].mean() / near for images in made],
            least=0.5,
            most=1.2,
        ),
    ]
    order = np.concatenate([np.flatnonzero(y_test == digit)[:SHOWN] for digit in range(10)])
    shades = np.round((made[0][order] + 1) * 8).clip(0, 16).astype(int)
    return rows, {"images": shades.tolist()}


def draw(figure: Any, data: dict) -> None:
    """Drawn digits, a column for each kind."""
    images = np.array(data["images"]).reshape(10, SHOWN, 8, 8)
    for place, axes in np.ndenumerate(figure.subplots(SHOWN, 10)):
        axes.imshow(images[place[1], place[0]], cmap="gray_r", vmin=0, vmax=16)
        axes.axis("off")


RECORD = Record(
    group="papers",
    title="A diffusion model draws digits that a classifier reads",
    about="Denoising diffusion of the digits, told which one is wanted, three seeds in one "
    "program; judged by a classifier of real digits and by the Fréchet distance in its features.",
    packages=(),
    licence="digits: CC BY 4.0",
    source="Ho et al., NeurIPS 2020; Nichol and Dhariwal, ICML 2021; Heusel et al., NeurIPS 2017",
    measure=measure,
    minutes=4,
    draw=draw,
)
