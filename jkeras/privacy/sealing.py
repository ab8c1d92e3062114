"""A seal on accounts in files: who has not the key can neither lower an account nor put it beside
other weights, without being found out.
"""

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterable
from typing import Any, Self

import jax
import numpy as np

from jkeras.core.errors import explain
from jkeras.core.names.registry import public

WHERE = "privacy.Seal"
SIZE = 32  # bytes of a key
FIX = (
    "take another copy of the file; what was revealed may be more than it says. Where the file was "
    "written without this seal, take its word by loading it without"
)


@public("jkeras.privacy.Seal")
class Seal:
    """A secret key with which accounts in files are sealed, for `DPSGD(seal=)`: HMAC-SHA256 over
    the account, the step and the weights (RFC 2104).

    Args:
        key: at least 32 secret bytes.

    Raises:
        ValueError: a shorter key.

    >>> seal = Seal(bytes(range(32)))
    >>> seal.of([{"steps": 3}], "weights") == seal.of([{"steps": 2}], "weights")
    False
    """

    def __init__(self, key: bytes) -> None:
        if not isinstance(key, bytes) or len(key) < SIZE:
            received = f"{len(key)}" if isinstance(key, bytes) else type(key).__name__
            raise ValueError(explain(WHERE, f"a key of at least {SIZE} bytes", received))
        self._key = key

    @classmethod
    def from_file(cls, path: str | os.PathLike) -> Self:
        """The seal whose key is in a file; where there is none it is made, of random bytes that the
        user of this process alone may read. Whoever can read it can seal.

        Raises:
            ValueError: the file holds too little for a key.
        """
        try:
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            with open(path, "rb") as file:
                return cls(file.read())
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(SIZE))
            file.flush()
            os.fsync(file.fileno())
        return cls.from_file(path)

    def of(self, account: Any, weights: str) -> str:
        """The seal on an account as plain data, and the digest of the weights that it is of."""
        text = json.dumps([account, weights], sort_keys=True, allow_nan=False)
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()

    def check(self, found: Any, account: Any, weights: str, where: str) -> None:
        """Sees that a seal is that of an account and its weights.

        Raises:
            ValueError: it is not, or there is none.
        """
        if not isinstance(found, str):
            raise ValueError(explain(where, "an account with a seal", "one without", FIX))
        if not hmac.compare_digest(self.of(account, weights).encode(), found.encode()):
            wanted = "an account and weights as they were sealed with this key"
            raise ValueError(explain(where, wanted, "others, or another key's seal", FIX))

    def verify(self, model: Any) -> None:
        """Sees that a model which was loaded from a file has the account and the weights that were
        sealed. `compile(privacy=DPSGD(seal=…))` does so as well, where the file had an account.

        Raises:
            ValueError: it has not, or the file had no account, or the weights were changed since.
        """
        record = model.record_of_file
        if record is None:
            raise ValueError(explain(WHERE, "a model of a file with an account", "one without"))
        found = record.get("seal") if isinstance(record, dict) else None
        runs = record["runs"] if isinstance(record, dict) else record
        self.check(found, runs, of_model(model), f"Model '{model.name}'")

    def __repr__(self) -> str:
        return "Seal()"


def of_model(model: Any) -> str:
    """The digest of the weights of a model, and of those of the members of an ensemble."""
    named = [(str(i), variable.own_value()) for i, variable in enumerate(model.weights)]
    members = model.ensemble_members
    if members is not None:
        state = members.state
        leaves = jax.tree_util.tree_leaves_with_path((state.params, state.frozen, state.state))
        named += [(jax.tree_util.keystr(path), leaf) for path, leaf in leaves]
    return digest(named)


def of_state(state: Any) -> str:
    """The digest of the number of steps and the weights of a `TrainState`."""
    parts = state.step, state.params, state.frozen, state.state
    leaves = jax.tree_util.tree_leaves_with_path(parts)
    return digest((jax.tree_util.keystr(path), leaf) for path, leaf in leaves)


def digest(named: Iterable[tuple[str, Any]]) -> str:
    """The SHA-256 of arrays and their names.

    >>> digest([("a", np.zeros(2))]) == digest([("a", np.zeros(3))])
    False
    """
    whole = hashlib.sha256()
    for name, value in named:
        array = np.ascontiguousarray(value)
        whole.update(f"{name}|{array.dtype}|{np.shape(value)}|".encode())
        whole.update(array.tobytes())
    return whole.hexdigest()


__all__ = ["Seal"]
