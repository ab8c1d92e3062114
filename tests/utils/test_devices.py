"""`report_devices`: what it says on a CPU, on Colab's CPU and beside accelerators."""

import jax
import pytest

from jkeras.utils import report_devices


class Device:
    """What `report_devices` reads of a device."""

    def __init__(self, platform, kind, memory=None):
        self.platform, self.device_kind, self.memory = platform, kind, memory

    def memory_stats(self):
        return None if self.memory is None else {"bytes_limit": self.memory}


def test_a_cpu_is_warned_of(capsys, monkeypatch):
    monkeypatch.delenv("COLAB_RELEASE_TAG", raising=False)
    monkeypatch.setattr(jax, "devices", lambda: [Device("cpu", "cpu")])
    report_devices()
    out, err = capsys.readouterr()
    assert out == f"JAX {jax.__version__} on 1 x cpu\n"
    assert "NO ACCELERATOR" in err and "pip install" in err and "Runtime" not in err


def test_on_colab_it_says_where_to_click(capsys, monkeypatch):
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release-colab")
    monkeypatch.setattr(jax, "devices", lambda: [Device("cpu", "cpu")])
    report_devices()
    assert "Runtime > Change runtime type" in capsys.readouterr().err


@pytest.mark.parametrize(
    "devices, words",
    [
        ([Device("tpu", "TPU v2", 8 * 2**30)] * 8, "8 x TPU v2, 8 GiB each"),
        ([Device("gpu", "Tesla T4")], "1 x Tesla T4"),
    ],
)
def test_accelerators_are_named(devices, words, capsys, monkeypatch):
    monkeypatch.setattr(jax, "devices", lambda: devices)
    report_devices()
    out, err = capsys.readouterr()
    assert out.endswith(f"on {words}\n") and not err
