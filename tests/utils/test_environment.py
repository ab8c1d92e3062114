"""What `report_devices` says of versions that do not go together, and of TPUs that are not seen."""

import pathlib
import sys
import tomllib
import types

import jax
import jaxlib
import pytest

from jkeras.core.system import versions
from jkeras.utils import environment, report_devices
from tests.utils.test_devices import Device

PROJECT = pathlib.Path(__file__).parent.parent.parent / "pyproject.toml"
# what Colab's TPUs and JAX 0.7.2 have: docs/decisions/0017
ASKS = ["jaxlib<=0.7.2,>=0.7.2", 'jaxlib<=0.7.2,>=0.7.2; extra == "tpu"']
HAVE = {"jax": "0.7.2", "jaxlib": "0.7.2", "libtpu": "0.0.23"}
TPU, CPU = Device("tpu", "TPU v5 lite"), Device("cpu", "cpu")


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """JAX 0.7.2 on a machine that says of no TPU; a function that changes that."""
    for name in ("TPU_ACCELERATOR_TYPE", "ISTPUVM", "COLAB_TPU_1VM", "COLAB_RELEASE_TAG"):
        monkeypatch.delenv(name, raising=False)

    def be(devices=(CPU,), asks='libtpu==0.0.23; extra == "tpu"', env=(), **others):
        have = HAVE | others
        monkeypatch.setattr(versions.metadata, "version", lambda name: of(have, name))
        monkeypatch.setattr(versions.metadata, "requires", lambda name: [*ASKS, asks])
        monkeypatch.setattr(environment, "jax", fake_jax())
        monkeypatch.setattr(jax, "devices", lambda: list(devices))
        for name, value in dict(env).items():
            monkeypatch.setenv(name, value)

    monkeypatch.setattr(jaxlib, "__version__", HAVE["jaxlib"])
    be()
    return be


def of(have, name):
    if have.get(name) is None:
        raise versions.metadata.PackageNotFoundError(name)
    return have[name]


def fake_jax(version="0.7.2", platforms=None):
    return types.SimpleNamespace(
        __version__=version, config=types.SimpleNamespace(jax_platforms=platforms)
    )


def warned(capsys):
    report_devices()
    return capsys.readouterr().err


COLAB = {"COLAB_TPU_1VM": "1", "TPU_ACCELERATOR_TYPE": "v5e-1", "COLAB_RELEASE_TAG": "release-tpu"}
KAGGLE = {"ISTPUVM": "1"}


@pytest.mark.parametrize(
    "devices, env, libtpu", [([TPU], COLAB, "0.0.21.1"), ([TPU] * 8, KAGGLE, "0.0.17")]
)
def test_nothing_is_said_of_what_works(devices, env, libtpu, machine, capsys):
    """Colab and Kaggle have another libtpu than JAX asks for, since their PyTorch needs it."""
    machine(devices, env=env, libtpu=libtpu)
    report_devices()
    out, err = capsys.readouterr()
    words = f" with libtpu {libtpu} on {len(devices)} x TPU v5 lite\n"
    assert out == f"JAX {jax.__version__}{words}" and not err


@pytest.mark.promise("with which every notebook begins")
@pytest.mark.parametrize(
    "libtpu, asks, words",
    [
        (None, "==0.0.23", "libtpu is not installed."),
        ("0.0.17", "==0.0.23", "libtpu 0.0.17 is installed, JAX 0.7.2 asks for 0.0.23."),
        ("0.0.17", "==0.0.42.*", "libtpu 0.0.17 is installed, JAX 0.7.2 asks for 0.0.42.*."),
        ("0.0.42.1", "==0.0.42.*", "another process may hold it."),
    ],
)
@pytest.mark.parametrize("env, kind", [(COLAB, "v5e-1"), (KAGGLE, "v5litepod-8")])
def test_a_tpu_that_is_not_seen(libtpu, asks, words, env, kind, machine, capsys):
    machine(env=env, libtpu=libtpu, asks=f'libtpu{asks}; extra == "tpu"')
    said = warned(capsys)
    assert f"NO TPU: this runtime has one ({kind}), and JAX does not see it: " in said
    assert words in said and "Restart the session" in said and "NO ACCELERATOR" not in said
    assert ('pip install "jax[tpu]==0.7.2"' in said) == ("another" not in words)
    assert ("another process may hold it" in said) == (libtpu is not None)


def test_a_tpu_that_was_not_wanted(machine, monkeypatch, capsys):
    machine(env=KAGGLE)
    monkeypatch.setattr(environment, "jax", fake_jax(platforms="cpu"))
    assert "TPU" not in warned(capsys)


def test_jax_that_does_not_start(machine, monkeypatch, capsys):
    """It raises an error where it was set to a platform that is not to be had."""
    machine(env={"COLAB_TPU_1VM": "1"})

    def devices():
        raise RuntimeError("Unable to initialize backend 'tpu': in use by process 7.\nMore.")

    monkeypatch.setattr(jax, "devices", devices)
    report_devices()
    out, err = capsys.readouterr()
    reason = "Unable to initialize backend 'tpu': in use by process 7"
    assert out == f"JAX {jax.__version__} on no device: {reason}\n"
    assert f"(of Colab), and JAX does not see it: {reason}." in err and "More" not in err


@pytest.mark.promise("with which every notebook begins")
@pytest.mark.parametrize("seen, env", [(1, KAGGLE), (4, {"TPU_ACCELERATOR_TYPE": "v6e-8"})])
def test_a_part_of_the_cores(seen, env, machine, capsys):
    machine([TPU] * seen, env=env)
    assert f"JAX sees {seen} of the 8 cores of this TPU" in warned(capsys)


def test_a_part_of_a_pod_is_no_trouble(machine, capsys):
    machine([TPU] * 4, env={"TPU_ACCELERATOR_TYPE": "v5litepod-16"})
    assert not warned(capsys)


@pytest.mark.promise("with which every notebook begins")
@pytest.mark.parametrize("name", ["jax", "jaxlib"])
def test_what_was_installed_since(name, machine, capsys):
    asks = {"jax": "0.8.0"} if name == "jax" else {"jaxlib": "0.8.0"}
    machine(**asks)
    said = warned(capsys)
    assert f"This session runs {name} 0.7.2, and 0.8.0 has been installed since." in said


@pytest.mark.promise("with which every notebook begins")
def test_jaxlib_of_another_jax(machine, monkeypatch, capsys):
    monkeypatch.setattr(jaxlib, "__version__", "0.7.1")
    machine(jaxlib="0.7.1")
    said = warned(capsys)
    assert "jaxlib 0.7.1 does not go with JAX 0.7.2." in said
    assert 'pip install "jaxlib<=0.7.2,>=0.7.2"' in said and "installed since" not in said


@pytest.mark.promise("with which every notebook begins")
def test_an_old_jax_and_an_old_python(machine, monkeypatch, capsys):
    machine(jax="0.6.2")
    monkeypatch.setattr(environment, "jax", fake_jax("0.6.2"))
    monkeypatch.setattr(sys, "version_info", (3, 10, 12))
    said = warned(capsys)
    assert "This is JAX 0.6.2, and jkeras needs 0.7 or newer." in said
    assert "This is Python 3.10, and jkeras needs 3.11 or newer." in said


def test_a_checkout_of_jax_says_nothing(machine, monkeypatch, capsys):
    def requires(name):
        raise versions.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(versions.metadata, "requires", requires)
    monkeypatch.setattr(versions.metadata, "version", lambda name: of({}, name))
    assert not warned(capsys)


def test_the_least_versions_are_those_of_the_project():
    project = tomllib.loads(PROJECT.read_text())["project"]
    python, least = (".".join(map(str, v)) for v in (environment.PYTHON, environment.JAX))
    assert project["requires-python"] == f">={python}"
    assert {f"jax>={least}", f"jaxlib>={least}"} <= set(project["dependencies"])
