"""The GPT of benchmarks/records/letters.py in PyTorch, by nanoGPT's recipe: what stands beside.

Blocks with the norm before, causal attention, exact GELU, no biases, the table of the letters used
once more for the scores. Weights of two axes decay, those of norms do not.
"""

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_1, self.norm_2 = (nn.LayerNorm(width, bias=False) for _ in range(2))
        self.query_key_value = nn.Linear(width, 3 * width, bias=False)
        self.attended = nn.Linear(width, width, bias=False)
        self.up = nn.Linear(width, 4 * width, bias=False)
        self.down = nn.Linear(4 * width, width, bias=False)

    def forward(self, x):
        split = self.query_key_value(self.norm_1(x)).chunk(3, -1)
        query, key, value = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in split)
        seen = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.attended(seen.transpose(1, 2).flatten(2))
        return x + self.down(functional.gelu(self.up(self.norm_2(x))))


class GPT(nn.Module):
    """Letters (rows, time) to scores of the next ones (rows, time, letters)."""

    def __init__(self, letters: int, length: int, width: int, heads: int, depth: int) -> None:
        super().__init__()
        self.letters, self.places = nn.Embedding(letters, width), nn.Embedding(length, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width, bias=False)
        for name, weight in self.named_parameters():
            if weight.ndim == 2:
                last = name.endswith(("attended.weight", "down.weight"))
                nn.init.normal_(weight, 0, 0.02 / math.sqrt(2 * depth) if last else 0.02)

    def forward(self, x):
        x = self.letters(x) + self.places.weight[: x.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.norm(x) @ self.letters.weight.T


def loss_of(model: GPT, x: np.ndarray, y: np.ndarray) -> torch.Tensor:
    """Mean cross-entropy in nats."""
    scores = model(torch.from_numpy(x)).flatten(0, 1)
    return functional.cross_entropy(scores, torch.from_numpy(y).flatten())


@torch.no_grad()
def evaluated(model: GPT, x: np.ndarray, y: np.ndarray) -> float:
    """The loss of rows that are a multiple of 100."""
    parts = zip(x.reshape(-1, 100, *x.shape[1:]), y.reshape(-1, 100, *y.shape[1:]))
    return float(np.mean([loss_of(model, *part).item() for part in parts]))


def rates(steps: int, warm_up: int, highest: float, lowest: float) -> np.ndarray:
    """Of each step: a rise in a line, then half a cosine."""
    step = np.arange(steps)
    rise = (step + 1) / (warm_up + 1)
    fall = 0.5 + 0.5 * np.cos(np.pi * (step - warm_up) / (steps - warm_up))
    return np.where(step < warm_up, highest * rise, lowest + (highest - lowest) * fall)


def optimizer_of(model: GPT, decay: float) -> torch.optim.Optimizer:
    """AdamW; its rate is set at each step."""
    matrices = [weight for weight in model.parameters() if weight.ndim == 2]
    norms = [weight for weight in model.parameters() if weight.ndim < 2]
    groups = [{"params": matrices, "weight_decay": decay}, {"params": norms, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, betas=(0.9, 0.99), eps=1e-8)


def train(model: GPT, optimizer: torch.optim.Optimizer, x, y, rates) -> None:
    """One step for each batch (steps, rows, time) at its rate."""
    for one_x, one_y, rate in zip(x, y, rates, strict=True):
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = loss_of(model, one_x, one_y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
