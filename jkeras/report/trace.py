"""A fingerprint of each training step, computed in the step itself, so that several steps still go
into one dispatch.
"""

import base64

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.training.data import placement
from jkeras.training.step.state import TrainState
from jkeras.training.types import Logs

MOST_WAITING = 256  # dispatches whose fingerprints stay on the device


def fingerprint(state: TrainState, logs: Logs) -> jax.Array:
    """The bits of the mean loss so far, and a hash of all weights after a step: uint32 (2,).

    The hash is a sum of integers, which gives the same bits in any order and on any number of
    devices.
    """
    loss = jnp.mean(jnp.asarray(logs.get("loss", 0.0))).astype("float32")
    return jnp.stack([jax.lax.bitcast_convert_type(loss, "uint32"), weights_hash(state)])


def weights_hash(state: TrainState) -> jax.Array:
    """One number of the bits of all parameters and of what layers keep, uint32 ()."""
    leaves = jax.tree_util.tree_leaves((state.params, state.state))
    # else a compiler may compute the step's update a second time, for the hash
    leaves = jax.lax.optimization_barrier(leaves)
    total = jnp.zeros((), "uint32")
    for number, leaf in enumerate(leaves):
        total += jnp.sum(_mixed(_bits(leaf)), dtype="uint32") * np.uint32(2 * number + 1)
    return total


def _bits(value: jax.Array) -> jax.Array:
    """The bits of an array as numbers of 32."""
    if jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        value = jax.random.key_data(value)
    if jnp.issubdtype(value.dtype, jnp.complexfloating):
        value = jnp.stack([value.real, value.imag])
    is_narrow = jnp.issubdtype(value.dtype, jnp.integer) and jnp.iinfo(value.dtype).bits < 8
    if is_narrow or value.dtype == bool:
        value = value.astype("int32")
    width = min(value.dtype.itemsize, 4)
    return jax.lax.bitcast_convert_type(value, f"uint{8 * width}").astype("uint32")


def _mixed(bits: jax.Array) -> jax.Array:
    """Numbers whose sum tells of small changes that cancel each other in a sum of the bits."""
    bits = bits * np.uint32(0x9E3779B1)
    bits = bits ^ (bits >> np.uint32(15))
    return bits * np.uint32(0x85EBCA77)


class Trace:
    """The fingerprints of the steps of an epoch, gathered while it runs: a `Recorder`.

    Attributes:
        of_step: `fingerprint`.
        every: of so many steps the last one's is recorded.

    >>> trace = Trace()
    >>> trace.take(jnp.ones((4, 2), "uint32"), steps=3)
    >>> trace.rows().shape, trace.steps
    ((3, 2), 3)
    >>> trace.widen()
    >>> trace.rows().shape, trace.steps
    ((1, 2), 3)
    """

    of_step = staticmethod(fingerprint)

    def __init__(self) -> None:
        self.every = 1
        self.restart()

    def restart(self, steps: int = 0, rows: np.ndarray | None = None) -> None:
        """Begins an epoch, of which some steps may be done."""
        self._waiting = []  # on the device, so that nothing waits for it
        self._fetched = [] if rows is None else [rows]
        self._steps = steps

    def take(self, records: jax.Array, steps: int) -> None:
        """Takes the fingerprints of a dispatch, whose first `steps` rows count."""
        rows = of_members(records) if records.ndim == 3 else records
        self._waiting.append((rows, steps))
        if len(self._waiting) > MOST_WAITING:
            self._fetch(MOST_WAITING // 2)

    def _fetch(self, count: int) -> None:
        """Fetches the oldest ones."""
        due, self._waiting = self._waiting[:count], self._waiting[count:]
        for rows, steps in due:
            first = -(self._steps + 1) % self.every
            self._fetched.append(placement.to_host(rows)[first : steps : self.every])
            self._steps += steps

    def rows(self) -> np.ndarray:
        """Those that are recorded so far, uint32 (steps // every, 2)."""
        self._fetch(len(self._waiting))
        self._fetched = [np.concatenate([np.zeros((0, 2), "uint32"), *self._fetched])]
        return self._fetched[0]

    @property
    def steps(self) -> int:
        """The number of steps of the epoch so far."""
        return self._steps + sum(steps for _, steps in self._waiting)

    def widen(self) -> None:
        """Keeps half as many from here on, and of those so far."""
        self._fetched = [thinned(self.rows(), 2)]
        self.every *= 2


def thinned(rows: np.ndarray, count: int) -> np.ndarray:
    """Of so many rows the last one.

    >>> thinned(np.arange(7), 3).tolist()
    [2, 5]
    """
    return rows[count - 1 :: count]


def as_text(rows: np.ndarray) -> str:
    """Fingerprints as text, eleven characters for each step: what a report has of an epoch.

    >>> from_text(as_text(np.array([[1, 2]], "uint32"))).tolist()
    [[1, 2]]
    """
    return base64.b64encode(rows.astype("<u4").tobytes()).decode("ascii")


def from_text(text: str) -> np.ndarray:
    """Fingerprints of `as_text`, uint32 (steps, 2).

    Raises:
        ValueError: it is no such text.
    """
    return np.frombuffer(base64.b64decode(text, validate=True), "<u4").reshape(-1, 2)


def loss_of(row: np.ndarray) -> float:
    """The mean loss of the epoch so far that a fingerprint holds.

    >>> loss_of(np.array([0x3F000000, 0], "uint32"))
    0.5
    """
    return float(row[:1].astype("uint32").view("float32")[0])


@jax.jit
def of_members(rows: jax.Array) -> jax.Array:
    """One fingerprint for each step of those of the members of an ensemble, uint32 (members, steps,
    2): the bits of the mean of their losses, and a hash of theirs.
    """
    losses = jax.lax.bitcast_convert_type(rows[..., 0], "float32").mean(0)
    odd = 2 * jnp.arange(len(rows), dtype="uint32") + 1
    hashes = jnp.sum(rows[..., 1] * odd[:, None], axis=0, dtype="uint32")
    return jnp.stack([jax.lax.bitcast_convert_type(losses, "uint32"), hashes], axis=-1)
