"""The layer contract, and what a layer is seen as: pure functions, a Keras object, plain data."""

from jkeras.core.layer.contract import Composite as Composite
from jkeras.core.layer.contract import Layer as Layer
from jkeras.core.layer.contract import StatefulLayer as StatefulLayer
from jkeras.core.layer.contract import layer as layer
