"""What generation brings to a model: `model.generate`."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jax

    from jkeras.generation.sampler import Sampler
    from jkeras.generation.sampling_params import SamplingParams
    from jkeras.models.model import Model


class Generating:
    """A model that can go on with texts."""

    def generate(
        self,
        prompts: Any,
        max_length: int | None = None,
        sampler: "Sampler | SamplingParams | Sequence[SamplingParams] | Callable | None" = None,
        *,
        max_new_tokens: int | None = None,
        min_new_tokens: int = 0,
        n: int = 1,
        stop: Sequence[int | str] | int | str = (),
        logprobs: int | None = None,
        processors: Sequence[Callable] = (),
        tokenizer: Any = None,
        strip_prompt: bool = False,
        rng: "jax.Array | int | None" = None,
        stream: bool = False,
        verbose: int = 0,
        prompt_lengths: Any = None,
        padding_side: str = "right",
        draft: "Model | None" = None,
        draft_tokens: int = 4,
    ) -> Any:
        """Texts that begin with prompts, of a model of language: (batch, time) tokens -> logits
        (batch, time, vocabulary).

        Models that were trained on packed rows, with a dict of `tokens`, `segment_ids` and
        `positions`, are given what belongs to the tokens.

        Args:
            prompts: a list of sequences of tokens, of any lengths; or one such sequence; or with
                `prompt_lengths` an array (batch, time). With a tokenizer texts, or one.
            max_length: of a text with its prompt; not needed with `max_new_tokens`. Of several
                bounds the narrowest holds.
            sampler: a `jkeras.generation.Sampler`, `SamplingParams`, a list of one for each prompt,
                or a function `(logits, rng) -> token`; None: always the likeliest token.
            max_new_tokens, min_new_tokens: how many tokens are written behind a prompt.
            n: how many texts are written for each prompt.
            stop: a token or several that end a text; with a tokenizer also texts. They belong to
                it.
            logprobs: give a `jkeras.generation.Completion` for each text, with the logarithms of
                the probabilities of its tokens, and of so many of the likeliest.
            processors: functions that change logits, see `jkeras.generation.Generator`.
            tokenizer: of `tokenizers`, `sentencepiece`, transformers or keras-hub, or an object
                with `encode` and `decode`; None: `model.tokenizer`, if there is one.
            strip_prompt: give the texts without their prompts.
            rng: a key or an integer, from which what is sampled follows. None: another one for each
                call, and after `jkeras.utils.set_random_seed` the same ones in the same order.
            stream: give the new tokens as they come: for one prompt numbers, for several arrays
                (batch,); for texts pieces of text.
            verbose: 1: show a progress bar.
            prompt_lengths: (batch,), of the rows of an array that is padded.
            padding_side: "right" or "left", where it is padded.
            draft: a small model of the same tokens that drafts what this one only looks at, several
                tokens in a pass: the same greedy texts but for rounding, and of sampled ones the
                same distribution, in fewer passes; see `jkeras.generation.SpeculativeGenerator`.
            draft_tokens: how many are drafted for a pass.

        Returns:
            An array of the tokens of each text, in a list; for one prompt the array alone. For a
            prompt that is a text, a text. With `n` of 2 or more a list of them for each prompt.
            With `stream` an iterator.

        Raises:
            ValueError: a prompt without a token, longer than a text, or with a token that the model
                does not know; a `max_length` beyond the positions that it has; a `draft` of
                other tokens, or without a cache, or beside a sampler that is a function.

        >>> import jkeras
        >>> tokens = jkeras.Input((None,), dtype="int32")
        >>> x = jkeras.layers.Embedding(20, 8)(tokens)
        >>> x = jkeras.layers.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True)
        >>> model = jkeras.Model(tokens, jkeras.layers.Dense(20)(x))
        >>> [len(text) for text in model.generate([[3, 4], [5]], max_length=12)]
        [12, 12]
        >>> len(list(model.generate([3, 4], max_new_tokens=10, stream=True)))
        10
        """
        from jkeras.generation.request import Request
        from jkeras.generation.shell import generate

        request = Request(
            max_length=max_length,
            sampler=sampler,
            max_new_tokens=max_new_tokens,
            min_new_tokens=min_new_tokens,
            n=n,
            stop=stop,
            logprobs=logprobs,
            processors=processors,
            tokenizer=tokenizer,
            strip_prompt=strip_prompt,
            rng=rng,
            stream=stream,
            verbose=verbose,
            prompt_lengths=prompt_lengths,
            padding_side=padding_side,
            draft=draft,
            draft_tokens=draft_tokens,
        )
        return generate(self, prompts, request)
