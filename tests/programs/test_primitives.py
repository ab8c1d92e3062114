"""The one table of primitives: which of the installed JAX's it lacks, by name; and what it says of
them is so, by JAX's own tables and numbers.
"""

import jax
import jax.extend.core.primitives
import jax.numpy as jnp
import numpy as np
import pytest
from jax.interpreters import ad

import jkeras
from jkeras.programs import primitives
from jkeras.programs.primitives import PRIMITIVES, UNKNOWN, Kind, facts_of
from jkeras.programs.walk import operations, trace
from tests.common.table import ROWS
from tests.common.test_layers import INFERENCE, Bench
from tests.thinning import every

# seen, and nothing is told of them: programs with them are refused, or take the slow way. One that
# a newer JAX has is put here, or gets its facts in the table
NOTHING_TOLD = frozenset(
    """
    after_all all_gather all_to_all approx_top_k axis_index call cholesky create_token custom_lin
    custom_linear_solve dce_sink debug_callback debug_print device_put dynamic_update_slice eig
    eigh empty empty2 get hessenberg householder_product io_callback iota lu pmax pmin ppermute
    psum pure_callback qr ragged_all_to_all random_bits random_fold_in random_gamma random_seed
    random_split random_unwrap random_wrap reduce rng_bit_generator rng_uniform scatter-max
    scatter-min scatter-mul scatter-sub scatter_max scatter_min scatter_mul scatter_sub schur
    select_and_gather_add select_and_scatter select_and_scatter_add stage svd swap threefry2x32
    triangular_solve tridiagonal tridiagonal_solve while
    """.split()
)


def without_facts(jaxpr):
    """The primitives of a program that nobody has looked at."""
    names = {eqn.primitive.name for eqn in operations(jaxpr.eqns)}
    return names - PRIMITIVES.keys() - NOTHING_TOLD


def test_each_primitive_of_jax_is_known():
    exposed = [
        getattr(module, name)
        for module in (jax.extend.core.primitives, jax.lax)
        for name in dir(module)
        if name.endswith("_p")
    ]
    names = {one.name for one in exposed}
    assert len(names) > 150
    missing = names - PRIMITIVES.keys() - NOTHING_TOLD
    assert not missing, f"say in programs/primitives.py or here what they are: {missing}"


@pytest.mark.parametrize(
    "row", every(8, [row for row in ROWS if not row.texts], slow=3), ids=lambda row: row.layer
)
def test_each_primitive_of_a_layer_is_known(row):
    """In its pass, and in that of its gradient where there is one."""
    bench = Bench(row)

    def total(params):
        y, _ = bench.layer.apply(params, bench.state, *bench.inputs, **INFERENCE)
        floats = [v for v in jax.tree.leaves(y) if jnp.issubdtype(v.dtype, jnp.floating)]
        return sum((v.sum() for v in floats), jnp.zeros(()))

    closed, _ = trace(jax.grad(total), bench.params)
    assert not without_facts(closed.jaxpr)


def test_each_primitive_of_a_function_is_known():
    x, traced = jnp.full((2, 4), 0.25), 0
    for module, given in ((jkeras.activations, (x,)), (jkeras.losses, (x, x))):
        for name in module.__all__:
            try:
                closed, _ = trace(getattr(module, name), *given)
            except (TypeError, ValueError):  # a class, or of other arguments
                continue
            assert not without_facts(closed.jaxpr), name
            traced += 1
    assert traced > 40


def test_what_is_not_in_it_has_no_facts():
    assert facts_of("never_seen") is UNKNOWN
    assert not any(vars(UNKNOWN)[name] for name in vars(UNKNOWN) if name != "kind")
    assert not NOTHING_TOLD & PRIMITIVES.keys()
    rows = [name for names in primitives._ROWS.values() for name in names.split()]
    assert len(rows) == len(set(rows)), "one row a primitive"


# names of other versions of JAX, and what some of them transpose in a way that they do not tell
NOT_ASKED = set("copy_p dynamic_slice gather name optimization_barrier scatter_add slice".split())


def test_linear_is_what_jax_can_transpose():
    """A gradient is taken of what has a rule for cotangents, which only linear primitives have."""
    transposed = {primitive.name for primitive in ad.primitive_transposes}
    told = {name for name, facts in PRIMITIVES.items() if facts.is_linear or facts.is_bilinear}
    assert told - transposed <= NOT_ASKED


# that need parameters, or whose programs are loops that compile for long
LEFT_OUT = set(
    """
    bitcast_convert_type convert_element_type copy_p integer_pow name optimization_barrier
    polynomial reduce_precision round select_n sharding_constraint
    igamma igamma_grad_a igammac polygamma regularized_incomplete_beta zeta
    """.split()
)


def applied(name, rows):
    """What a primitive of `jax.lax` gives of as many of these rows, and of such a type, as it
    takes.
    """
    for dtype in ("float32", "int32", "complex64"):
        given = [row.astype(dtype) for row in (rows if dtype == "float32" else 9 * rows)]
        for count in (1, 2, 3):
            try:
                return getattr(jax.lax, name)(*given[:count])
            except (TypeError, ValueError):
                pass
    raise AssertionError(f"`{name}` takes no rows")


def test_elementwise_ones_are():
    """A number that is changed changes the result at its place alone."""
    kind = {name: facts.kind for name, facts in PRIMITIVES.items()}
    names = [name for name in kind if kind[name] is Kind.ELEMENTWISE and hasattr(jax.lax, name)]
    names = [name for name in names if name not in LEFT_OUT]
    program = jax.jit(lambda rows: {name: applied(name, rows) for name in names})
    rows = jnp.asarray(np.random.default_rng(0).uniform(0.1, 0.9, (3, 4)), "float32")
    before, after = program(rows), program(rows.at[:, 0].set(0.55))
    assert len(names) > 60
    for name in names:
        assert before[name].shape == (4,), name
        np.testing.assert_array_equal(before[name][1:], after[name][1:], err_msg=name)
