"""Grammar: texts of a JSON schema, a regular expression or a grammar, by the automaton of the
package `llguidance`.
"""

import collections
import json
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import explain
from jkeras.core.names.registry import public
from jkeras.core.say.extras import install_line
from jkeras.generation.processors import Processor, State, Text

KEPT = 4096  # beginnings of texts whose matchers are kept
WHERE = "Grammar"


@public("jkeras.generation.Grammar")
class Grammar(Processor):
    """A processor that leaves out every token with which a text could not become one of a grammar.
    It sees what is written behind the prompt.

    The automaton runs on the host, between two steps, by the package `llguidance` (the extra
    `grammar`). What it allows follows from the tokens alone, so that it works wherever processors
    do. A text that is cut off by its length is the beginning of one of the grammar.

    Args:
        grammar: of llguidance; see the class methods.
        tokenizer: a `tokenizers.Tokenizer`, a fast tokenizer of transformers, or the bytes of each
            token, in a list.
        stop: the token that says that the text is whole. Give it to `generate` as `stop`, too.

    Raises:
        ImportError: llguidance is not there.
        ValueError: no such grammar, tokenizer or token.

    >>> letters = [bytes([65 + i]) for i in range(4)] + [b"<end>"]
    >>> try:
    ...     grammar = Grammar.regex("A[BC]", letters, stop=4)
    ... except ImportError:
    ...     pass  # without llguidance
    """

    def __init__(self, grammar: str, tokenizer: Any, stop: int) -> None:
        self._llguidance = llguidance()
        self.grammar, self.stop = grammar, int(stop)
        self._tokenizer = self._tokenizer_of(tokenizer)
        wrong = self._llguidance.LLMatcher.validate_grammar(grammar, self._tokenizer)
        if wrong and not wrong.startswith("WARNING"):
            raise ValueError(explain(WHERE, "a grammar that can be read", wrong))
        first = self._llguidance.LLMatcher(self._tokenizer, grammar, log_level=0)
        self._lock = threading.Lock()
        self._first = first
        self._matchers: collections.OrderedDict[tuple[int, ...], Any] = collections.OrderedDict()

    @classmethod
    def json_schema(cls, schema: Mapping | str, tokenizer: Any, stop: int) -> "Grammar":
        """Texts of JSON that a schema allows."""
        text = schema if isinstance(schema, str) else json.dumps(schema)
        grammar = llguidance().LLMatcher.grammar_from_json_schema(text)
        return cls(grammar, tokenizer, stop)

    @classmethod
    def regex(cls, pattern: str, tokenizer: Any, stop: int) -> "Grammar":
        """Texts that a regular expression matches as a whole."""
        return cls(llguidance().LLMatcher.grammar_from_regex(pattern), tokenizer, stop)

    @classmethod
    def lark(cls, grammar: str, tokenizer: Any, stop: int) -> "Grammar":
        """Texts of a context-free grammar, as the package Lark writes them."""
        return cls(llguidance().LLMatcher.grammar_from_lark(grammar), tokenizer, stop)

    def _tokenizer_of(self, tokenizer: Any) -> Any:
        """The tokenizer as llguidance has it."""
        backend = getattr(tokenizer, "backend_tokenizer", tokenizer)
        if hasattr(backend, "to_str"):
            return self._llguidance.LLTokenizer(backend.to_str(), eos_token=self.stop)
        is_listed = isinstance(tokenizer, Sequence)
        if not is_listed or not all(isinstance(token, bytes) for token in tokenizer):
            expected = "a tokenizer of `tokenizers` or transformers, or the bytes of each token"
            raise ValueError(explain(WHERE, expected, type(tokenizer).__name__))
        if not 0 <= self.stop < len(tokenizer):
            expected = f"`stop` of a token below {len(tokenizer)}"
            raise ValueError(explain(WHERE, expected, f"{self.stop}"))
        wrapper = self._llguidance.TokenizerWrapper(_Words(list(tokenizer), self.stop))
        return self._llguidance.LLTokenizer(wrapper)

    def __call__(self, state: State, text: Text, logits: jax.Array) -> tuple[State, jax.Array]:
        """Logits without the tokens that do not fit."""
        shape = jax.ShapeDtypeStruct(logits.shape, jnp.bool_)

        def allowed(*parts: Any) -> np.ndarray:
            return self.allowed(*map(np.asarray, parts), logits.shape[-1])

        fits = jax.pure_callback(allowed, shape, *text, vmap_method="sequential")
        return state, jnp.where(fits, logits, -jnp.inf)

    # ------------------------------------------------------------ on the host

    def allowed(
        self, tokens: np.ndarray, lengths: np.ndarray, prompts: np.ndarray, vocabulary: int
    ) -> np.ndarray:
        """bool (batch, vocabulary), the tokens with which texts go on.

        Raises:
            ValueError: a text is not of the grammar, or can go on with no token.
        """
        fits = np.zeros((len(tokens), vocabulary), bool)
        with self._lock:
            for row, text, length, prompt in zip(fits, tokens, lengths, prompts):
                matcher = self._matcher(tuple(text[prompt:length].tolist()))
                bits = np.frombuffer(matcher.compute_bitmask(), "uint8")
                can_come = np.unpackbits(bits, bitorder="little")[:vocabulary].astype(bool)
                row[: len(can_come)] = can_come
                if matcher.is_stopped():
                    row[:] = np.arange(vocabulary) == self.stop
                if matcher.is_error() or not row.any():
                    expected = "texts that the grammar allows"
                    received = matcher.get_error().partition("\n")[0]
                    received = received or "one that no token of the model goes on with"
                    raise ValueError(explain(WHERE, expected, received))
        return fits

    def _matcher(self, tokens: tuple[int, ...]) -> Any:
        """The automaton behind these tokens; it goes on from the longest beginning that is kept."""
        if not tokens:
            return self._first
        if tokens in self._matchers:
            self._matchers.move_to_end(tokens)
            return self._matchers[tokens]
        known = len(tokens) - 1
        while known and tokens[:known] not in self._matchers:
            known -= 1
        matcher = self._first if known == 0 else self._matchers[tokens[:known]]
        matcher = matcher.deep_copy()
        for token in tokens[known:]:
            if not matcher.is_stopped():
                matcher.consume_token(token)
        self._matchers[tokens] = matcher
        if len(self._matchers) > KEPT:
            self._matchers.popitem(last=False)
        return matcher


class _Words:
    """A list of the bytes of tokens, as llguidance asks for them."""

    def __init__(self, tokens: list[bytes], stop: int) -> None:
        self.tokens, self.eos_token_id, self.bos_token_id = tokens, stop, None
        self.special_token_ids = [stop]

    def __call__(self, text: bytes) -> list[int]:
        """The tokens of a text, the longest first. What has none is passed over."""
        found: list[int] = []
        while text:
            fits = [i for i, token in enumerate(self.tokens) if token and text.startswith(token)]
            best = max(fits, key=lambda i: len(self.tokens[i]), default=None)
            if best is None:
                text = text[1:]
                continue
            found.append(best)
            text = text[len(self.tokens[best]) :]
        return found


def llguidance() -> Any:
    """The package.

    Raises:
        ImportError: it is not there.
    """
    try:
        import llguidance
    except ImportError as error:
        line = install_line("grammar")
        raise ImportError(f"`Grammar` needs the package llguidance: `{line}`.") from error
    return llguidance
