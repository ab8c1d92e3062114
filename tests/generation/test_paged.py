"""A cache in blocks: texts are those without a cache, whoever shares the blocks."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras.generation import (
    Generator,
    SamplingParams,
    Server,
    ServerOptions,
    init_paged_cache,
)
from jkeras.generation.decoding import forward
from jkeras.generation.paged.blocks import Blocks
from jkeras.generation.paged.decoding import PagedDecoding
from jkeras.generation.paged.rounding import restored, rounded
from tests.generation.models import CACHED, VOCABULARY, made

RNG = np.random.default_rng(0)
DTYPES = ["int8", "float8_e4m3fn", "float8_e5m2"]


# ---------------------------------------------------------------- blocks


@pytest.mark.parametrize("seed", range(20))
def test_no_block_has_two_texts_unless_they_begin_alike(seed):
    """Texts of few tokens come and go; what a block should hold is kept beside it."""
    rng = np.random.default_rng(seed)
    blocks, held, texts = Blocks(9, 2), {}, []
    for _ in range(200):
        if texts and rng.random() < 0.45:
            text, mine = texts.pop(rng.integers(len(texts)))
            blocks.name(mine, text)
            blocks.release(mine)
        else:
            text = rng.integers(0, 2, rng.integers(1, 9)).tolist()
            known = blocks.find(text)
            for i, block in enumerate(known):
                assert held[block] == text[: 2 * i + 2]  # with all that is before it
            need = math.ceil(len(text) / 2) - len(known)
            has_room = blocks.room_beside(known) >= need
            blocks.share(known)
            fresh = blocks.take(need)
            assert (fresh is not None) == has_room
            if fresh is None:
                blocks.release(known)
                continue
            mine = known + fresh
            for i, block in enumerate(mine):
                held[block] = text[: 2 * i + 2]
            texts.append((text, mine))
        owned = [block for _, mine in texts for block in mine]
        assert blocks.used == len(set(owned))
        for block in set(owned):
            alike = {tuple(held[block]) for _, mine in texts if block in mine}
            assert len(alike) == 1
    for _, mine in texts:
        blocks.release(mine)
    assert blocks.available == 9 and len(blocks.take(9)) == 9 and blocks.take(1) is None


# ---------------------------------------------------------------- the value


def paged_logits(model, tokens, dtype=None, fill=0.0):
    """Logits of two texts by passes on some new tokens, in blocks that lie anywhere."""
    cache = init_paged_cache(model, 2, 30, blocks=13, block_size=5, dtype=dtype)
    table = np.random.default_rng(2).permutation(13)[:12].reshape(2, 6).astype("int32")
    pools = cache.pools
    if fill:
        pools = jax.tree.map(lambda x: jnp.full_like(x, fill), pools)
    cache = dataclasses.replace(cache, table=jnp.asarray(table), pools=pools)

    @jax.jit
    def step(cache, new, first, counts):
        decoding = PagedDecoding(cache, first, counts)
        logits, _ = forward(model, model.params, model.state, new, decoding)
        return logits, decoding.after(logits)

    found, position = [], np.array([0, 0])
    for count in (7, 4, 4, 1, 1, 1, 4, 4, 1, 1, 1, 1):
        new = np.zeros((2, count + (count == 4)), int)  # some with padding behind
        new[:, :count] = tokens[:, position[0] : position[0] + count]
        first = None if position[0] == 0 else position
        logits, cache = step(cache, new, first, np.array([count, count]))
        found.append(logits[:, :count])
        position = position + count
    return np.concatenate(found, axis=1)


@pytest.mark.promise("Also then, texts are those without a cache")
@pytest.mark.parametrize("name", CACHED)
def test_logits_are_those_of_the_whole_text(name):
    model = made(name)
    tokens = np.random.default_rng(1).integers(0, VOCABULARY, (2, 30))
    whole = model.predict(tokens, verbose=0)
    np.testing.assert_allclose(paged_logits(model, tokens), whole, atol=1e-5)


@pytest.mark.promise("is the cache as a value, `generation.PagedCache`")
def test_a_value():
    model = made("grouped")
    cache = init_paged_cache(model, 2, 30)
    leaves, tree = jax.tree.flatten(cache)
    again = jax.tree.unflatten(tree, leaves)
    assert again.length == 30 and again.table.shape == (2, 2)
    assert cache.nbytes == 2 * 2 * 4 * 2 * 16 * 8 * 4  # layers, kinds, blocks, heads, ...
    small = init_paged_cache(model, 2, 30, dtype="int8")
    assert small.nbytes == cache.nbytes // 4 + cache.nbytes // 8  # a scale for 8 numbers


def test_what_lies_in_blocks_is_not_seen():
    """Not even where it is not finite."""
    model = made("grouped")
    tokens = np.random.default_rng(1).integers(0, VOCABULARY, (2, 30))
    found = paged_logits(model, tokens, fill=np.nan)
    np.testing.assert_array_equal(found, paged_logits(model, tokens))


@pytest.mark.promise("8 bits differ in the logits by")
@pytest.mark.parametrize("dtype, most", [*zip(DTYPES, [0.01, 0.06, 0.1])])
def test_logits_in_8_bits(dtype, most):
    """As a part of the largest logit."""
    model = made("grouped")
    tokens = np.random.default_rng(1).integers(0, VOCABULARY, (2, 30))
    whole = model.predict(tokens, verbose=0)
    difference = np.abs(paged_logits(model, tokens, dtype) - whole).max() / np.abs(whole).max()
    assert 1e-5 < difference < most


@pytest.mark.parametrize("scale", [1.0, 1e4, 1e-4])
@pytest.mark.parametrize("dtype, error", [*zip(DTYPES, [1 / 127 / 2, 1 / 16, 1 / 8])])
def test_rounding(dtype, error, scale):
    values = RNG.normal(size=(3, 4, 16)).astype("float32") * scale
    values[0, 0] = 0.0
    back = np.asarray(restored(*rounded(jnp.asarray(values), dtype), "float32"))
    largest = np.abs(values).max(-1, keepdims=True)
    assert (np.abs(back - values) <= 1.01 * error * largest).all()
    assert (back[0, 0] == 0).all() and np.isfinite(back).all()
    broken = restored(*rounded(jnp.array([[np.inf, 1.0], [np.nan, 1.0]]), dtype), "float32")
    assert np.isnan(broken).any(axis=1).all()  # and not some number


def test_a_cache_that_cannot_be():
    model = made("grouped")
    for options in ({"blocks": 1}, {"dtype": "int4"}):
        with pytest.raises(ValueError, match="init_paged_cache: expected"):
            init_paged_cache(model, 2, 30, **options)
    with pytest.raises(ValueError, match="`block_size` of 1 or more"):
        ServerOptions(block_size=0)


# ---------------------------------------------------------------- the server

PROMPTS = [RNG.integers(0, VOCABULARY, size).tolist() for size in RNG.integers(1, 30, 14)]


@pytest.fixture(scope="module")
def generator():
    return Generator(made("grouped"), 40, logprobs=1)


def server_of(generator, slots=4, **options):
    return Server(generator, slots, 5, options=ServerOptions(block_size=4, **options))


def alone(generator, prompt, params):
    found = generator(generator.model.params, [prompt], sampling=params)
    return np.asarray(found[0][0])[: int(found[1][0])].tolist()


def written(server, prompts, params=None, stagger=0):
    """Texts of prompts, of which some come while others are written; and the counters."""
    requests = []
    for number, prompt in enumerate(prompts):
        requests.append(server.submit(prompt, params))
        if stagger and number % stagger == 0:
            server.step()
    while server.step():
        pass
    counters = server.counters()
    server.close()
    return [request.result(0).tokens.tolist() for request in requests], counters


@pytest.mark.promise("a text that finds no room waits")
@pytest.mark.promise("Also then, texts are those without a cache")
def test_few_blocks(generator):
    """Ten blocks are one text: others wait, or leave and go on later; each is as alone."""
    server = server_of(generator, blocks=14)
    params = SamplingParams(temperature=1.3, seed=3, frequency_penalty=0.4)
    texts, counters = written(server, PROMPTS, params, stagger=3)
    assert counters.preempted > 0 and counters.finished == len(PROMPTS)
    assert counters.cache_blocks_used == 0
    for prompt, text in zip(PROMPTS, texts):
        assert text == alone(generator, prompt, params)


@pytest.mark.promise("so many blocks as tokens were written")
def test_memory_is_that_of_the_tokens(generator):
    server = server_of(generator)
    lengths = [3, 9, 18]
    requests = [server.submit(PROMPTS[0][:1] * n) for n in lengths]
    server.step()
    blocks = sum(math.ceil((n + 5) / 4) for n in lengths)
    shared = 4 // 4  # the beginning of the second is that of the third
    assert blocks - 2 * shared - 1 <= server.counters().cache_blocks_used <= blocks
    requests[0].cancel()
    before = server.counters().cache_blocks_used
    server.step()
    assert server.counters().cache_blocks_used <= before + 4
    server.close(cancel=True)


@pytest.mark.promise("The beginning of a prompt that others have, too, is computed once")
@pytest.mark.promise("`shares_prefixes=False` computes each alone")
def test_beginnings_are_shared(generator):
    head = RNG.integers(0, VOCABULARY, 18).tolist()
    prompts = [[*head, *RNG.integers(0, VOCABULARY, n).tolist()] for n in (1, 2, 5, 0, 3)]
    server = server_of(generator)
    params = SamplingParams(temperature=0.0, max_new_tokens=6)
    texts, counters = written(server, prompts, params)
    assert counters.shared_tokens == 4 * 16  # four whole blocks of each but the first
    for prompt, text in zip(prompts, texts):
        assert text == alone(generator, prompt, params)
    other = server_of(generator, shares_prefixes=False)
    again, counters = written(other, prompts, params)
    assert again == texts and counters.shared_tokens == 0


def test_writing_copies_no_pool(generator):
    """A token more is written in place, however many blocks there are."""
    server = server_of(generator, blocks=3000)
    request = server.submit(PROMPTS[0])
    server.step()
    slots = server._begun().slots
    rows = slots.rows._replace(cache=slots.cache)
    arguments = slots.params, slots.state, rows, np.ones(4, bool)
    program = slots.programs.write.lower(*arguments).compile()
    layers = jax.tree.leaves(slots.cache.pools)
    assert program.memory_analysis().temp_size_in_bytes < layers[0].nbytes
    request.cancel()
    server.close()


@pytest.mark.promise("so that a conversation goes on where")
def test_a_conversation_goes_on_where_it_ended(generator):
    server = server_of(generator)
    params = SamplingParams(temperature=0.0, max_new_tokens=7)
    first = server.submit(PROMPTS[0][:6], params)
    while server.step():
        pass
    longer = [*first.result(0).tokens.tolist(), 3]
    second = server.submit(longer, params)
    while server.step():
        pass
    assert server.counters().shared_tokens == 12  # 13 tokens are three whole blocks
    assert second.result(0).tokens.tolist() == alone(generator, longer, params)
    server.close()


@pytest.mark.promise("is the same whatever shares the blocks")
def test_8_bits_alone_and_with_others(generator):
    """Beginnings that were there, and texts that left and came back, among them."""
    params = SamplingParams(temperature=0.0, max_new_tokens=12)
    head = PROMPTS[1][:9]
    prompts = [*PROMPTS[:5], *[[*head, n] for n in range(4)]]
    many = server_of(generator, blocks=14, cache_dtype="int8")
    texts, counters = written(many, prompts, params, stagger=2)
    assert counters.preempted > 0 and counters.shared_tokens > 0
    single = server_of(generator, slots=1, cache_dtype="int8", shares_prefixes=False)
    assert written(single, prompts, params)[0] == texts


def test_a_model_without_attention():
    """It has nothing to keep, and texts all the same."""
    tokens = jkeras.Input((None,), dtype="int32")
    x = jkeras.layers.Embedding(VOCABULARY, VOCABULARY, embeddings_initializer="normal")(tokens)
    plain = Generator(jkeras.Model(tokens, x), 12)
    params = SamplingParams(temperature=1.0, seed=1)
    prompts = [prompt[:5] for prompt in PROMPTS[:5]]
    texts, _ = written(server_of(plain), prompts, params)
    for prompt, text in zip(prompts, texts):
        assert text == alone(plain, prompt, params)


class Ends:
    """A processor that leaves no token behind token 4."""

    def __call__(self, state, text, logits):
        return state, jnp.where((text.last == 4)[:, None], -jnp.inf, logits)


def test_a_text_that_no_token_may_follow(generator):
    """It ends, and what its last pass writes is in no other text."""
    own = Generator(generator.model, 40, processors=[Ends()])
    params = SamplingParams(temperature=2.0, seed=5)
    prompts = [prompt[:12] for prompt in PROMPTS[:8]]
    texts, _ = written(server_of(own, blocks=14), [*prompts, *prompts], params)
    assert len({len(text) for text in texts}) > 1
    for prompt, text in zip([*prompts, *prompts], texts):
        assert text == alone(own, prompt, params)


class Alternating:
    """A processor whose state counts: at each second token 0 is not written."""

    def init(self, text, vocabulary):
        return jnp.zeros(len(text.lengths), "int32")

    def __call__(self, state, text, logits):
        banned = (state % 2 == 0)[:, None] & (jnp.arange(logits.shape[-1]) % 2 == 0)
        return state + 1, jnp.where(banned, -jnp.inf, logits)


def test_states_of_own_processors_come_back(generator):
    own = Generator(generator.model, 40, processors=[Alternating()])
    params = SamplingParams(temperature=0.0, max_new_tokens=25)
    server = server_of(own, blocks=14)
    prompts = [prompt[:9] for prompt in PROMPTS[:4]]
    texts, counters = written(server, prompts, params)
    assert counters.preempted > 0
    for prompt, text in zip(prompts, texts):
        assert text == alone(own, prompt, params)
