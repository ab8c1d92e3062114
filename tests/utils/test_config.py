"""Config: entries as attributes, freezing, helpful names."""

import pytest

import jkeras
from jkeras.utils import Config


def test_entries():
    config = Config(b=1)
    config.a, config["c"] = 2, 3
    config.update(d=4)
    assert (config.a, config["b"], config.get("x", 0), config.pop("d"), len(config)) == (
        2,
        1,
        0,
        4,
        3,
    )
    assert (
        list(config) == ["a", "b", "c"]
        and config.as_dict() == {"b": 1, "a": 2, "c": 3}
        and "c" in config
    )
    config.freeze()
    for change in (
        lambda: setattr(config, "a", 3),
        lambda: config.pop("a"),
        lambda: config.update(a=3),
    ):
        with pytest.raises(ValueError, match="frozen"):
            change()
    with pytest.raises(AttributeError, match="Did you mean 'lr_rate'"):
        Config(lr_rate=1).lr_rat  # noqa: B018


@pytest.mark.promise("`KERAS_BACKEND` is not")
@pytest.mark.promise("the first is not read, the second takes")
def test_the_backend_is_jax(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    assert jkeras.config.backend() == "jax"
    jkeras.config.set_backend("jax")
    with pytest.raises(ValueError, match="jkeras runs on JAX alone.*'torch'"):
        jkeras.config.set_backend("torch")
