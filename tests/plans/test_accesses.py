"""What programs read and write, beside what follows from their shapes."""

import jax
import jax.numpy as jnp
import pytest

import jkeras
from jkeras import layers
from jkeras.plans.accesses import bytes_accessed
from jkeras.plans.hlo import arrays, read
from jkeras.plans.traffic import traffic

F32 = 4


def accessed(function, *shapes):
    given = [jax.ShapeDtypeStruct(shape, "float32") for shape in shapes]
    return bytes_accessed(jax.jit(function).lower(*given).compile().as_text())


def test_a_product_reads_its_factors_and_writes_its_result():
    assert accessed(jnp.matmul, (30, 40), (40, 50)) == F32 * (30 * 40 + 40 * 50 + 30 * 50)


def test_a_fusion_reads_what_it_is_given_once():
    assert accessed(lambda x: jnp.tanh(x) * x + x, (64, 32)) == 2 * F32 * 64 * 32


def products(steps):
    """So many products in a loop."""

    def run(h, w):
        return jax.lax.scan(lambda h, w: (jnp.sin(h @ w), None), h, w)[0]

    return accessed(run, (16, 128), (steps, 128, 128))


def test_what_is_in_a_loop_counts_as_often_as_it_runs():
    few, many = products(3), products(11)
    a_step = F32 * 128 * 128  # the matrix, at least, and little beside it
    assert 8 * a_step < many - few < 8 * 4 * a_step
    assert products(19) - many == many - few


def test_a_loop_is_as_much_as_its_steps_one_after_the_other():
    def by_hand(h, w):
        for i in range(6):
            h = jnp.sin(h @ w[i])
        return h

    unrolled = accessed(by_hand, (16, 128), (6, 128, 128))
    assert 0.5 < products(6) / unrolled < 2


def test_a_slice_that_is_updated_in_place_is_what_is_written():
    def run(x):
        def step(i, x):
            return jax.lax.dynamic_update_slice(x, jnp.sin(x[:1]), (i, 0))

        return jax.lax.fori_loop(0, 5, step, x)

    small, large = (accessed(run, (rows, 64)) for rows in (100, 1100))
    # what the loop begins with is copied, and nothing else depends on the rows
    assert large - small <= 2 * F32 * 1000 * 64


MEMORIES = """
%slices (a: f32[64,16], i: s32[]) -> f32[8,16] {
  %a = f32[64,16]{1,0:T(8,128)} parameter(0)
  %i = s32[] parameter(1)
  %zero = s32[] constant(0)
  %same = f32[64,16]{1,0:T(8,128)} bitcast(%a)
  ROOT %part = f32[8,16]{1,0:T(8,128)} dynamic-slice(%same, %i, %zero), dynamic_slice_sizes={8,16}
}

ENTRY %main (a: f32[64,16], i: s32[]) -> f32[8,16] {
  %a = f32[64,16]{1,0:T(8,128)} parameter(0)
  %i = s32[]{:T(128)S(6)} parameter(1)
  %near = f32[8,16]{1,0:T(8,128)S(1)} fusion(%a, %i), kind=kLoop, calls=%slices
  %room = f32[8,16]{1,0:T(8,128)} custom-call(), custom_call_target="AllocateBuffer"
  %start = (f32[8,16]{1,0:T(8,128)}, f32[8,16]{1,0:T(8,128)S(1)}, u32[]{:S(2)}) copy-start(%near)
  ROOT %far = f32[8,16]{1,0:T(8,128)} copy-done(%start)
}
"""


def test_the_memory_of_a_core_does_not_count_and_tiles_are_full():
    tile = F32 * 8 * 128
    read_and_written = [tile, tile]  # the slice of `a`, which `near` takes in; `far`
    assert bytes_accessed(MEMORIES) == sum(read_and_written)
    near = [tile, tile, F32]  # written by the fusion, read by the copy; the number of the slice
    assert bytes_accessed(MEMORIES, (0, 1, 6)) == sum(read_and_written + near)


def test_sizes_in_memory():
    assert [one.stored for one in arrays("bf16[3,200]{0,1:T(8,128)(2,1)}")] == [2 * 128 * 200]
    assert [one.stored for one in arrays("f32[5]{0:T(256)}, pred[], s4[6]")] == [1024, 1, 3]


def test_of_branches_the_largest_counts():
    def run(x, y):
        return jax.lax.cond(x[0, 0] > 0, lambda: jnp.sin(y @ y), lambda: y)

    large = accessed(run, (1, 1), (256, 256))
    assert 3 * F32 * 256 * 256 <= large <= 8 * F32 * 256 * 256


def test_what_is_no_program_is_refused():
    with pytest.raises(ValueError, match="program as text of HLO"):
        read("module @main {}")


def test_the_results_of_collectives_that_are_started():
    """An all-reduce gives its results alone, an all-gather its operands before them."""
    program = """
ENTRY %main (a: f32[8], b: f32[2]) -> f32[8] {
  %a = f32[8]{0} parameter(0)
  %b = f32[2]{0} parameter(1)
  %sums = (f32[8]{0}, f32[2]{0}) all-reduce-start(%a, %b), to_apply=%add
  ROOT %more = ((f32[8]{0}, f32[2]{0}), (f32[32]{0}, f32[8]{0})) all-gather-start(%a, %b)
}
"""
    assert traffic(program) == {"all-reduce": 4 * 10, "all-gather": 4 * 40}


BESIDE = """
%beginning (p: bf16[8,32]) -> (bf16[8,32], bf16[8,512], u32[]) {
  %p = bf16[8,32]{1,0} parameter(0)
  %g0 = bf16[8,512]{1,0} all-gather(%p), channel_id=7, frontend_attributes={chain_id="2"}
  ROOT %b = (bf16[8,32]{1,0}, bf16[8,512]{1,0}, u32[]) custom-call(%g0), \
custom_call_target="AsyncCollectiveStart"
}

%beside (p: bf16[8,32], q: bf16[8,512], x: f32[64]) -> (f32[64], bf16[8,32], bf16[8,512]) {
  %p = bf16[8,32]{1,0} parameter(0)
  %q = bf16[8,512]{1,0} parameter(1)
  %x = f32[64]{0} parameter(2)
  %y = f32[64]{0} negate(%x)
  %g1 = bf16[8,512]{1,0} all-gather(%p), channel_id=7, frontend_attributes={chain_id="2"}
  ROOT %t = (f32[64]{0}, bf16[8,32]{1,0}, bf16[8,512]{1,0}, bf16[8,512]{1,0}) tuple(%y, %p, %q, %g1)
}

%ending (p: bf16[8,32], q: bf16[8,512]) -> bf16[8,512] {
  %p = bf16[8,32]{1,0} parameter(0)
  %q = bf16[8,512]{1,0} parameter(1)
  %g2 = bf16[8,512]{1,0} all-gather(%p), channel_id=7, frontend_attributes={chain_id="2"}
  ROOT %d = bf16[8,512]{1,0} custom-call(%p, %q, %g2), custom_call_target="AsyncCollectiveDone"
}

ENTRY %main (w: bf16[8,32], x: f32[64]) -> bf16[8,512] {
  %w = bf16[8,32]{1,0} parameter(0)
  %x = f32[64]{0} parameter(1)
  %s = (bf16[8,32]{1,0}, bf16[8,512]{1,0}, u32[]) fusion(%w), kind=kCustom, calls=%beginning
  %w1 = bf16[8,32]{1,0} get-tuple-element(%s), index=0
  %q1 = bf16[8,512]{1,0} get-tuple-element(%s), index=1
  %f = (f32[64]{0}, bf16[8,32]{1,0}, bf16[8,512]{1,0}, bf16[8,512]{1,0}) fusion(%w1, %q1, %x), \
kind=kLoop, calls=%beside
  %w2 = bf16[8,32]{1,0} get-tuple-element(%f), index=1
  %q2 = bf16[8,512]{1,0} get-tuple-element(%f), index=2
  ROOT %r = bf16[8,512]{1,0} fusion(%w2, %q2), kind=kCustom, calls=%ending
}
"""

OFTEN = """
%body (p: bf16[8,32]) -> bf16[8,32] {
  %p = bf16[8,32]{1,0} parameter(0)
  ROOT %s5 = (bf16[8,32]{1,0}, bf16[8,512]{1,0}, u32[]) fusion(%p), calls=%beginning
}
"""


def test_a_collective_beside_fusions_counts_once():
    """The compiler of TPUs writes it into each fusion that runs meanwhile."""
    whole, part, vector = 2 * 8 * 512, 2 * 8 * 32, 4 * 64
    assert traffic(BESIDE) == {"all-gather": whole}
    assert bytes_accessed(BESIDE) == part + whole + 2 * vector
    loop = 'while(%w), body=%body, config={"known_trip_count":{"n":"5"}}'
    often = BESIDE.replace("%s = (", f"%w9 = bf16[8,32]{{1,0}} {loop}\n  %s = (") + OFTEN
    assert traffic(often) == {"all-gather": (1 + 5) * whole}


def chain(stacked):
    inputs = jkeras.Input((64, 128))
    block = layers.Dense(128, "tanh", kernel_initializer="orthogonal")
    x = inputs
    if stacked:
        x = layers.Stack(jkeras.Sequential([jkeras.Input((64, 128)), block]), 4)(x)
    else:
        for _ in range(4):
            x = layers.Dense(128, "tanh")(x)
    model = jkeras.Model(inputs, x)
    model.compile("sgd", "mse")
    return model


@pytest.mark.promise("What is in a loop counts as often as it runs")
def test_the_plan_of_stacked_layers_beside_that_of_single_ones():
    """The compiler's own account has a block of a `Stack` once."""
    stacked, single = (chain(kind).plan(32).bytes_accessed for kind in (True, False))
    assert 1 < stacked / single < 3  # what the gradient takes is copied into one array, and out
    assert single > 8 * F32 * 32 * 64 * 128  # activations, and their gradients


def test_microbatches_are_all_counted():
    model = chain(False)
    model.compile("sgd", "mse", microbatches=4)
    plain = chain(False)
    ratio = model.plan(32).bytes_accessed / plain.plan(32).bytes_accessed
    assert 0.7 < ratio < 2


def test_shapes_that_layouts_say_nothing_of():
    assert [one.stored for one in arrays("(f8e4m3fn[4], token[])")] == [4, 0]
