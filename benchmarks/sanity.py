"""Which method of `jkeras.explain` passes which check: the figures of docs/explain.md.

    python -m benchmarks.sanity

On a convolutional network of the digits: the rank correlation of absolute attributions with those
of the same network whose last layer, and all of whose layers, have random weights (Adebayo et al.
2018); and the mean probability of the label while the pixels with the largest attributions are
deleted first, over that while random ones are (Petsiuk et al. 2018). Maps are brought to the size
of the image.
"""

import functools

import jax
import numpy as np

import jkeras
from benchmarks import kept
from jkeras import explain, layers

COUNT = 50
METHODS = {
    "saliency": (explain.saliency, {}),
    "input_x_gradient": (explain.input_x_gradient, {}),
    "smooth_grad": (functools.partial(explain.smooth_grad, rng=0), {}),
    "integrated_gradients": (explain.integrated_gradients, {}),
    "guided_backprop": (explain.guided_backprop, {}),
    "deconvnet": (explain.deconvnet, {}),
    "grad_cam": (explain.grad_cam, {"at": "conv", "size": (8, 8)}),
    "grad_cam_plus_plus": (explain.grad_cam_plus_plus, {"at": "conv", "size": (8, 8)}),
    "guided_grad_cam": (explain.guided_grad_cam, {"at": "conv"}),
    "occlusion": (explain.occlusion, {"window": (2, 2), "strides": (1, 1)}),
    "deep_lift": (explain.deep_lift, {}),
    "lrp": (explain.lrp, {}),
    'lrp(rule="z_plus")': (explain.lrp, {"rule": "z_plus"}),
}


def trained():
    """A network, and unseen digits with their labels."""
    jkeras.utils.set_random_seed(0)
    (x, y), (x_test, y_test) = jkeras.datasets.digits.load_data()
    x, x_test = (np.float32(v[..., None] / 16) for v in (x, x_test))
    model = jkeras.Sequential(
        [
            jkeras.Input((8, 8, 1)),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.Conv2D(32, 3, padding="same", activation="relu", name="conv"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(32, activation="relu"),
            layers.Dense(10),
        ]
    )
    loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(jkeras.optimizers.Adam(3e-3), loss)
    model.fit(x, y, epochs=30, verbose=0)
    return model, x_test[:COUNT], y_test[:COUNT]


def rows(model, x, y):
    """(method, {check: what it gave}) of each method."""
    random = np.random.default_rng(0)

    def probabilities(x):
        return jax.nn.softmax(model.apply(model.params, model.state, x)[0])

    def deletion(said):
        return explain.deletion(probabilities, x, said, y).mean()

    by_chance = np.mean([deletion(random.uniform(size=x.shape)) for _ in range(5)])
    for name, (method, options) in METHODS.items():
        ranks = list(explain.randomization(method, model, x, y, rng=1, **options).values())
        said = np.asarray(method(model, x, y, **options)).reshape(x.shape)
        yield (
            name,
            {
                "last layer": float(ranks[0]),
                "all layers": float(ranks[-1]),
                "deletion": float(deletion(said) / by_chance),
            },
        )


def main():
    kept.keep("sanity", "methods", dict(rows(*trained())))


if __name__ == "__main__":
    main()
