# Written by `python -m tests.make_stubs`.
from typing import Any
from jkeras.datasets import boston_housing as boston_housing
from jkeras.datasets import california_housing as california_housing
from jkeras.datasets import cifar10 as cifar10
from jkeras.datasets import cifar100 as cifar100
from jkeras.datasets import digits as digits
from jkeras.datasets import fashion_mnist as fashion_mnist
from jkeras.datasets import imdb as imdb
from jkeras.datasets import mnist as mnist
from jkeras.datasets import reuters as reuters
