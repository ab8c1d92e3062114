# Written by `python -m tests.make_stubs`.
from jkeras.generation.beams import beam_search as beam_search
from jkeras.generation.cache import init_cache as init_cache
from jkeras.generation.cache import positions as positions
from jkeras.generation.generator import Generator as Generator
from jkeras.generation.sampler import Sampler as Sampler
from jkeras.generation.server import Server as Server
