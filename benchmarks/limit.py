"""What a core could do: the arithmetic of works, and the pace of one large float32 product.

    python -m benchmarks.limit [--quick] < WORKS

Reads a list of works as JSON; prints {"peak": operations a second, "seconds": {work: of what its
`count` counts, at that pace}}. Operations are those of the hand-written step before XLA changes it,
which are the same for all peers. XLA counts the body of a loop once, so the LSTM's loop is
unrolled.
"""

import dataclasses
import json
import sys

from benchmarks.work import Work
from benchmarks.worker import settle, timed


def operations(work):
    """How many floating-point operations one of what the work counts takes; None without a
    hand-written step.
    """
    if work.kind not in ("fit", "epoch", "predict") or "jitted" not in work.peers:
        return None
    length = work.shape[0] if work.network == "lstm" else 1
    lowered = step_of(dataclasses.replace(work, unroll=length))
    return lowered.cost_analysis()["flops"] * (work.steps if work.kind == "epoch" else 1)


def step_of(work):
    """The hand-written step of a work, or its forward pass of one row, not compiled."""
    import jax
    import jax.numpy as jnp
    import optax

    from benchmarks.peers.plain import forward, make_step, start

    params, stats = jax.eval_shape(lambda: start(work))
    rows = 1 if work.kind == "predict" else work.batch
    kind = "float32" if work.vocabulary is None else "int32"
    x = jax.ShapeDtypeStruct((rows, *work.shape), kind)
    if work.kind == "predict":
        return jax.jit(lambda params, x: forward(work, params, stats, x)[0]).lower(params, x)
    optimizer = optax.adam(1e-3)
    state = params, stats, jax.eval_shape(optimizer.init, params), jnp.zeros(2)
    y = jax.ShapeDtypeStruct((rows,), "int32")
    return jax.jit(make_step(work, optimizer)).lower(state, x, y)


def peak(size, times=10):
    """Operations a second of a product of two matrices: the better of XLA and numpy."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    product, x = jax.jit(jnp.matmul), jnp.ones((size, size))
    y = np.ones((size, size), "float32")
    least = float("inf")
    for _ in range(times):
        for run in (lambda: product(x, x).block_until_ready(), lambda: y @ y):
            least = min(least, timed(run)[0]["cpu_s"])
    return 2 * size**3 / least


def main(quick):
    works = [Work.read(json.dumps(one)) for one in json.load(sys.stdin)]
    counted = {work.name: operations(work) for work in works}
    pace = peak(512 if quick else 2048)
    seconds = {name: count / pace for name, count in counted.items() if count}
    print(json.dumps({"peak": pace, "seconds": seconds}))


if __name__ == "__main__":
    settle()
    main("--quick" in sys.argv)
