"""PyTorch on CPU: modules, channels first, the usual eager loop."""

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

torch.set_num_threads(1)


def mlp(work):
    sizes = (*work.shape, *work.units)
    layers = [layer for a, b in zip(sizes, sizes[1:]) for layer in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*layers), sizes[-1]


def cnn(work):
    body = nn.Sequential(
        nn.Conv2d(work.shape[-1], 32, 3),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
    )
    return body, ((work.shape[0] - 4) // 2) ** 2 * 64


class MeanOver(nn.Module):
    """The mean over some axes."""

    def __init__(self, *axes):
        super().__init__()
        self.axes = axes

    def forward(self, x):
        return x.mean(self.axes)


def separable(work):
    layers = [nn.Conv2d(work.shape[-1], 32, 3, padding=1), nn.ReLU()]
    for filters in (32, 64):
        layers += [
            nn.Conv2d(32, 32, 3, padding=1, groups=32, bias=False),
            nn.Conv2d(32, filters, 1),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers, MeanOver(2, 3)), 64


def normed(channels, filters, size=3, stride=1):
    return nn.Sequential(
        nn.Conv2d(channels, filters, size, stride, size // 2, bias=False),
        nn.BatchNorm2d(filters, eps=1e-3, momentum=0.01),
    )


class Block(nn.Module):
    def __init__(self, channels, filters, stride):
        super().__init__()
        self.a, self.b = normed(channels, filters, stride=stride), normed(filters, filters)
        self.short = normed(channels, filters, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, x):
        return torch.relu(self.short(x) + self.b(torch.relu(self.a(x))))


def resnet(work):
    return nn.Sequential(
        normed(work.shape[-1], 16),
        nn.ReLU(),
        Block(16, 16, 1),
        Block(16, 32, 2),
        Block(32, 64, 2),
        MeanOver(2, 3),
    ), 64


class LSTM(nn.Module):
    def __init__(self, vocabulary):
        super().__init__()
        self.embedding, self.lstm = nn.Embedding(vocabulary, 64), nn.LSTM(64, 64, batch_first=True)

    def forward(self, x):
        return self.lstm(self.embedding(x))[0][:, -1]


def lstm(work):
    return LSTM(work.vocabulary), 64


def transformer(work):
    blocks = [
        nn.TransformerEncoderLayer(
            128,
            4,
            512,
            dropout=0.0,
            activation="gelu",
            layer_norm_eps=1e-3,
            batch_first=True,
            norm_first=True,
        )
        for _ in range(2)
    ]
    return nn.Sequential(*blocks, MeanOver(1)), 128


def network(work):
    body, features = globals()[work.network](work)
    return nn.Sequential(body, nn.Linear(features, work.classes))


def tensor(x):
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, -1, 1)) if x.ndim == 4 else x)


def fit(work, x, y):
    model = network(work)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    x, y = tensor(x), torch.from_numpy(y).long()

    def run():
        for _ in range(work.epochs):
            order, losses, right = torch.randperm(len(x)), 0.0, 0.0
            for rows in order.split(work.batch):
                optimizer.zero_grad()
                logits = model(x[rows])
                loss = cross_entropy(logits, y[rows])
                loss.backward()
                optimizer.step()
                losses += loss.detach()
                right += (logits.argmax(-1) == y[rows]).float().mean()
        steps = len(order.split(work.batch))
        return {"loss": float(losses) / steps, "accuracy": float(right) / steps}

    return run


def predict(work):
    model = network(work).eval()

    @torch.inference_mode()
    def call(x):
        return model(tensor(x)).numpy()

    return call
