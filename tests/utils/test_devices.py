"""`report_devices`: what it says on a CPU, on Colab's CPU and beside accelerators."""

import types

import jax
import pytest

from jkeras.callbacks import device
from jkeras.utils import report_devices


class Device:
    """What `report_devices` reads of a device."""

    def __init__(self, platform, kind, memory=None):
        self.platform, self.device_kind, self.memory = platform, kind, memory

    def memory_stats(self):
        return None if self.memory is None else {"bytes_limit": self.memory}


@pytest.mark.parametrize("file", ["/dev/nvidia0", "/dev/accel0", None])
def test_a_cpu_is_warned_of_where_there_is_more(file, capsys, monkeypatch):
    """Not on a machine that never had an accelerator, nor where the CPU was chosen."""
    monkeypatch.delenv("COLAB_RELEASE_TAG", raising=False)
    monkeypatch.setattr(jax, "devices", lambda: [Device("cpu", "cpu")])
    monkeypatch.setattr(device.importlib.metadata, "entry_points", lambda group: [])
    monkeypatch.setattr(device.os.path, "exists", lambda path: path == file)
    for platforms in (None, "cpu"):
        config = types.SimpleNamespace(jax_platforms=platforms)
        chosen = types.SimpleNamespace(config=config, default_backend=lambda: "cpu")
        monkeypatch.setattr(device, "jax", chosen)
        report_devices()
        out, err = capsys.readouterr()
        assert out == f"JAX {jax.__version__} on 1 x cpu\n"
        if file is None or platforms == "cpu":
            assert err == ""
        else:
            what = {"/dev/nvidia0": "an NVIDIA GPU", "/dev/accel0": "a TPU"}[file]
            assert "NO ACCELERATOR: all of this runs on the CPU, although this machine has" in err
            assert f"has {what}." in err and "pip install" in err and "Runtime" not in err


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
