"""What generation brings to a model: `model.generate`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jax

    from jkeras.generation.sampler import Sampler


class Generating:
    """A model that can go on with texts."""

    def generate(
        self,
        prompts: Any,
        max_length: int,
        sampler: "Sampler | None" = None,
        *,
        stop: Sequence[int] | int = (),
        rng: "jax.Array | int | None" = None,
        stream: bool = False,
        verbose: int = 0,
        prompt_lengths: Any = None,
        padding_side: str = "right",
    ) -> Any:
        """Texts that begin with prompts, of a model of language: (batch, time) tokens -> logits
        (batch, time, vocabulary).

        Args:
            prompts: a list of sequences of tokens, of any lengths; or one such sequence; or with
                `prompt_lengths` an array (batch, time).
            max_length: of a text with its prompt.
            sampler: a `jkeras.generation.Sampler`; None: always the likeliest token.
            stop: a token or several that end a text; they belong to it.
            rng: a key or an integer, from which what is sampled follows; None: 0, so that two calls
                give the same.
            stream: give the new tokens as they come: for one prompt numbers, for several arrays
                (batch,).
            verbose: 1: show a progress bar.
            prompt_lengths: (batch,), of the rows of an array that is padded.
            padding_side: "right" or "left", where it is padded.

        Returns:
            An array of the tokens of each text, in a list; for one prompt the array alone. With
            `stream` an iterator.

        Raises:
            ValueError: a prompt without a token, longer than a text, or with a token that the model
                does not know; a `max_length` beyond the positions that it has.

        >>> import jkeras
        >>> tokens = jkeras.Input((None,), dtype="int32")
        >>> x = jkeras.layers.Embedding(20, 8)(tokens)
        >>> x = jkeras.layers.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True)
        >>> model = jkeras.Model(tokens, jkeras.layers.Dense(20)(x))
        >>> [len(text) for text in model.generate([[3, 4], [5]], max_length=12)]
        [12, 12]
        >>> len(list(model.generate([3, 4], max_length=12, stream=True)))
        10
        """
        from jkeras.generation.sampler import Sampler
        from jkeras.generation.shell import generate

        sampler = Sampler(temperature=0.0) if sampler is None else sampler
        options = stream, verbose, prompt_lengths, padding_side
        return generate(self, prompts, max_length, sampler, stop, rng, *options)
