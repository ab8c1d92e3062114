"""Server: many prompts through a few slots, each refilled as its text ends."""

import dataclasses
import numbers
import threading
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any

import jax
import numpy as np

from jkeras.core.errors import explain
from jkeras.core.names.registry import public
from jkeras.core.session.settings import default_seed
from jkeras.generation.generator import Generator
from jkeras.generation.prompts import Prompts
from jkeras.generation.sampler import Sampler
from jkeras.generation.sampling_params import SamplingParams, params_of
from jkeras.generation.serving.counters import ServerCounters
from jkeras.generation.serving.engine import Engine
from jkeras.generation.serving.errors import ServerClosedError
from jkeras.generation.serving.job import Job
from jkeras.generation.serving.options import ServerOptions, check_count
from jkeras.generation.serving.paged_slots import PagedPrograms, PagedSlots
from jkeras.generation.serving.progress import Progress
from jkeras.generation.serving.request import Request
from jkeras.generation.serving.slots import Slots
from jkeras.generation.serving.source import OVER, Source
from jkeras.generation.serving.transcript import Transcript
from jkeras.generation.texts import decoder_of, encode

Tree = Any


@public("jkeras.generation.Server")
class Server:
    """Writes on after many prompts at once: a slot whose text has ended takes the next prompt while
    the others go on (continuous batching, Yu et al. 2022, OSDI).

    Each text is the one that its prompt alone would give. Requests come from any thread by
    `submit`, and are written by a thread of the server's own inside of `with`, or by hand, one
    dispatch at a time, by `step`. What is wrong with a request is its own error, and no other's.

    Args:
        generator: a `Generator`.
        slots: how many texts are written at the same time.
        steps: at most so many tokens are written before new requests are looked for.
        params: of the model, by default `generator.model.params`.
        tokenizer: for prompts and stops that are texts, and `Request.text`; as of `model.generate`.
        options: how it is laid out.

    Raises:
        ValueError: fewer than one slot or step.

    >>> import jkeras
    >>> tokens = jkeras.Input((None,), dtype="int32")
    >>> model = jkeras.Model(tokens, jkeras.layers.Embedding(20, 20)(tokens))
    >>> server = Server(Generator(model, max_length=6), slots=2)
    >>> texts = dict(server(model.params, [[1, 2], [3], [4, 5, 6]]))
    >>> sorted(texts), texts[1].shape
    ([0, 1, 2], (6,))
    >>> with server:
    ...     requests = [server.submit(prompt) for prompt in ([1, 2], [3])]
    ...     [len(request.result().tokens) for request in requests]
    [6, 6]
    """

    def __init__(
        self,
        generator: Generator,
        slots: int = 8,
        steps: int = 16,
        *,
        params: Tree = None,
        tokenizer: Any = None,
        options: ServerOptions = ServerOptions(),  # noqa: B008 (it is frozen)
    ) -> None:
        check_count("Server", "slots", slots)
        check_count("Server", "steps", steps)
        self.generator, self.slots, self.steps = generator, slots, steps
        self.options, self.tokenizer = options, tokenizer
        self._programs = PagedPrograms(generator, steps)
        self._params = params
        self._engine: Engine | None = None
        self._begins = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_closed = False  # after `with`: nobody would write

    # ------------------------------------------------------------ requests

    def submit(
        self,
        prompt: Sequence[int] | str,
        params: SamplingParams | Sampler | None = None,
        *,
        stop: Sequence[str] | str = (),
        sample: int = 0,
        timeout: float | None = 0.0,
    ) -> Request:
        """Asks for a text; any thread may.

        Args:
            prompt: tokens, or a text where there is a tokenizer.
            params: `SamplingParams`; None: the generator's sampler. Without a `seed` the text
                follows from one that is drawn, which `request.params` has.
            stop: texts that end it, and do not belong to `request.text`.
            sample: 0, 1, ... for several texts of one prompt and seed.
            timeout: so many seconds are waited for room in the queue; None: without an end.

        Returns:
            The handle. What is wrong with the prompt or the params is `request.error`, which
            `result` raises.

        Raises:
            ServerFullError: there is no room in the queue.
            ServerClosedError: the server was closed, or its device failed for good.
        """
        if self._is_closed:
            raise ServerClosedError("Server: it is closed; `with` opens it again.")
        engine = self._begun()
        job, error = self._job(prompt, params, (stop, sample))
        given, has_text = (job.prompt, job.params), job.transcript is not None
        request = Request(*given, job.progress, lambda: engine.cancel(job), has_text)
        self._add(engine, job, error, timeout)
        return request

    def _job(
        self, prompt: Any, params: Any, others: tuple[Any, int], rng: Any = None
    ) -> tuple[Job, Exception | None]:
        """(what a request asks for, what is wrong with it).

        Args:
            others: `stop` and `sample` of `submit`.
            rng: what is sampled follows from it, where `params` have no seed.
        """
        stop, sample = others
        progress, now = Progress(), self.options.clock()
        try:
            tokens = self._tokens(prompt)
            params = self._sampling(params, rng)
            transcript = self._transcript(tokens, stop, params)
            given = Prompts.checked(tokens[None], None, self.generator.max_length, "right")
            given.check_tokens(self.generator.limits, [params])
            _check_sample(sample)
        except (ValueError, TypeError, OverflowError) as error:
            nothing = np.zeros(0, "int32"), SamplingParams()
            return Job(*nothing, 0, 0, progress, None, now), error
        tokens = tokens.astype("int32")
        return Job(tokens, params, rng, sample, progress, transcript, now), None

    def _tokens(self, prompt: Any) -> np.ndarray:
        if isinstance(prompt, str):
            if self.tokenizer is None:
                expected = "prompts of tokens, since there is no tokenizer"
                raise ValueError(explain("Server", expected, f"{prompt[:40]!r}"))
            return encode(self.tokenizer, prompt)
        tokens = np.asarray(prompt)
        if tokens.ndim != 1:
            expected = "a prompt of tokens, one axis of whole numbers"
            raise ValueError(explain("Server", expected, f"shape {tokens.shape}"))
        return tokens

    def _sampling(self, params: Any, rng: Any) -> SamplingParams:
        """What a text is asked for, with a seed where none is given and something is drawn."""
        own = self.generator.sampler
        is_function = self.generator.chooses_by_itself
        if params is None:
            params = own
        elif not isinstance(params, (Sampler, SamplingParams)):
            expected = "`params`, a `SamplingParams` or `Sampler`"
            raise ValueError(explain("Server", expected, f"{type(params).__name__}"))
        elif is_function and params.temperature > 0:
            expected = "no temperature in `params` beside a sampler that is a function"
            raise ValueError(explain("Server", expected, f"{own!r}"))
        params = params_of(params, self.generator.stop)
        draws = params.temperature > 0 or is_function
        if rng is None and params.seed is None and draws:
            return dataclasses.replace(params, seed=default_seed())
        return params

    def _transcript(
        self, tokens: np.ndarray, stop: Any, params: SamplingParams
    ) -> Transcript | None:
        stop = (stop,) if isinstance(stop, str) else tuple(stop)
        are_texts = all(isinstance(text, str) and text for text in stop)
        has_no_decoder = bool(stop) and self.tokenizer is None
        if not are_texts or has_no_decoder:
            expected = "`stop` of texts that are not empty, with a tokenizer"
            raise ValueError(explain("Server", expected, f"stop={stop!r}"))
        if self.tokenizer is None:
            return None
        decode = decoder_of(self.tokenizer)
        return Transcript(decode, tokens.tolist(), stop, params.min_new_tokens)

    # ------------------------------------------------------------ its life

    def __enter__(self) -> "Server":
        if self._thread is not None:
            raise ValueError(explain("Server", "one `with` at a time", "another one inside"))
        engine, self._is_closed = self._begun(), False
        self._thread = threading.Thread(target=engine.run, name="jkeras-server", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close(cancel=error is not None)

    def close(self, *, cancel: bool = False) -> None:
        """Takes no requests any more, and waits for those that are there; a later `with` begins
        anew. Of a server that is run by hand it writes what is left, and the next `submit` begins
        anew.

        Args:
            cancel: do not wait for them.
        """
        engine, thread = self._engine, self._thread
        if engine is None:
            return
        engine.close(cancels=cancel)
        if thread is None:
            while engine.step():
                pass
        else:
            self._is_closed = True
            thread.join()
        self._engine = self._thread = None

    def step(self) -> bool:
        """One dispatch by hand, outside of `with`: requests that wait join where a slot is free,
        all get up to `steps` tokens; whether there is more to do.
        """
        return self._begun().step()

    def counters(self) -> ServerCounters:
        """What was done, since it began."""
        return self._begun().counters()

    @property
    def is_alive(self) -> bool:
        """Whether its thread writes: it is inside of `with`, and the device works."""
        thread, engine = self._thread, self._engine
        if thread is None or engine is None:
            return False
        return thread.is_alive() and not engine.is_closing

    def _begun(self) -> Engine:
        with self._begins:
            if self._engine is None:
                model = self.generator.model
                params = model.params if self._params is None else self._params
                self._engine = self._make_engine(params, model.state)
            return self._engine

    def _make_engine(self, params: Tree, state: Tree) -> Engine:
        self.generator.limits.find(params, state, 1)
        params = self.generator.packed(params, state)
        arguments = self._programs, params, state, self.slots

        def make() -> Slots:
            if self.generator.why_uncached is not None:
                return Slots(*arguments)
            return PagedSlots(*arguments, self.options)

        return Engine(make, self.slots, self.options.queue, self.options.clock)

    # ------------------------------------------------------------ prompts of one caller

    def __call__(
        self,
        params: Tree,
        prompts: Iterable[Sequence[int]],
        rngs: Iterable[jax.Array | int] | None = None,
        *,
        state: Tree = None,
    ) -> Iterator[tuple[int, np.ndarray]]:
        """(number of the prompt, its text with the prompt) as texts end.

        Args:
            params: of the model.
            prompts: sequences of tokens; they are taken one at a time, as slots come free. While
                the next one is not there yet the others are written; what is no sequence of
                prompts is run in a thread.
            rngs: a key or an integer for each prompt; by default their numbers.
            state: what else the model carries, by default `model.state`.

        Raises:
            ValueError: a prompt is refused; in the end, when the others have their texts.
        """
        state = self.generator.model.state if state is None else state
        engine, source = self._make_engine(params, state), Source(prompts, rngs)
        try:
            yield from self._written(engine, source)
        finally:
            source.close()

    def _written(self, engine: Engine, source: Source) -> Iterator[tuple[int, np.ndarray]]:
        """The texts of a source."""
        jobs: dict[int, Job] = {}
        error: BaseException | None = None
        count, is_over = 0, False
        while jobs or not is_over:
            while len(jobs) < self.slots and not is_over:
                found = source.take(blocks=not jobs)
                is_over = found is OVER
                if found is None or is_over:
                    break
                job, wrong = self._job(found[0], None, ((), 0), found[1])
                self._add(engine, job, wrong)
                jobs[count], count = job, count + 1
            engine.step()
            for number, job in _ended(jobs):
                if job.progress.error is None:
                    yield number, job.text
                error = error or job.progress.error
        if error is not None:
            raise error

    def _add(
        self, engine: Engine, job: Job, error: Exception | None, timeout: float | None = None
    ) -> None:
        """Takes a job, or ends it."""
        if error is not None:
            engine.reject(job, error)
        elif job.most(self.generator.max_length) == len(job.prompt):
            engine.finish_at_once(job)
        else:
            engine.add(job, timeout)


def _check_sample(sample: Any) -> None:
    is_whole = isinstance(sample, numbers.Integral) and not isinstance(sample, bool)
    if not is_whole or sample < 0:
        raise ValueError(explain("Server", "`sample` of 0 or more", f"{sample!r}"))


def _ended(jobs: dict[int, Job]) -> list[tuple[int, Job]]:
    """Takes those that are over out of some jobs by number."""
    numbers = [number for number, job in jobs.items() if job.progress.is_over]
    return [(number, jobs.pop(number)) for number in numbers]
