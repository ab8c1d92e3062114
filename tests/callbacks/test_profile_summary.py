"""`ProfilerTrace.largest`: operations of a trace by layer, of files as accelerators write them, and
of a training here.
"""

import gzip
import json

import jax
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.callbacks import ProfilerTrace, profile_summary
from jkeras.callbacks.profile_summary import largest_operations, split


def write(folder, *events, name="host"):
    path = folder / "plugins" / "profile" / "2026" / f"{name}.trace.json.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt") as file:
        json.dump({"traceEvents": list(events)}, file)


def event(name, microseconds, **given):
    return {"ph": "X", "name": name, "dur": microseconds, "args": given}


@pytest.mark.parametrize(
    "path, expected",
    [
        ("jit(train_many)/while/body/jvp(net)/up/dot_general", ("net/up", "dot_general", False)),
        ("jit(f)/transpose(jvp(net))/up/dot_general:", ("net/up", "dot_general", True)),
        ("jit(f)/vmap(jvp(net))/up/jit(silu)/mul", ("net/up", "mul", False)),
        ("jit(f)/jvp()/add", ("", "add", False)),
        (
            "jit(f)/jvp(net)/blocks/while/body/closed_call/mlp/up/exp",
            ("net/blocks/mlp/up", "exp", False),
        ),
        ("fusion.12", ("", "fusion.12", False)),
        ("", ("", "", False)),
    ],
)
def test_names_of_operations(path, expected):
    assert split(path) == expected


@pytest.mark.promise("Every layer puts its name around what it computes")
@pytest.mark.parametrize("jitted", [True, False])
def test_layers_are_in_programs(jitted):
    """Those with layers in them, and those that the short way runs."""
    attention = layers.MultiHeadAttention(2, 4, name="mha")
    x = np.ones((2, 3, 8), "float32")
    params, state = attention.init(0, x, x)
    apply = attention.apply if jitted else lambda *given: attention.apply(*given)
    text = jax.jit(apply).lower(params, state, x, x).compile().as_text()
    assert "/mha/query/dot_general" in text and "/mha/attention_output/" in text


def test_times_are_summed_by_layer(tmp_path):
    write(
        tmp_path,
        event("fusion.1", 300, tf_op="jit(f)/jvp(net)/up/dot_general:", hlo_category="fusion"),
        event("fusion.7", 100, tf_op="jit(f)/jvp(net)/up/dot_general:"),
        event("fusion.2", 500, tf_op="jit(f)/transpose(jvp(net))/up/dot_general:"),
        event("while.3", 900, tf_op="jit(f)/while"),  # its operations stand beside it
        event("dot.4", 100, hlo_op="dot.4", hlo_module="jit_never_seen"),
        event("ThreadpoolListener", 7000),
        {"ph": "M", "name": "thread_name", "args": {"name": "python"}},
        {"ph": "X", "name": "without arguments", "dur": 7000},
    )
    found = largest_operations(tmp_path)
    assert [(one.layer, one.name, one.is_gradient, one.calls) for one in found] == [
        ("net/up", "dot_general", True, 1),
        ("net/up", "dot_general", False, 2),
        ("", "dot.4", False, 1),
    ]
    np.testing.assert_allclose([one.share for one in found], [0.5, 0.4, 0.1])
    np.testing.assert_allclose([one.seconds for one in found], [5e-4, 4e-4, 1e-4])
    assert len(largest_operations(tmp_path, 1)) == 1


def test_the_newest_trace_counts(tmp_path):
    import os

    write(tmp_path, event("a", 1, tf_op="jit(f)/old/add"), name="old")
    write(tmp_path, event("a", 1, tf_op="jit(f)/new/add"), name="new")
    os.utime(next(tmp_path.rglob("old*")), (1, 1))
    assert [one.layer for one in largest_operations(tmp_path)] == ["new"]


def test_a_folder_without_a_trace(tmp_path):
    with pytest.raises(FileNotFoundError, match="has no trace"):
        ProfilerTrace(tmp_path).largest()
    write(tmp_path)
    assert ProfilerTrace(tmp_path).largest() == ""


def test_what_two_programs_call_alike_is_not_named(monkeypatch):
    def module(text):
        return type("M", (), {"name": "jit_f", "to_string": lambda self: text})()

    def executable(text):
        return type("E", (), {"hlo_modules": lambda self: [module(text)]})()

    line = '  %{0} = f32[2]{{0}} add(%x, %y), metadata={{op_name="jit(f)/{1}/add"}}\n'
    texts = [line.format("add.1", "up") + line.format("add.2", "up")]
    texts.append(line.format("add.1", "down") + line.format("add.2", "up"))
    client = type("C", (), {"live_executables": lambda self: list(map(executable, texts))})()
    monkeypatch.setattr(profile_summary.jax.extend.backend, "get_backend", lambda: client)
    seen = {"add.1", "add.2"}
    assert profile_summary._names_in("jit_f", seen) == {"add.2": "jit(f)/up/add"}
    assert profile_summary._names_in("jit_g", seen) == {}
    # a program that has not all that ran is another one
    texts.append(line.format("add.1", "other") + line.format("add.3", "up"))
    assert profile_summary._names_in("jit_f", {"add.1", "add.3"})["add.1"] == "jit(f)/other/add"


@pytest.mark.promise("its operations that took longest, by the names of the layers around them")
def test_of_a_training(tmp_path):
    parts = [
        layers.Dense(64, "softplus", name="small"),
        layers.LayerNormalization(),  # a program like no other, of which this process may have one
        layers.Dense(1024, "elu", name="large"),
        layers.UnitNormalization(),
        layers.Dense(1, "softsign"),
    ]
    model = jkeras.Sequential([jkeras.Input((1024,)), *parts], name="net")
    model.compile("adamax", "log_cosh")
    trace = ProfilerTrace(tmp_path, start_step=3, steps=8)
    x = np.full((512, 1024), 1e-3, "float32")
    model.fit(x, x[:, :1], epochs=2, verbose=0, callbacks=[trace])
    found = largest_operations(tmp_path, 20)
    assert {"net/small", "net/large"} <= {one.layer for one in found}
    assert any(one.is_gradient and one.layer.startswith("net/") for one in found)
    assert sum(one.share for one in found) <= 1 + 1e-9
    assert trace.largest(3).count("\n") == 2
