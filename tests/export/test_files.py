"""The file of an export: what reads it, what a damaged or hostile one does, what a failed write
leaves.
"""

import json
import pathlib
import re
import subprocess
import sys
import zipfile

import jax
import numpy as np
import pytest

import jkeras
from jkeras.core.errors import SerializationError
from jkeras.export import artifact, lowering
from tests.export.families import assert_same, data_for, trained

TEXT = (pathlib.Path(jkeras.__file__).parents[1] / "docs" / "export.md").read_text()
ALONE = """
import sys

BLOCKED = "jkeras", "optax", "keras", "flax", "orbax", "h5py", "rich", "tensorstore"

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in BLOCKED:
            raise ImportError(f"{name} is not installed here")

sys.meta_path.insert(0, Blocker())
"""


@pytest.fixture
def model():
    return trained("mlp")


@pytest.fixture
def good(model, tmp_path):
    model.export(tmp_path / "good")
    return (tmp_path / "good").read_bytes()


@pytest.mark.promise("A program of several inputs")
@pytest.mark.promise("The file runs wherever")
@pytest.mark.promise("On a machine without jkeras")
@pytest.mark.promise("`programs/0`, … | StableHLO")
@pytest.mark.promise("writes a program with its")
@pytest.mark.promise("Nothing in the file is Python")
def test_a_process_with_jax_alone(tmp_path):
    """The snippet of docs/export.md, where nothing but jax, numpy and flatbuffers can be
    imported.
    """
    snippet = next(
        part
        for part in re.findall(r"```python\n(.*?)```", TEXT, re.S)
        if "export.deserialize" in part
    )
    assert "jkeras" not in snippet and len(snippet.splitlines()) <= 14
    model = trained("nested")
    x = data_for(model, 3)
    model.export(tmp_path / "digits.stablehlo")
    np.savez(tmp_path / "x.npz", **x)
    program = snippet.replace('np.ones((8, 28, 28, 1), "float32")', 'dict(np.load("x.npz"))')
    assert program != snippet
    program = (
        ALONE
        + program
        + '\nnp.savez("y.npz", score=y["score"], seen=y["parts"][0], read=y["parts"][1][0])\n'
    )
    program += (
        'assert not {"jkeras", "optax", "keras"} & {name.split(".")[0] for name in sys.modules}\n'
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "y.npz") as y:
        assert_same({"score": y["score"], "parts": [y["seen"], (y["read"],)]}, model.predict(x))


@pytest.mark.promise("`weights/0.npy`, … | the")
def test_bfloat16_weights(tmp_path):
    jkeras.config.set_dtype_policy("bfloat16")
    model = trained("mlp")
    model.export(tmp_path / "model")
    with np.load(tmp_path / "model") as file:
        contents = json.loads(file["contents.json"])
        values = [file[f"weights/{i}"].view(w["dtype"]) for i, w in enumerate(contents["weights"])]
    assert_same(values, [v.numpy() for v in model.weights])
    assert_same(
        list(jkeras.export.load(tmp_path / "model")._first._weights),
        [v.value for v in model.weights],
    )


# ---------------------------------------------------------------- damaged and hostile


def parts(path):
    """What a file says, without running it."""
    with open(path, "rb") as file:
        contents = artifact.read(file, safe_mode=True)
    return {
        name: (
            exported.mlir_module_serialized,
            str(exported.in_avals),
            [np.asarray(w).tolist() for w in weights],
        )
        for name, (exported, weights) in contents.programs.items()
    }


def loads_equal_or_is_explained(path, content, expected):
    path.write_bytes(content)
    try:
        jkeras.export.load(path)
    except SerializationError as error:
        assert str(error).startswith(str(path))
        return False
    assert parts(path) == expected
    return True


@pytest.mark.promise("Whatever is wrong is one `SerializationError` with the path in it")
def test_cut_off(good, tmp_path):
    expected = parts(tmp_path / "good")
    for size in [0, 1, 4, 30, *range(100, len(good), len(good) // 40), len(good) - 1]:
        assert not loads_equal_or_is_explained(tmp_path / "cut", good[:size], expected), size


@pytest.mark.promise("verifies every checksum")
@pytest.mark.parametrize("count", [150, pytest.param(2000, marks=pytest.mark.slow)])
def test_flipped_bits(count, good, tmp_path):
    expected, rng = parts(tmp_path / "good"), np.random.default_rng(count)
    refused = 0
    for _ in range(count):
        content = bytearray(good)
        content[rng.integers(len(good))] ^= 1 << int(rng.integers(8))
        refused += not loads_equal_or_is_explained(tmp_path / "flipped", bytes(content), expected)
    assert refused > count / 2


def changed(path, new, contents=None, drop=(), add=()):
    """A copy of a file with other members."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(new, "w") as archive:
        members = {name: old.read(name) for name in old.namelist() if name not in drop} | dict(add)
        if contents is not None:
            listed = json.loads(members["contents.json"])
            contents(listed)
            members["contents.json"] = json.dumps(listed)
        for name, content in members.items():
            archive.writestr(name, content)


def swap_weights(listed):
    listed["endpoints"]["serve"]["weights"].reverse()


CHANGES = {
    "no list": (dict(drop=["contents.json"]), "no export of jkeras: it has no contents.json"),
    "another format": (
        dict(contents=lambda c: c.update(format="jkeras.export 9")),
        "its format is 'jkeras.export 9'",
    ),
    "no endpoints": (dict(contents=lambda c: c.update(endpoints={})), "does not list endpoints"),
    "number too large": (
        dict(contents=lambda c: c["endpoints"]["serve"]["weights"].append(99)),
        "does not list",
    ),
    "weight missing": (dict(drop=["weights/0.npy"]), "'weights/0.npy'.* missing or too many"),
    "member too many": (dict(add=[("evil.py", b"1/0")]), "'evil.py'.* missing or too many"),
    "weights swapped": (dict(contents=swap_weights), "takes other weights than those listed"),
    "other dtype": (
        dict(contents=lambda c: c["weights"][0].update(dtype="int32")),
        "dtype float32; 'int32' is listed",
    ),
    "program is no program": (dict(add=[("programs/0", b"1/0")]), "cannot be loaded"),
    "pickled weight": (
        dict(
            add=[
                (
                    "weights/0.npy",
                    b"\x93NUMPY\1\0\x76\0"
                    + b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(117)
                    + b"\n"
                    + b"cos\nsystem\n",
                )
            ]
        ),
        "no array of numbers",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_members_of_another_kind(name, good, tmp_path):
    changes, message = CHANGES[name]
    changed(tmp_path / "good", tmp_path / "changed", **changes)
    with pytest.raises(SerializationError, match=message) as caught:
        jkeras.export.load(tmp_path / "changed")
    assert str(caught.value).startswith(str(tmp_path / "changed"))


@pytest.mark.promise("`safe_mode=False` allows kernels")
@pytest.mark.promise("refuses a program that calls anything but XLA")
def test_programs_call_nothing_of_others(tmp_path):
    def evil(weights, x):
        return jax.ffi.ffi_call("run_what_the_file_says", jax.ShapeDtypeStruct(x.shape, x.dtype))(x)

    def fine(weights, x):
        return (
            jax.numpy.linalg.inv(x)
            + jax.lax.top_k(x, 2)[0]
            + jax.random.normal(jax.random.key(0), (2, 2))
        )

    spec = jax.ShapeDtypeStruct((2, 2), "float32")
    for function, calls in ((fine, []), (evil, ["run_what_the_file_says"])):
        exported = jax.export.export(
            jax.jit(function),
            platforms=("cpu", "cuda", "tpu") if not calls else ("cpu",),
            disabled_checks=[jax.export.DisabledSafetyCheck.custom_call(c) for c in calls],
        )
        artifact.write(
            tmp_path / "program", {"serve": lowering.Program(exported([], spec), [])}, [], {}
        )
        if calls:
            with pytest.raises(
                SerializationError, match="calls run_what_the_file_says, code outside of the file"
            ):
                jkeras.export.load(tmp_path / "program")
            assert jkeras.export.load(tmp_path / "program", safe_mode=False).platforms == ("cpu",)
        else:
            assert jkeras.export.load(tmp_path / "program")(np.eye(2)).shape == (2, 2)


def test_no_such_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="/none: File not found: there is no such file"):
        jkeras.export.load(tmp_path / "none")
    with pytest.raises(SerializationError, match="is a folder, and cannot be loaded"):
        jkeras.export.load(tmp_path)


@pytest.mark.promise("While a file is written")
def test_a_failed_write_leaves_the_old_file(good, model, tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(artifact.npz, "put", fail)
    with pytest.raises(OSError, match="No space left"):
        model.export(tmp_path / "good")
    assert (tmp_path / "good").read_bytes() == good
    assert [path.name for path in tmp_path.iterdir()] == ["good"]


@pytest.mark.parametrize(
    "text, expected",
    [
        ("stablehlo.custom_call @evil(%0)", {"evil"}),
        ('stablehlo.custom_call @"evil"(%0)', {"evil"}),
        ('"stablehlo.custom_call"(%0) <{api_version = 4, call_target_name = "evil"}>', {"evil"}),
        ('"mhlo.custom_call"(%0) {call_target_name="evil"}', {"evil"}),
        ('"stablehlo.custom_call"(%0) {name = "Qr"}', {"a function whose name cannot be read"}),
        ("func.func @my_custom_call(%0)", set()),
    ],
)
def test_calls_in_both_forms_of_mlir(text, expected):
    from jkeras.export.artifact import calls_of

    assert calls_of(text) == expected
