"""Config: named settings that can be frozen."""

import difflib
import json
from collections.abc import Iterable, Iterator
from typing import Any

from jkeras.core.names.registry import public


@public("keras.utils.Config")
class Config:
    """A dict whose entries are also attributes, and which can be frozen.

    Raises:
        AttributeError: an entry that is not there; the message names the one with the most similar
            name.
        ValueError: a change after `freeze()`.

    >>> config = Config(learning_rate=0.1)
    >>> config.seed = 3
    >>> config["seed"], config.learning_rate, list(config)
    (3, 0.1, ['learning_rate', 'seed'])
    """

    def __init__(self, **kwargs: Any) -> None:
        # attributes that are set in the common way are entries
        object.__setattr__(self, "_config", dict(kwargs))
        object.__setattr__(self, "_frozen", False)

    @property
    def frozen(self) -> bool:
        """Whether changes are refused."""
        return self._frozen

    def freeze(self) -> None:
        """Refuses changes from now on."""
        object.__setattr__(self, "_frozen", True)

    def unfreeze(self) -> None:
        """Allows changes again."""
        object.__setattr__(self, "_frozen", False)

    def _changing(self) -> dict[str, Any]:
        if self._frozen:
            raise ValueError(
                "The config is frozen, so its entries cannot be changed. Call `unfreeze()` first."
            )
        return self._config

    def as_dict(self) -> dict[str, Any]:
        """The entries as a plain dict."""
        return dict(self._config)

    def to_json(self) -> str:
        """The entries as a JSON string."""
        return json.dumps(self._config)

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._config.keys()

    def values(self) -> Iterable:
        """The values."""
        return self._config.values()

    def items(self) -> Iterable[tuple[str, Any]]:
        """(name, value) pairs."""
        return self._config.items()

    def get(self, keyname: str, value: Any = None) -> Any:
        """The value of a name, or `value`."""
        return self._config.get(keyname, value)

    def pop(self, *args: Any) -> Any:
        """Takes an entry out and returns its value."""
        return self._changing().pop(*args)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Sets several entries, as `dict.update`."""
        self._changing().update(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        entries = vars(self).get("_config", {})  # none while a copy is being made
        if name in entries:
            return entries[name]
        near = difflib.get_close_matches(name, entries, n=1, cutoff=0.7)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise AttributeError(f"The config has no entry '{name}'.{hint}")

    def __setattr__(self, name: str, value: Any) -> None:
        self._changing()[name] = value

    def __getitem__(self, key: str) -> Any:
        return self._config[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._changing()[key] = value

    def __delitem__(self, key: str) -> None:
        del self._changing()[key]

    def __contains__(self, key: str) -> bool:
        return key in self._config

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._config))

    def __len__(self) -> int:
        return len(self._config)

    def __repr__(self) -> str:
        return f"<Config {self._config}>"
