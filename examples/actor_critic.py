"""Actor and critic learn to balance a pole, in an environment that is itself a compiled function.

The physics are those of CartPole (Barto, Sutton and Anderson, 1983; 500 steps at most), written in
JAX. So 32 environments side by side (`vmap`), 128 steps of each (`scan`), the gradient, the step of
the optimizer and all updates one after the other (`scan` again) are one program, which never
returns to Python. The method is A2C (Mnih et al., 2016) with generalized advantages (Schulman et
al., 2016). Run it with `python examples/actor_critic.py`.
"""

import typing

import jax
import jax.numpy as jnp

import jkeras
from jkeras import layers

GRAVITY, CART, POLE, HALF_LENGTH, FORCE, TICK = 9.8, 1.0, 0.1, 0.5, 10.0, 0.02
LIMIT = 500
ENVIRONMENTS, HORIZON = 32, 128
DISCOUNT, TRACE = 0.99, 0.95


class World(typing.NamedTuple):
    """A cart with a pole: position, speed, angle and angular speed (4,), and how many steps it has
    been up.
    """

    body: jax.Array
    age: jax.Array


def begin(key):
    """A pole that stands nearly upright."""
    return World(jax.random.uniform(key, (4,), minval=-0.05, maxval=0.05), jnp.zeros((), "int32"))


def act(world, action, key):
    """(the world after a push to the left, 0, or right, 1; whether it fell; whether it was begun
    anew).
    """
    position, speed, angle, turning = world.body
    total = CART + POLE
    push = (
        jnp.where(action == 1, FORCE, -FORCE) + POLE * HALF_LENGTH * turning**2 * jnp.sin(angle)
    ) / total
    bend = (GRAVITY * jnp.sin(angle) - jnp.cos(angle) * push) / (
        HALF_LENGTH * (4 / 3 - POLE * jnp.cos(angle) ** 2 / total)
    )
    pull = push - POLE * HALF_LENGTH * bend * jnp.cos(angle) / total
    body = jnp.stack(
        [
            position + TICK * speed,
            speed + TICK * pull,
            angle + TICK * turning,
            turning + TICK * bend,
        ]
    )
    fell = (jnp.abs(body[0]) > 2.4) | (jnp.abs(body[2]) > 12 * jnp.pi / 180)
    over = fell | (world.age + 1 >= LIMIT)
    after = World(body, world.age + 1)
    return jax.tree.map(lambda new, old: jnp.where(over, new, old), begin(key), after), fell, over


def network():
    """Body (batch, 4) -> logits of the two actions, and the value of the state."""
    body = jkeras.Input((4,))
    actor, critic = (
        layers.Dense(64, activation="tanh")(layers.Dense(64, activation="tanh")(body))
        for _ in range(2)
    )
    value = 100 * layers.Dense(1)(critic)[:, 0]  # as much as discounted steps come to
    return jkeras.Model(body, [layers.Dense(2)(actor), value])


def play(apply, params, worlds, key):
    """`HORIZON` steps of all worlds: (the worlds after them, a record with axes (time, world))."""

    def step(worlds, key):
        keys = jax.random.split(key, ENVIRONMENTS + 1)
        logits, _ = apply(params, worlds.body)
        action = jax.random.categorical(keys[0], logits)
        after, fell, over = jax.vmap(act)(worlds, action, keys[1:])
        return after, {
            "body": worlds.body,
            "action": action,
            "fell": fell,
            "over": over,
            "age": worlds.age + 1,
        }

    return jax.lax.scan(step, worlds, jax.random.split(key, HORIZON))


def advantages(values, last, fell, over):
    """How much better than expected each step went; each step up is worth 1. (time, world)."""
    following = jnp.concatenate([values[1:], last[None]])
    # the limit ends an episode and no value: there the expected value stands for what would have
    # come
    following = jnp.where(over & ~fell, values, following)
    surprise = 1 + DISCOUNT * jnp.where(fell, 0, following) - values

    def back(advantage, step):
        surprise, over = step
        advantage = surprise + DISCOUNT * TRACE * jnp.where(over, 0, advantage)
        return advantage, advantage

    return jax.lax.scan(back, jnp.zeros_like(last), (surprise, over), reverse=True)[1]


def train(updates, rate=3e-3, seed=0):
    """The mean length of the episodes that ended in each update, 0 where none did: (updates,)."""
    model = network()
    params, state = model.init(jax.random.key(seed), jax.ShapeDtypeStruct((1, 4), "float32"))
    optimizer = jkeras.optimizers.Adam(
        jkeras.optimizers.schedules.CosineDecay(rate, updates), global_clipnorm=0.5
    )
    apply = lambda params, body: model.apply(params, state, body)[0]

    def loss(params, record, last_body):
        # (time, world, …)
        logits, values = jax.vmap(lambda body: apply(params, body))(record["body"])
        _, last = apply(params, last_body)
        gain = jax.lax.stop_gradient(advantages(values, last, record["fell"], record["over"]))
        target = jax.lax.stop_gradient(gain + values)
        log_chances = jax.nn.log_softmax(logits)
        chosen = jnp.take_along_axis(log_chances, record["action"][..., None], axis=-1)[..., 0]
        entropy = -(jnp.exp(log_chances) * log_chances).sum(-1).mean()
        gain = (gain - gain.mean()) / (gain.std() + 1e-6)
        return (
            -(chosen * gain).mean()
            + 0.5 * ((values - target) ** 2).mean() / LIMIT
            - 0.005 * entropy
        )

    def update(carry, key):
        params, opt_state, worlds = carry
        worlds, record = play(apply, params, worlds, key)
        grads = jax.grad(loss)(params, record, worlds.body)
        params, opt_state = optimizer.step(grads, opt_state, params)
        ended = record["over"].sum()
        return (params, opt_state, worlds), jnp.where(
            record["over"], record["age"], 0
        ).sum() / jnp.maximum(ended, 1)

    first, rest = jax.random.split(jax.random.key(seed + 1))
    worlds = jax.vmap(begin)(jax.random.split(first, ENVIRONMENTS))
    run = jax.jit(lambda carry: jax.lax.scan(update, carry, jax.random.split(rest, updates)))
    return run((params, optimizer.init(params), worlds))[1]


def main(updates=500, shown=10):
    """Trains; prints and returns the mean length of episodes in the first updates and in the
    last.
    """
    lengths = train(updates)
    found = []
    for chosen in (lengths[:shown], lengths[-shown:]):
        found.append(float(chosen.sum() / jnp.maximum((chosen > 0).sum(), 1)))
    print(
        "the pole was up for {:.1f} steps in the first {n} updates, {:.1f} in the last".format(
            *found, n=shown
        )
    )
    return tuple(found)


if __name__ == "__main__":
    main()
