"""A neural ordinary differential equation: layers of jkeras as the vector field of diffrax.

Chen et al. (2018): the derivative of a state is a network of it, a solver gives the state at any
time, and the gradient of what follows is itself the solution of an equation, the adjoint one, which
runs backwards and keeps nothing. Here the network learns a spiral, y' = A y³, as in their code's
demonstration, from short pieces of one curve; it is judged on curves that begin elsewhere.

`network.pair()` gives the two functions; seeds are a `vmap` of the whole training.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.records.record import Record, Row, largest_difference, over

SEEDS, STEPS, BATCH, PIECE, RATE = 5, 2000, 32, 20, 1e-2
POINTS, UNTIL = 1000, 10.0
SPIRAL = np.array([[-0.1, 2.0], [-2.0, -0.1]], "float32")
FIRST = np.array([2.0, 0.0], "float32")


def true_field(t: Any, y: Any, args: Any = None) -> Any:
    """The derivative of a spiral at y (2,)."""
    return y**3 @ SPIRAL


def network() -> Any:
    """y (batch, 2) -> its derivative."""
    import jkeras
    from jkeras import layers

    cubes, hidden = layers.Lambda(lambda y: y**3), layers.Dense(50, "tanh")
    return jkeras.Sequential([jkeras.Input((2,)), cubes, hidden, layers.Dense(2)])


def field_of(net: Any) -> Any:
    """The network as diffrax wants a vector field: a function of time, state and params."""
    apply = net.pair().apply
    return lambda t, y, params: apply(params, {}, y)[0]


def curve(field: Any, args: Any, first: Any, times: Any, **given: Any) -> Any:
    """(times, …): the solution that begins there, by a method of order 5 (Tsitouras 2011)."""
    import diffrax

    given = {"stepsize_controller": diffrax.PIDController(1e-6, 1e-8), "max_steps": 16_384} | given
    term, save, step = diffrax.ODETerm(field), diffrax.SaveAt(ts=times), times[1] - times[0]
    span = times[0], times[-1], step
    return diffrax.diffeqsolve(term, diffrax.Tsit5(), *span, first, args, saveat=save, **given).ys


def of_seed(net: Any, times: Any, true: Any) -> Any:
    """A function of a key: params that follow pieces of a curve."""
    import diffrax

    import jkeras

    optimizer = jkeras.optimizers.Adam(jkeras.optimizers.schedules.CosineDecay(RATE, STEPS))
    constant, field = diffrax.ConstantStepSize(), field_of(net)

    def step(carry, key):
        begins = jax.random.randint(key, (BATCH,), 0, POINTS - PIECE)
        wanted = true[begins[None] + jnp.arange(PIECE)[:, None]]

        def loss(params):
            found = curve(field, params, wanted[0], times[:PIECE], stepsize_controller=constant)
            return jnp.abs(found - wanted).mean()

        return optimizer.step(jax.grad(loss)(carry[0]), carry[1], carry[0]), None

    def run(key):
        params, _ = net.pair().init(key, FIRST[None])
        keys = jax.random.split(key, STEPS)
        return jax.lax.scan(step, (params, optimizer.init(params)), keys)[0][0]

    return run


def gradients(field: Any, params: Any, first: Any, times: Any) -> list:
    """Those of how far the end is from the origin: of JAX's own solver, by the adjoint equation
    and through the solver.
    """
    import diffrax
    from jax.experimental.ode import odeint

    ends = [lambda params: odeint(lambda y, t: field(t, y, params), first, times)[-1]]
    for adjoint in (diffrax.BacksolveAdjoint(), diffrax.RecursiveCheckpointAdjoint()):
        ends.append(lambda params, a=adjoint: curve(field, params, first, times, adjoint=a)[-1])
    size = lambda end: lambda params: (end(params) ** 2).sum()
    return [jax.jit(jax.grad(size(end)))(params) for end in ends]


def relative(one: Any, other: Any) -> float:
    """The largest difference, in units of the largest entry."""
    zeros = jax.tree.map(jnp.zeros_like, other)
    return largest_difference(one, other) / largest_difference(other, zeros)


def measure() -> tuple[list[Row], dict]:
    net = network()
    field, times = field_of(net), jnp.linspace(0.0, UNTIL, POINTS)
    true = curve(true_field, None, FIRST, times)
    keys = jax.random.split(jax.random.key(0), SEEDS)
    params = jax.jit(jax.vmap(of_seed(net, times, true)))(keys)
    # curves that begin within the spiral, nearer to its center
    begins = jnp.asarray([[2.0, 0.0], [1.5, 0.0], [0.0, 1.2], [-1.0, 1.0]])
    wanted = curve(true_field, None, begins, times)
    found = jax.jit(jax.vmap(lambda params: curve(field, params, begins, times)))(params)
    errors = np.abs(found - wanted).mean((1, 3))  # (seeds, curves)
    one = jax.tree.map(lambda leaf: leaf[0], params)
    others, adjoint, through = gradients(field, one, begins, times[:200])
    rows = [
        Row("difference of the adjoint equation's gradient", relative(adjoint, through), most=1e-3),
        Row("difference of JAX's own solver's", relative(others, through), most=1e-3),
        over("mean error on the curve, of 10 s from pieces of 0.2 s", errors[:, 0], most=0.2),
        over("mean error on three curves that begin elsewhere", errors[:, 1:].mean(1), most=0.1),
    ]
    curves = {"true": wanted[::3, :2], "found": found[0, ::3, :2]}
    return rows, {name: np.round(each, 3).tolist() for name, each in curves.items()}


def draw(figure: Any, data: dict) -> None:
    """Two spirals, as they are and as the network has them."""
    true, found = (np.array(data[name]) for name in ("true", "found"))
    for number, axes in enumerate(figure.subplots(1, 2)):
        axes.plot(*true[:, number].T, color="0.7", linewidth=3, label="y' = A y³")
        axes.plot(*found[:, number].T, linewidth=1, label="the network")
        axes.set(aspect="equal", title=("trained on", "not trained on")[number])
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)


RECORD = Record(
    group="papers",
    title="A neural differential equation: layers as the vector field of diffrax",
    about="The gradient by the adjoint equation is that through the solver; a network learns a "
    "spiral from short pieces, five seeds in one program.",
    packages=(),
    licence="no data",
    source="Chen et al., NeurIPS 2018; Kidger 2021, arXiv:2202.02435 (diffrax)",
    measure=measure,
    minutes=1,
    needs=("diffrax",),
    draw=draw,
)
