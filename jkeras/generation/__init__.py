"""`jkeras.generation`: text after prompts as pure functions; what attention keeps is a value."""

from jkeras.core.names.exports import exported
from jkeras.generation.beams import beam_search
from jkeras.generation.cache import init_cache, positions
from jkeras.generation.completion import Completion
from jkeras.generation.generator import Generator
from jkeras.generation.http.app import http_app
from jkeras.generation.http.guard import HttpLimits
from jkeras.generation.paged.cache import PagedCache, init_paged_cache
from jkeras.generation.grammar import Grammar
from jkeras.generation.processors import (
    LogitBias,
    MinNewTokens,
    NoRepeatNGrams,
    OutputPenalties,
    RepetitionPenalty,
    Text,
)
from jkeras.generation.sampler import Sampler
from jkeras.generation.sampling_params import SamplingParams
from jkeras.generation.server import Server
from jkeras.generation.serving.counters import ServerCounters
from jkeras.generation.serving.errors import (
    DeviceFailedError,
    RequestCancelledError,
    ServerClosedError,
    ServerFullError,
)
from jkeras.generation.serving.options import ServerOptions
from jkeras.generation.serving.request import Request
from jkeras.generation.speculative import SpeculativeGenerator

__all__ = exported(globals())
