"""Every script of examples/ runs and reaches what it promises."""

import importlib.util
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

from tests.thinning import in_turn

EXAMPLES = pathlib.Path(__file__).parent.parent / "examples"


def load(name):
    """The module of an example, read from its file."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_example_has_a_test():
    tested = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert {path.stem for path in EXAMPLES.glob("*.py")} <= tested


def test_every_example_has_a_line_in_the_table():
    table = (EXAMPLES / "README.md").read_text()
    listed = set(re.findall(r"^\| `(\w+)\.py` ", table, re.M))
    assert listed == {path.stem for path in EXAMPLES.glob("*.py")}


def test_what_every_example_prints_is_kept_for_its_page():
    """`python docs/site/record.py NAME` keeps it."""
    kept = EXAMPLES.parent / "docs" / "assets" / "examples"
    missing = [p.stem for p in EXAMPLES.glob("*.py") if not (kept / f"{p.stem}.txt").exists()]
    assert not missing


@pytest.mark.promise("prints `test accuracy: 0.99…`")
@pytest.mark.slow
def test_digits_quickstart(capsys):
    accuracy = load("digits_quickstart").main()
    assert accuracy >= 0.98
    assert capsys.readouterr().out.splitlines()[-1] == f"test accuracy: {accuracy:.4f}"


@pytest.mark.parametrize("seed", in_turn([1, 2, 3], 3))
def test_digits_quickstart_with_other_seeds(seed):
    assert load("digits_quickstart").main(seed=seed) >= 0.98


def test_functional_multi_io():
    accuracies = load("functional_multi_io").main(epochs=8)
    assert accuracies["digit"] > 0.93 and accuracies["even"] > 0.9


def test_subclass_custom_layer():
    accuracy, pure = load("subclass_custom_layer").main(epochs=5)
    assert accuracy > 0.93
    assert abs(pure - accuracy) < 1e-6


def test_explain_images():
    # few images: without optimization gradients of convolutions take a hundred times as long
    shares = load("explain_images").main(epochs=4, count=4)
    chance = shares["by chance"]
    assert shares["integrated gradients"] > 2 * chance and shares["occlusion"] > 1.5 * chance


def test_explain_text(tmp_path):
    picture = tmp_path / "words.png"
    accuracy, found = load("explain_text").main(epochs=6, count=100, picture=picture)
    assert accuracy > 0.95 and found > 0.9
    assert picture.stat().st_size > 1000


def test_private_digits():
    private, plain, epsilon = load("private_digits").main(epochs=25)
    assert 0.87 < private < plain and 2.9 < epsilon <= 3


def test_custom_train_step():
    assert min(load("custom_train_step").main(epochs=6)) > 0.93


def test_pure_research():
    accuracies, norms, (before, after) = load("pure_research").main(
        members=4, ensemble_steps=150, maml_steps=400
    )
    assert accuracies.shape == (4,) and accuracies.max() > 0.93
    assert accuracies.min() < accuracies.max()  # the smallest learning rate is too small
    assert norms.shape == (32,) and np.ptp(norms) > 0
    assert after < 0.8 * before


# ---------------------------------------------------------------- one idea each, in short forms


def run(name, **environment):
    """What an example prints that starts processes, or needs devices that this process does not
    have.
    """
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent), **environment}
    return subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    ).stdout


@pytest.mark.slow
def test_image_augmentation():
    accuracies = load("image_augmentation").main()
    assert accuracies["augmented"] > accuracies["plain"] > 0.88


@pytest.mark.promise("an architecture is a layer like any other")
@pytest.mark.slow
def test_transfer_learning():
    accuracies = load("transfer_learning").main(epochs=5, few_epochs=40)
    assert accuracies["fine-tuned"] > accuracies["from scratch"] + 0.02


@pytest.mark.slow
def test_text_classification():
    accuracies = load("text_classification").main(count=800, epochs=8)
    assert accuracies["convolutions"] > 0.9 > 0.65 > accuracies["word_counts"]


@pytest.mark.slow
def test_lstm_time_series():
    errors = load("lstm_time_series").main(epochs=8, length=1500)
    assert errors["LSTM"] < 0.5 * errors["linear"] < errors["last value"]


@pytest.mark.slow
def test_vae(capsys):
    bounds = load("vae").main(epochs=15)
    assert bounds["VAE"] < bounds["mean image"] - 0.5
    assert len(capsys.readouterr().out.splitlines()) == 9  # five images, and the figures


@pytest.mark.slow
def test_gan():
    right, different = load("gan").main(epochs=150, count=200)
    assert right > 0.8 and different > 60


@pytest.mark.slow
def test_ddpm():
    right, ratio = load("ddpm").main(steps=1500, count=100)
    assert right > 0.8 and ratio < 1.5


@pytest.mark.slow
def test_unet_segmentation():
    found, nothing = load("unet_segmentation").main(epochs=16, count=256)
    assert found > 0.4 > nothing


@pytest.mark.slow
def test_siamese():
    found = load("siamese").main(epochs=4, count=2000)
    assert found["codes"] > found["pixels"] > 0.5


@pytest.mark.slow
def test_language_model():
    pages, before, after, kept, same = load("language_model").main(3, 0.4, depth=1, tuning=2)
    assert kept and same
    assert pages < 3.8 and after < before - 0.05  # letters by how often they come: 4.5 bits


@pytest.mark.promise("under a loss of the difference alone")
@pytest.mark.promise('and "apo_zero", which raises it')
@pytest.mark.slow
def test_preferences():
    found, kept = load("preferences").main(tuning=10)
    assert kept
    assert min(found["before"]) > 0.3 > 0.1 > max(found["sigmoid"][1], found["apo_zero"][1])
    assert found["apo_zero"][0] > 0.7 > found["sigmoid"][0]


@pytest.mark.slow
def test_served_model():
    for package in ("starlette", "uvicorn", "tokenizers", "jinja2"):
        pytest.importorskip(package)
    right, same, pieces, of_openai, stopped = load("served_model").main()
    assert right > 0.95 and same and stopped
    assert "".join(pieces) == "15" and of_openai in (None, "15")


@pytest.mark.slow
def test_rewards():
    first, last, right = load("rewards").main(epochs=30)
    assert first < 0.2 and last > 0.7 and right > 0.1


@pytest.mark.slow
def test_actor_critic():
    first, last = load("actor_critic").main(updates=120)
    assert last > 3 * first


def test_actor_critic_plays_by_the_rules():
    """A pole that is pushed one way only falls after about ten steps, and its world begins anew."""
    import jax

    example = load("actor_critic")
    world, ages = example.begin(jax.random.key(0)), []
    act = jax.jit(example.act)
    for step in range(30):
        world, fell, over = act(world, 1, jax.random.key(step))
        assert bool(fell) == bool(over)
        ages.append(int(world.age))
    assert ages[:5] == [1, 2, 3, 4, 5] and 7 < max(ages) < 13 and ages.count(0) >= 2


def test_structured_data():
    areas = load("structured_data").main(rows=2000, epochs=8)
    assert areas["crossed"] > areas["logistic"] + 0.03


@pytest.mark.slow
def test_many_devices():
    found = re.findall(r"losses (\S+) to (\S+), (\S+) KiB", run("many_devices", XLA_FLAGS=""))
    one, data, model = ([float(value) for value in line] for line in found)
    np.testing.assert_allclose([data[:2], model[:2]], [one[:2]] * 2, rtol=1e-4)
    assert one[1] < 0.5 * one[0]
    assert data[2] == one[2] > 1.5 * model[2]  # a layer that is cut takes less on each device


@pytest.mark.slow
def test_two_processes():
    together, alone = load("two_processes").main(epochs=4)
    assert together[0] == together[1]
    np.testing.assert_allclose(together[0]["losses"], alone["losses"], rtol=1e-4)
    assert together[0]["accuracy"] > 0.9


def test_ensemble():
    found = load("ensemble").main(members=6, steps=200)
    assert found["ensemble"][0] > found["mean member"][0] > 0.8
    assert found["ensemble"][1] < found["best member"][1]


@pytest.mark.slow
def test_maml():
    found = load("maml").main(steps=600)
    assert found["MAML"][2] < 0.7 * found["all waves at once"][2]


@pytest.mark.slow
def test_kill_and_resume():
    arrays, different = load("kill_and_resume").main(epochs=4, kills=(30,))
    assert arrays > 12 and different == 0


def test_keras_file():
    accuracies = load("keras_file").main(epochs=3)
    assert (
        0.85 < accuracies["as it came"] < accuracies["trained on"] == accuracies["saved and opened"]
    )
    assert (EXAMPLES / "data" / "digits_by_keras.keras").stat().st_size < 50_000


@pytest.mark.slow
def test_export_and_serve():
    accuracy, difference = load("export_and_serve").main(epochs=4)
    assert accuracy > 0.9 and difference < 1e-5


@pytest.mark.slow
def test_flax_module():
    accuracy, difference = load("flax_module").main(epochs=3)
    assert accuracy > 0.93 and difference < 1e-5


@pytest.mark.slow
def test_sklearn_pipeline():
    best, accuracies = load("sklearn_pipeline").main(epochs=10, images=400, sizes=(2, 64))
    assert best == 64 and accuracies["network"] > 0.88
