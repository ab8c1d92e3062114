"""No row moves a sum of clipped gradients by more than the bound, whatever rounding hides: lengths
in float64 of what is really added.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers, privacy
from jkeras.privacy import lengths
from jkeras.privacy.ghost import ghosts

RANDOM = np.random.default_rng(0)
NORMS = pytest.mark.parametrize("norms", ["ghost", "vmap"])


def length(tree):
    leaves = jax.tree_util.tree_leaves(tree)
    return float(np.sqrt(sum((np.float64(leaf) ** 2).sum() for leaf in leaves)))


def moves(loss, params, x, y, **options):
    """How far each row, alone in a step, moves the sum."""
    summed = jax.jit(privacy.clipped_grad(loss, 1.0, **options))
    return [length(summed(params, x[i : i + 1], y[i : i + 1])[0]) for i in range(len(x))]


def chooses():
    """Alternatives with features of their own, and an income that they share."""
    jkeras.utils.set_random_seed(0)
    parts = [layers.Dense(32, activation="relu"), layers.Dense(1), layers.Flatten()]
    model = jkeras.Sequential([jkeras.Input((8, 32)), *parts, layers.Softmax()])
    income = np.repeat(RANDOM.uniform(2e4, 2e5, (20, 1, 1)), 8, 1)
    x = np.concatenate([RANDOM.normal(size=(20, 8, 31)), income], -1).astype("float32")
    return model, x, RANDOM.integers(0, 8, 20)


@pytest.mark.promise("Where the inputs of all")
@pytest.mark.promise("A length is never too small, whatever digits float32 loses")
@NORMS
def test_what_all_places_share(norms):
    model, x, y = chooses()
    loss = jkeras.losses.SparseCategoricalCrossentropy()
    found = moves(lambda p, x, y: loss(y[None], model.apply(p, {}, x[None])[0]), model.params, x, y)
    assert max(found) <= 1.0 + 1e-6
    assert min(found) > 0.9  # and no less than there is to learn


@NORMS
@pytest.mark.parametrize(
    "clipping",
    ["flat", *(pytest.param(c, marks=pytest.mark.slow) for c in ("per_layer", "automatic"))],
)
@pytest.mark.parametrize("offset", [0.0, 1e3, 1e4, 1e7])
def test_inputs_far_from_zero(offset, clipping, norms):
    """Whose slopes cancel over the places."""
    weights = {"a": {"kernel": RANDOM.normal(size=(64, 64)) / 8, "bias": np.zeros(64)}}
    weights = jax.tree_util.tree_map(jnp.float32, weights)
    x = np.float32(RANDOM.normal(size=(8, 8, 64)) + offset)
    slopes = RANDOM.normal(size=(8, 8, 1)) * RANDOM.normal(size=(8, 1, 64))
    slopes = np.float32(slopes - slopes.mean(1, keepdims=True))

    def loss(params, x, y):
        return jnp.sum((x @ params["a"]["kernel"] + params["a"]["bias"]) * y)

    found = moves(loss, weights, x, slopes, norms=norms, clipping=clipping)
    assert max(found) <= 1.0 + 1e-6
    assert offset > 1e4 or min(found) > 0.9


@pytest.mark.promise("Sums are in float32 whatever the policy")
@NORMS
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "bfloat16", "float16"])
def test_one_row_among_many(policy, norms):
    """Sums are not rounded to 16 bits, in which one row might move them by more than the bound."""
    jkeras.utils.set_random_seed(0)
    parts = [layers.Dense(32, activation="relu", dtype=policy), layers.Dense(10, dtype=policy)]
    model = jkeras.Sequential([jkeras.Input((16,)), *parts])
    x, y = np.float32(RANDOM.normal(size=(256, 16)) + 3), np.zeros(256, int)

    def loss(params, x, y):
        return -jax.nn.log_softmax(jnp.float32(model.apply(params, {}, x[None])[0][0]))[y]

    summed = jax.jit(privacy.clipped_grad(loss, 1.0, norms=norms))
    whole, _ = summed(model.params, x, y, np.ones(256, bool))
    for row in range(0, 256, 32):
        rest, _ = summed(model.params, x, y, np.arange(256) != row)
        change = jax.tree_util.tree_map(lambda a, b: np.float64(a) - np.float64(b), whole, rest)
        assert length(change) <= 1.0 + 2e-5  # the sum is of 227, in float32


def products(kind, shape, seed):
    """Pairs (inputs, slopes), in which float32 has few digits of the product."""
    rng = np.random.default_rng(seed)
    positions, rows, columns = shape
    left, right = rng.normal(size=(positions, rows)), rng.normal(size=(positions, columns))
    if kind == "shared":
        left, right = left + 1e5, right - right.mean(0)
    if kind == "halves":  # each half of the places shares something else
        half = np.arange(positions) % 2
        left = left + np.where(half, 1e4, -3e4)[:, None]
        for part in set(half):
            right[half == part] -= right[half == part].mean(0)
    if kind == "faint":
        left, right = left * 1e-22, right * 1e18
    if kind == "equal":
        left, right = np.full_like(left, 0.1), np.full_like(right, 0.1)
    return np.float32(left), np.float32(right)


@pytest.mark.promise("in another way, by a factor of 100 or more")
@pytest.mark.promise("A length is never too small, whatever digits float32 loses")
@pytest.mark.parametrize("kind", ["plain", "shared", "halves", "faint", "equal"])
@pytest.mark.parametrize("shape", [(1, 40, 30), (2, 64, 64), (8, 64, 64), (40, 8, 9), (16, 300, 2)])
def test_lengths_of_products(kind, shape):
    kernel = jnp.zeros(shape[1:])
    loss = lambda w, x, y: (jnp.sum((x @ w) * y), None)  # noqa: E731
    squares = jax.jit(lambda x, y: ghosts(loss, kernel, (x, y)).squares)
    for seed in range(3):
        left, right = products(kind, shape, seed)
        true = np.linalg.norm(np.float64(left).T @ np.float64(right))
        most = np.sum(np.linalg.norm(np.float64(left), axis=1) * np.linalg.norm(right, axis=1))
        found = float(jnp.sqrt(squares(left[None], right[None])[0]))
        # a gradient that is made is as long as its own numbers say, which is seen elsewhere
        made = shape[0] > 1 and shape[1] * shape[2] <= 1024
        assert found >= true * (1 - 5e-7) - made * 1e-6 * most
        if kind != "faint":
            assert found <= 1.001 * most + 1e-9
        if kind in ("plain", "shared", "equal"):
            assert found <= 1.01 * true + 1e-5 * most + 1e-9


@pytest.mark.promise("Where places cancel in")
def test_rows_of_a_table_that_cancel():
    """A word that is there twice, with slopes that add to nearly nothing."""
    slopes = np.float32([[1e4, 1.0], [-1e4, 1.0], [0.0, 3.0]])
    shares, square = lengths.of_rows(jnp.array([4, 4, 1]), slopes)
    np.testing.assert_allclose(shares, [[0, 1], [0, 1], [0, 3]], atol=1e-6)
    assert np.sqrt(13) * (1 - 1e-6) <= float(jnp.sqrt(square)) <= np.sqrt(13) + 0.01


def affine(x, params):
    return x @ params["kernel"] + params["bias"]


def table(x, params):
    return params["table"][jnp.int32(jnp.abs(x[:, 0])) % 20]


@pytest.mark.parametrize("columns", [16, 64])  # gradients that are made, and that are not
@pytest.mark.parametrize("of", [affine, table])
@pytest.mark.parametrize("offset", [1e7, pytest.param(1e4, marks=pytest.mark.slow)])
def test_rows_whose_places_cancel_beside_others(offset, of, columns):
    """The rounding of rows whose places cancel does not change with another row."""
    rng, rows = np.random.default_rng(1), 256
    shapes = {"kernel": (64, columns), "bias": (columns,), "table": (20, columns)}
    params = {name: np.zeros(shape, "float32") for name, shape in shapes.items()}
    offsets = offset * rng.uniform(0.2, 2, (rows, 1, 1))
    offsets[::32] = 0  # whose lengths have nothing added
    x = np.float32(rng.normal(size=(rows, 8, 64)) + offsets)
    slopes = rng.normal(size=(rows, 8, 1)) * rng.normal(size=(rows, 1, columns))
    slopes = slopes - slopes.mean(1, keepdims=True)
    if of is table:  # the same words, and something of their own that is small
        x[:, :, 0] = np.arange(8) // 2
        slopes *= 1 + offsets
        slopes[:, 1::2] = rng.normal(size=(rows, 4, columns)) - slopes[:, ::2]
    summed = jax.jit(privacy.clipped_grad(lambda p, x, y: jnp.sum(of(x, p) * y), 1.0))
    whole, _ = summed(params, x, np.float32(slopes), np.ones(rows, bool))
    for row in range(0, rows, 32):
        rest, _ = summed(params, x, np.float32(slopes), np.arange(rows) != row)
        change = jax.tree_util.tree_map(lambda a, b: np.float64(a) - np.float64(b), whole, rest)
        assert length(change) <= 1.0 + 2e-5  # the sum is of 255, in float32


@pytest.mark.promise("or the square of its length, is not finite adds nothing")
@NORMS
@pytest.mark.parametrize("scale", [1e20, 1e30, np.inf, np.nan])
def test_rows_whose_square_is_no_number(scale, norms):
    """They add nothing, and the others what they would alone."""
    weights = {"w": jnp.ones((64, 64))}
    x = np.float32(RANDOM.normal(size=(3, 8, 64)))
    y = np.float32([1.0, scale, 1.0])
    summed = privacy.clipped_grad(lambda p, x, y: jnp.sum(x @ p["w"]) * y, 1.0, norms=norms)
    total, found = jax.jit(summed)(weights, x, y)
    wanted, _ = jax.jit(summed)(weights, x, y, np.array([True, False, True]))
    assert found[1] == 0
    np.testing.assert_allclose(total["w"], wanted["w"], rtol=1e-6)


def test_a_bound_that_float32_cannot_see():
    with pytest.raises(ValueError, match="a bound above 0"):
        privacy.clipped_grad(lambda w, x, y: w, clip=1e-30)
    with pytest.raises(ValueError, match="clip"):
        privacy.DPSGD(clip=1e-30, noise_multiplier=1.0)
