"""A deep Q-network learns CartPole: `CartPole-v1` of gymnasium is solved at a mean return of 475.

Mnih et al. (2015), with the target of two networks (van Hasselt et al. 2016). The pole is that of
Barto, Sutton and Anderson (1983); `examples/actor_critic.py` has its equations in JAX, checked here
step by step against gymnasium. The environment, the memory of past steps and the training are one
`lax.scan`, all seeds one program. Policies come and go; the best of 25 is judged by new episodes.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jkeras
from benchmarks.records.record import Record, Row, over
from examples.actor_critic import LIMIT, World, act, begin
from jkeras import layers

SEEDS, STEPS, WORLDS, BATCH, MEMORY = 5, 50_000, 8, 128, 50_000
DISCOUNT, RATE, SLOW, LEAST_RANDOM = 0.99, 1e-3, 0.05, 0.2
SCALES = (1.0, 1.0, 0.1, 1.0)  # of position, speed, angle and angular speed
EXPLORED, EPISODES, SOLVED, PARTS = 2500, 100, 475, 25


def surprise(apply: Any, params: Any, slow: Any, past: dict) -> Any:
    """The mean squared error of the expected returns of past steps, 1 at most."""
    chosen = apply(params, past["after"]).argmax(-1, keepdims=True)
    later = jnp.take_along_axis(apply(slow, past["after"]), chosen, -1)[:, 0]
    target = jax.lax.stop_gradient(1 - DISCOUNT + DISCOUNT * jnp.where(past["fell"], 0.0, later))
    expected = jnp.take_along_axis(apply(params, past["body"]), past["action"][:, None], -1)[:, 0]
    # the limit of 500 steps ends an episode and no return: nothing is known of such a step
    return (past["known"] * (expected - target) ** 2).mean()


def played(apply: Any, params: Any, worlds: World, random: Any, key: Any) -> tuple:
    """(the worlds after a step, of which a share is random; what is remembered of it)."""
    keys = jax.random.split(key, WORLDS + 2)
    best = apply(params, worlds.body).argmax(-1)
    tossed = jax.random.bernoulli(keys[0], 0.5, (WORLDS,))
    action = jnp.where(jax.random.bernoulli(keys[1], random, (WORLDS,)), tossed, best)
    after, fell, over = jax.vmap(act)(worlds, action, keys[2:])
    about = {"body": worlds.body, "action": action, "after": after.body, "fell": fell}
    return after, about | {"known": fell | ~over}


def returns(apply: Any, params: Any, key: Any) -> Any:
    """The mean return of episodes of the policy without random actions."""
    keys = jax.random.split(key, EPISODES)

    def step(carry, _):
        worlds, up = carry
        after, fell, _ = jax.vmap(act)(worlds, apply(params, worlds.body).argmax(-1), keys)
        return (after, up & ~fell), up

    first = jax.vmap(begin)(keys), jnp.ones(EPISODES, bool)
    return jax.lax.scan(step, first, None, LIMIT)[1].sum(0).mean()


def of_seed() -> Any:
    """A function of a key: mean returns, after each part and of the best policy in new episodes."""
    scaled = layers.Normalization(mean=np.zeros(4), variance=np.square(SCALES))
    dense = [layers.Dense(64, "relu"), layers.Dense(64, "relu"), layers.Dense(2)]
    model = jkeras.Sequential([jkeras.Input((4,)), scaled, *dense])
    optimizer = jkeras.optimizers.Adam(jkeras.optimizers.schedules.CosineDecay(RATE, STEPS))
    apply = lambda params, body: model.apply(params, {}, body)[0]

    def step(carry, given):
        number, key = given
        (params, slow, opt_state, worlds, memory), keys = carry, jax.random.split(key)
        random = jnp.maximum(LEAST_RANDOM, 1 - number / EXPLORED)
        worlds, about = played(apply, params, worlds, random, keys[0])
        places = (number * WORLDS + jnp.arange(WORLDS)) % MEMORY
        memory = jax.tree.map(lambda all_, new: all_.at[places].set(new), memory, about)
        rows = jax.random.randint(keys[1], (BATCH,), 0, jnp.minimum((number + 1) * WORLDS, MEMORY))
        past = jax.tree.map(lambda all_: all_[rows], memory)
        grads = jax.grad(lambda params: surprise(apply, params, slow, past))(params)
        params, opt_state = optimizer.step(grads, opt_state, params)
        slow = jax.tree.map(lambda old, new: (1 - SLOW) * old + SLOW * new, slow, params)
        return (params, slow, opt_state, worlds, memory), None

    def run(key):
        keys = jax.random.split(key, STEPS + 4)
        params, _ = model.init(keys[0], jnp.zeros((1, 4)))
        worlds = jax.vmap(begin)(jax.random.split(keys[1], WORLDS))
        _, about = played(apply, params, worlds, 1.0, key)
        memory = jax.tree.map(lambda new: jnp.zeros((MEMORY, *new.shape[1:]), new.dtype), about)

        def part(carry, given):
            carry, _ = jax.lax.scan(step, carry, given)
            return carry, (carry[1], returns(apply, carry[1], keys[2]))

        given = jnp.arange(STEPS).reshape(PARTS, -1), keys[4:].reshape(PARTS, -1)
        carry = params, params, optimizer.init(params), worlds, memory
        _, (policies, means) = jax.lax.scan(part, carry, given)
        best = jax.tree.map(lambda leaf: leaf[means.argmax()], policies)
        return means, returns(apply, best, keys[3])

    return run


def differences() -> float:
    """The largest one from gymnasium's bodies, over 20 episodes; infinite where one fell alone."""
    import gymnasium

    env, push, found = gymnasium.make("CartPole-v1").unwrapped, jax.jit(act), []
    random = np.random.default_rng(0)
    for seed in range(20):
        (body, _), over = env.reset(seed=seed), False
        world = World(jnp.asarray(body), jnp.zeros((), "int32"))
        while not over:
            found.append(np.abs(world.body - body).max())
            action = int(random.integers(2))
            world, fell, _ = push(world, action, jax.random.key(0))
            body, _, over, _, _ = env.step(action)
            found.append(0.0 if bool(fell) == over else np.inf)
    return max(found)


def measure() -> tuple[list[Row], dict]:
    run = jax.jit(jax.vmap(of_seed()))
    found, best = map(np.asarray, run(jax.random.split(jax.random.key(0), SEEDS)))
    rows = [
        Row("largest difference of the equations from gymnasium's", differences(), most=1e-5),
        over("mean return, the best policy on the way", best, published=SOLVED, least=SOLVED),
        over("mean return, the policy in the end", found[:, -1], least=400),
    ]
    return rows, {"returns": found.round(1).tolist()}


def draw(figure: Any, data: dict) -> None:
    """The returns of each seed over the training."""
    axes, pushes = figure.subplots(), STEPS * WORLDS / PARTS * (1 + np.arange(PARTS))
    axes.axhline(SOLVED, color="0.7")
    axes.plot(pushes / 1000, np.transpose(data["returns"]), linewidth=1)
    axes.set(xlabel="thousands of steps of the pole", ylabel="mean return (solved: 475)")


RECORD = Record(
    group="papers",
    title="A deep Q-network solves CartPole",
    about="Environment, memory and training are one `lax.scan`, and five seeds one program.",
    packages=(),
    licence="no data",
    source="Mnih et al., Nature 2015; solved at 475: gymnasium 1.4.0, CartPole-v1",
    measure=measure,
    minutes=2,
    needs=("gymnasium",),
    draw=draw,
)
