"""Distillation gives Keras's numbers: the losses, and a student trained through a `Distiller`."""

import jax
import keras
import numpy as np
import pytest

import jkeras

LIBRARIES = pytest.mark.parametrize("lib", [keras, jkeras], ids=["keras", "jkeras"])
RNG = np.random.default_rng(0)
A, B = (np.abs(RNG.normal(size=(5, 3))).astype("float32") for _ in range(2))
X, Y = RNG.normal(size=(8, 4)).astype("float32"), np.eye(3, dtype="float32")[RNG.integers(0, 3, 8)]

LOSSES = {
    "default": lambda lib: lib.distillation.LogitsDistillation(),
    "kl": lambda lib: lib.distillation.LogitsDistillation(2.0, lib.losses.KLDivergence()),
    "mse": lambda lib: lib.distillation.LogitsDistillation(4.0, "mse"),
    "crossentropy": lambda lib: lib.distillation.LogitsDistillation(
        3, lib.losses.CategoricalCrossentropy(from_logits=True)
    ),
    "features": lambda lib: lib.distillation.FeatureDistillation(),
    "cosine": lambda lib: lib.distillation.FeatureDistillation("cosine_similarity"),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses(name):
    ours, theirs = (LOSSES[name](lib) for lib in (jkeras, keras))
    np.testing.assert_allclose(
        jax.jit(ours.compute_loss)(A, B), theirs.compute_loss(A, B), rtol=1e-5
    )
    again = type(ours).from_config(ours.get_config())
    np.testing.assert_allclose(again.compute_loss(A, B), theirs.compute_loss(A, B), rtol=1e-5)


def test_several_outputs():
    values = [
        lib.distillation.FeatureDistillation(["mse", None]).compute_loss([A, A], [B, B])
        for lib in (keras, jkeras)
    ]
    np.testing.assert_allclose(*values, rtol=1e-5)


def networks(lib):
    return [
        lib.Sequential(
            [
                lib.Input((4,)),
                lib.layers.Dense(5, activation="relu", name="inner"),
                lib.layers.BatchNormalization(name="norm"),
                lib.layers.Dense(3, name="outer"),
            ],
            name=name,
        )
        for name in ("teacher", "student")
    ]


CASES = {
    "logits": (lambda d: d.LogitsDistillation(2.0, "mse"), {}),
    "both": (
        lambda d: [d.LogitsDistillation(2.0, "mse"), d.FeatureDistillation("mae", "inner", "norm")],
        {"distillation_loss_weights": [1.0, 0.5], "student_loss_weight": 0.3},
    ),
    "only": (lambda d: d.FeatureDistillation("mse", "norm", "norm"), {"student_loss_weight": 0.0}),
    "labels": (lambda d: d.LogitsDistillation(2.0, "mse"), {"student_loss_weight": 1.0}),
}


@pytest.mark.parametrize("name", CASES)
def test_training(name):
    make, options = CASES[name]
    weights, histories, evaluated = None, [], []
    for lib in (keras, jkeras):
        teacher, student = networks(lib)
        weights = weights or [teacher.get_weights(), student.get_weights()]
        teacher.set_weights(weights[0])
        student.set_weights(weights[1])
        distiller = lib.distillation.Distiller(teacher, student, make(lib.distillation), **options)
        distiller.compile(
            "sgd", lib.losses.CategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
        )
        histories.append(
            distiller.fit(X, Y, epochs=3, batch_size=4, shuffle=False, verbose=0).history
        )
        evaluated.append(distiller.evaluate(X, Y, verbose=0, return_dict=True))
        assert all((a == b).all() for a, b in zip(teacher.get_weights(), weights[0]))
    assert set(histories[0]) == set(histories[1])
    for key, values in histories[0].items():
        np.testing.assert_allclose(histories[1][key], values, rtol=1e-4, atol=1e-6, err_msg=key)
    for key, value in evaluated[0].items():
        np.testing.assert_allclose(evaluated[1][key], value, rtol=1e-4, atol=1e-6, err_msg=key)


def test_config_round_trip():
    teacher, student = networks(jkeras)
    distiller = jkeras.distillation.Distiller(
        teacher,
        student,
        CASES["both"][0](jkeras.distillation),
        distillation_loss_weights=[1.0, 0.5],
    )
    again = type(distiller).from_config(distiller.get_config())
    assert again.get_config() == distiller.get_config()


@LIBRARIES
@pytest.mark.parametrize(
    "wrong",
    [
        lambda lib, t, s: lib.distillation.Distiller(
            t, lib.layers.Dense(3), lib.distillation.LogitsDistillation()
        ),
        lambda lib, t, s: lib.distillation.Distiller(t, s, None),
        lambda lib, t, s: lib.distillation.Distiller(
            t, s, lib.distillation.LogitsDistillation(), student_loss_weight=2.0
        ),
        lambda lib, t, s: lib.distillation.Distiller(
            t, s, [lib.distillation.LogitsDistillation()], [1.0, 2.0]
        ),
        lambda lib, t, s: lib.distillation.Distiller(
            t, s, lib.distillation.FeatureDistillation("mse", "nowhere")
        ),
        lambda lib, t, s: lib.distillation.Distiller(
            t,
            lib.Sequential([lib.Input((5,)), lib.layers.Dense(3)]),
            lib.distillation.LogitsDistillation(),
        ),
        lambda lib, t, s: lib.distillation.Distiller(
            t, s, lib.distillation.LogitsDistillation()
        ).compile(),
        lambda lib, t, s: lib.distillation.LogitsDistillation(temperature=0),
        lambda lib, t, s: lib.distillation.FeatureDistillation(loss=[None, None]),
    ],
)
def test_errors(lib, wrong):
    with pytest.raises(ValueError):
        wrong(lib, *networks(lib))
