"""A language model that knows nothing learns to count, from rewards alone.

It is given a digit, writes answers of random digits, and a Python function says how many of them
are right: each should be the next one. Of each group of answers to a digit those that are better
than the others become likelier: group relative policy optimization (GRPO). `fit` has new answers
written at the beginning of each epoch. A penalty for going far from the first model keeps it
trying: without one it soon writes the same answer each time, and the rest of the digits is never
found. Run it with `python examples/rewards.py`.
"""

import numpy as np

import jkeras
from jkeras import alignment, layers

DIGITS, LENGTH, WIDTH = 10, 6, 32  # of an answer with its prompt: LENGTH tokens


def make_model():
    """(batch, time) digits -> logits of the next ones."""
    tokens = jkeras.Input((None,), dtype="int32")
    x = layers.Embedding(DIGITS, WIDTH)(tokens)
    y = layers.RMSNormalization()(x)
    x = x + layers.MultiHeadAttention(2, WIDTH // 2)(y, y, use_causal_mask=True)
    x = x + layers.Dense(WIDTH)(layers.Dense(2 * WIDTH, "gelu")(layers.RMSNormalization()(x)))
    return jkeras.Model(tokens, layers.Dense(DIGITS)(layers.RMSNormalization()(x)))


def reward(prompts, answers):
    """For each answer the share of digits that are one more than the one before, 0 after 9."""
    texts = [np.concatenate([prompt, answer]) for prompt, answer in zip(prompts, answers)]
    return [float(np.mean((text[:-1] + 1) % DIGITS == text[1:])) for text in texts]


def main(epochs=80, seed=0):
    """Prints and returns the mean reward of the first epoch and of the last, and the share of
    greedy answers that are right.
    """
    jkeras.utils.set_random_seed(seed)
    model, first = make_model(), make_model()
    first.set_weights(model.get_weights())
    grpo = alignment.GRPO(model, reference=first, beta=0.05)
    grpo.compile(jkeras.optimizers.Adam(5e-3))
    digits = [[digit] for digit in range(DIGITS)]
    rollouts = grpo.rollouts(
        digits, reward, max_length=LENGTH, num_generations=32, num_iterations=2, seed=seed
    )
    rewards = grpo.fit(rollouts, epochs=epochs, verbose=0).history["reward"]
    for epoch in range(0, epochs, 10):
        print(f"epoch {epoch + 1}: mean reward {rewards[epoch]:.3f}")
    answers = model.generate(digits, LENGTH)
    right = float(np.mean([reward([a[:1]], [a[1:]])[0] == 1 for a in answers]))
    print(f"mean reward {rewards[0]:.3f} at first, {rewards[-1]:.3f} at last")
    print(f"answer to 7: {answers[7][1:].tolist()}; {right:.2f} of the digits are answered rightly")
    return rewards[0], rewards[-1], right


if __name__ == "__main__":
    main()
