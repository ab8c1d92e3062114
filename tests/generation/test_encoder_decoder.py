"""Models that read one text, or sound, and write another: beside what transformers wrote, and
beside passes over the whole.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import generation, layers
from jkeras.generation import Generator, SamplingParams, beam_search
from tests.saving import native_models
from tests.saving.test_native_folders import RECORDS, read, written

VOCABULARY, WIDTH = 19, 12
SOURCE = [[3, 4, 5, 6], [7, 8]]
TOKENS = np.array([[3, 4, 5, 6], [7, 8, 0, 0]])
MASK = np.array([[1, 1, 1, 1], [1, 1, 0, 0]])
PAIRS = {"encoder_token_ids": TOKENS, "encoder_padding_mask": MASK}
STARTS = np.array([[1, 2, 9], [1, 0, 0]])
LENGTHS = np.array([3, 1])


# ---------------------------------------------------------------- T5, BART and Whisper


def read_record(folder, kind, variant="plain"):
    record = RECORDS[kind][variant]
    model = read(written(folder, record), record)
    pairs = native_models.pairs_of(record["config"])
    return model, {k: v for k, v in pairs.items() if k.startswith("encoder_")}, record["texts"]


def check_texts(found, expected):
    """Texts up to their ends, behind which transformers may have another padding."""
    for text, theirs in zip(found, expected):
        np.testing.assert_array_equal(text, theirs[: len(text)])


OTHERS = [
    pytest.param(kind, variant, marks=pytest.mark.slow)
    for kind in native_models.SEQ2SEQ
    for variant in RECORDS[kind]
    if variant != "plain"
]


@pytest.mark.promise("greedy texts and those of a beam search are the ones of")
@pytest.mark.parametrize("kind, variant", [*((k, "plain") for k in native_models.SEQ2SEQ), *OTHERS])
def test_texts_are_those_of_transformers(tmp_path, kind, variant):
    model, pairs, texts = read_record(tmp_path, kind, variant)
    generator = Generator(model, 12)
    for way, options in native_models.WAYS.items():
        if "num_beams" in options:
            continue
        params = SamplingParams(
            temperature=0.0,
            no_repeat_ngram_size=options.get("no_repeat_ngram_size", 0),
            stop=tuple(options.get("eos_token_id", ())),
        )
        tokens, lengths = generator(model.params, pairs, sampling=params)
        check_texts([row[:n] for row, n in zip(np.asarray(tokens), lengths)], texts[way])
    assert generator.why_uncached is None
    options = {"max_length": 12, "beams": 3, "stop": native_models.ENDS}
    tokens, lengths, _ = beam_search(model, model.params, pairs, **options)
    found = [row[:n] for row, n in zip(np.asarray(tokens), lengths)]
    check_texts(found, texts["beams, with ends"])


@pytest.mark.promise("its keys and values are computed once for a text")
@pytest.mark.parametrize("kind", native_models.SEQ2SEQ)
def test_a_cache_changes_nothing(tmp_path, kind):
    model, pairs, _ = read_record(tmp_path, kind)
    logits = []
    for cache in (True, False):
        generator = Generator(model, 10, cache=cache)
        starts = np.array([[2, 3, 4], [2, 0, 0]])
        rows = generator.begin(model.params, {**pairs, "decoder_token_ids": starts}, LENGTHS)
        rows = generator.go_on(model.params, rows, 4)
        assert (rows.cache is None) is not cache
        assert len(rows.memory.heads) == (2 if cache else 0)
        logits.append(np.asarray(rows.logits))
        tokens = np.asarray(rows.tokens)
    np.testing.assert_allclose(*logits, atol=3e-5)
    # what a call on the whole gives
    row = dict(decoder_token_ids=tokens[:1, :7], decoder_padding_mask=np.ones((1, 7), "int32"))
    whole = model({**{name: value[:1] for name, value in pairs.items()}, **row})
    np.testing.assert_allclose(whole[0, -1], logits[0][0], atol=3e-5)


NAMES = "queries", "keys", "values", "scores", "pattern", "heads", "results"


def of_keras(encoder, decoder):
    """A model of the attention of Keras."""
    x = layers.Embedding(VOCABULARY, WIDTH, mask_zero=True, name="read")(encoder)
    x = layers.Dense(WIDTH, name="encode")(x)
    y = layers.Embedding(VOCABULARY, WIDTH, name="words")(decoder)
    y = y + layers.GroupQueryAttention(3, 4, 2, name="self")(y, y, use_causal_mask=True)
    y = y + layers.MultiHeadAttention(2, 4, name="cross", use_gate=True)(y, x)
    return layers.Dense(VOCABULARY, name="head")(y)


@pytest.fixture(scope="module")
def tapped():
    named = {name: jkeras.Input((None,), dtype="int32", name=name) for name in GIVEN}
    model = jkeras.Model(named, of_keras(*named.values()))
    model.set_weights([4 * weight for weight in model.get_weights()])
    return model


GIVEN = "encoder_token_ids", "decoder_token_ids"


@pytest.mark.parametrize("kind", ["t5", "bart", "keras"])
def test_places_in_attention_to_the_encoder(tmp_path, tapped, kind):
    """They are what attention computes, and the output follows from each."""
    if kind == "keras":
        model, x, cross = tapped, dict(zip(GIVEN, (TOKENS, STARTS))), "cross"
    else:
        model, pairs, _ = read_record(tmp_path, kind)
        x = {**pairs, "decoder_token_ids": STARTS, "decoder_padding_mask": np.ones((2, 3), int)}
        cross = "decoder_layer_1/cross"
    given = model.params, model.state, x
    paths = {name: f"{cross}/{name}" for name in NAMES}
    y, _, seen = model.tap(*given, at=list(paths.values()))
    np.testing.assert_allclose(y, model(x), atol=1e-5)
    found = {name: np.asarray(seen[path]) for name, path in paths.items()}
    time, length = STARTS.shape[1], x["encoder_token_ids"].shape[1]
    assert found["queries"].shape[:2] == (2, time) and found["keys"].shape[:2] == (2, length)
    scores = np.einsum("bthd,bshd->bhts", found["queries"], found["keys"])
    if kind != "t5":  # which does not divide
        scores /= np.sqrt(found["keys"].shape[-1])
    np.testing.assert_allclose(found["scores"], scores, atol=1e-4)
    heads = np.einsum("bhts,bshd->bthd", found["pattern"], found["values"])
    if kind != "keras":  # there the gate is between
        np.testing.assert_allclose(found["heads"], heads, atol=1e-5)
    for name, path in paths.items():
        changed = model.tap(*given, set={path: found[name]})[0]
        np.testing.assert_allclose(changed, y, atol=1e-5, err_msg=name)
        changed = model.tap(*given, edit={path: lambda v: v * 0.5 + 0.3})[0]
        assert np.abs(changed - y).max() > 1e-6 or name in ("keys", "scores"), name


def check_steered(model, pairs, start, changes):
    """Logits with a cache and without one are those of `tap` on the whole."""
    prompts = np.full((2, 1), start)
    for cache in (True, False):
        generator = Generator(model, 8, cache=cache).steered(**changes)
        rows = generator.begin(model.params, {**pairs, "decoder_token_ids": prompts})
        rows = generator.go_on(model.params, rows, 3)
        x = {**pairs, "decoder_token_ids": rows.tokens[:, :4]}
        if "decoder_padding_mask" in model.input:
            x["decoder_padding_mask"] = np.ones((2, 4), "int32")
        logits = model.tap(model.params, model.state, x, **changes)[0][:, -1]
        np.testing.assert_allclose(rows.logits, logits, rtol=1e-4, atol=5e-4)
        assert np.abs(logits - model(x)[:, -1]).max() > 1e-3


@pytest.mark.parametrize("name", ["keys", "scores", "results"])
def test_attention_to_the_encoder_is_steered(tapped, name):
    edit = {f"cross/{name}": lambda v: v * jnp.arange(v.shape[-1]) * 9 - 2}
    check_steered(tapped, {"encoder_token_ids": TOKENS}, 1, {"edit": edit})


@pytest.mark.promise("`Generator.steered` changes the encoder in its one pass")
def test_both_halves_are_steered(tmp_path, tapped):
    direction = np.random.default_rng(3).normal(size=WIDTH).astype("float32") * 3
    pairs = {"encoder_token_ids": TOKENS}
    check_steered(tapped, pairs, 1, {"add": {"encode": direction}})
    edit = {"self/heads": lambda v: v.at[:, :, 0].set(0)}
    check_steered(tapped, pairs, 1, {"add": {"encode": direction}, "edit": edit})
    model, pairs, _ = read_record(tmp_path, "t5")
    heads = {"encoder_layer_*/attention/heads": lambda v: v * 0 - 2}
    heads["decoder_layer_0/cross/pattern"] = lambda v: v[..., ::-1]
    check_steered(model, pairs, 0, {"edit": heads})
    for key, words in {
        "embedding": "both have",
        "nowhere": "nowhere",
        "decoder_x": "decoder_x",
    }.items():
        generator = Generator(model, 8).steered(add={key: 1.0})
        with pytest.raises(ValueError, match=words):
            generator(model.params, pairs)


def test_a_draft_is_not_for_a_model_with_an_encoder(tapped):
    tokens = jkeras.Input((None,), dtype="int32")
    small = jkeras.Model(tokens, layers.Embedding(VOCABULARY, VOCABULARY)(tokens))
    pairs = {"encoder_token_ids": SOURCE[0], "decoder_token_ids": [1]}
    with pytest.raises(ValueError, match="leave out `draft`"):
        tapped.generate(pairs, 6, draft=small)
    with pytest.raises(ValueError, match="leave out `draft`"):
        small.generate([1], 6, draft=tapped)


@pytest.mark.promise("as lists of any lengths")
def test_generate_takes_sources_of_any_lengths(tmp_path):
    model, _, _ = read_record(tmp_path, "t5")
    texts = model.generate({"encoder_token_ids": SOURCE}, max_length=8)
    for source, text in zip(SOURCE, texts):
        alone = model.generate({"encoder_token_ids": source}, max_new_tokens=7)
        np.testing.assert_array_equal(text, alone)
        assert text[0] == model.decoder_start_token_id
    given = {**PAIRS, "decoder_token_ids": [[0], [0]], "decoder_padding_mask": [[1], [1]]}
    np.testing.assert_array_equal(model.generate(given, 8), texts)
    begun = model.generate({"encoder_token_ids": SOURCE, "decoder_token_ids": [[0, 5], [0]]}, 8)
    assert begun[0][:2].tolist() == [0, 5] and begun[1].tolist() == texts[1].tolist()
    several = model.generate({"encoder_token_ids": SOURCE}, 8, n=2)
    assert [[row.tolist() for row in rows] for rows in several] == [[t.tolist()] * 2 for t in texts]
    stream = list(model.generate({"encoder_token_ids": SOURCE[0]}, 8, stream=True))
    assert stream == texts[0][1:].tolist()


def test_a_source_as_long_as_the_positions_of_the_encoder(tmp_path):
    """It is padded to a length of few, of which there are too few here."""
    model, _, _ = read_record(tmp_path, "bart")  # of 24 positions
    whole = list(range(3, 22)) + [3, 4, 5, 6, 7]
    texts = model.generate({"encoder_token_ids": [whole, whole[:20]]}, 6)
    pairs = {"encoder_token_ids": np.array([whole])}
    tokens, _ = Generator(model, 6)(model.params, pairs)
    np.testing.assert_array_equal(texts[0], tokens[0])
    with pytest.raises(ValueError, match="at most 24 positions"):
        model.generate({"encoder_token_ids": [*whole, 3]}, 6)


def test_texts_in_and_out(tmp_path):
    class Letters:
        def encode(self, text):
            return [ord(letter) - 97 for letter in text]

        def decode(self, tokens):
            return "".join(chr(97 + token) for token in tokens)

    model, _, _ = read_record(tmp_path, "t5")
    (text,) = model.generate({"encoder_token_ids": ["defg"]}, 8, tokenizer=Letters())
    tokens = model.generate({"encoder_token_ids": SOURCE[0]}, 8)
    assert text == Letters().decode(tokens)


@pytest.mark.promise("its prompt is given as `decoder_token_ids`")
def test_sound_and_the_prompt_of_whisper(tmp_path):
    model, pairs, _ = read_record(tmp_path, "whisper")
    sound = pairs["encoder_features"]
    prompt = [2, 11, 12, 13]  # as of a language and a task
    texts = model.generate({"encoder_features": sound, "decoder_token_ids": prompt}, 9)
    assert [text[:4].tolist() for text in texts] == [prompt] * 2
    one = model.generate({"encoder_features": sound[1], "decoder_token_ids": prompt}, 9)
    np.testing.assert_array_equal(one, texts[1])
    with pytest.raises(ValueError, match="expected shape=.None, 12, 5."):
        model({**native_models.pairs_of(model.config), "encoder_features": sound[:, :10]})


# ---------------------------------------------------------------- models of a user's own


def translator(cross=None, masked=True, nested=False):
    """A model of layers of Keras, with padding of the source in a mask of its own."""
    source = jkeras.Input((None,), dtype="int32", name="encoder_token_ids")
    there = jkeras.Input((None,), dtype="int32", name="encoder_padding_mask")
    tokens = jkeras.Input((None,), dtype="int32", name="decoder_token_ids")
    seen = layers.Lambda(lambda m: m[:, None, :].astype(bool))(there)
    x = layers.Embedding(VOCABULARY, WIDTH, embeddings_initializer="normal")(source)
    y = layers.MultiHeadAttention(2, 6)(x, x, attention_mask=seen if masked else None)
    memory = layers.LayerNormalization()(x + y)
    if nested:
        memory = jkeras.Model(x0 := jkeras.Input((None, WIDTH)), layers.Dense(WIDTH)(x0))(memory)
    x = layers.Embedding(VOCABULARY, WIDTH, embeddings_initializer="normal")(tokens)
    x = x + layers.PositionEmbedding(32)(x)
    x = x + layers.MultiHeadAttention(2, 6)(x, x, use_causal_mask=True)
    if cross is None:
        x = x + layers.MultiHeadAttention(2, 6)(x, memory, attention_mask=seen)
        x = x + layers.GroupQueryAttention(6, 4, 2)(x, memory, attention_mask=seen)
    else:
        x = cross(x, memory)
    logits = layers.Dense(VOCABULARY, kernel_initializer="random_normal")(x)
    return drawn(jkeras.Model([source, there, tokens], logits))


def drawn(model):
    """With larger numbers, so that a difference shows."""
    rng = np.random.default_rng(0)
    model.set_weights(
        [rng.normal(size=v.shape).astype("float32") * 0.5 for v in model.get_weights()]
    )
    return model


@pytest.fixture(scope="module")
def model():
    return translator()


def check_as_whole(model, is_cached, pairs=None):
    """That texts are those of calls on all there is, row by row."""
    pairs = PAIRS if pairs is None else pairs
    generator = Generator(model, 9)
    given = {**pairs, "decoder_token_ids": STARTS}
    tokens, _ = generator(model.params, given, LENGTHS)
    assert (generator.why_uncached is None) is is_cached, generator.why_uncached
    for row, length, text in zip(range(2), LENGTHS, np.asarray(tokens)):
        one = {name: value[row : row + 1] for name, value in pairs.items()}
        for end in range(length, 9):
            logits = model({**one, "decoder_token_ids": text[None, :end]})
            assert int(jnp.argmax(logits[0, -1])) == text[end]


@pytest.mark.promise("any functional model of attention layers")
@pytest.mark.parametrize("nested", [False, True])
def test_a_model_of_a_users_own(nested):
    check_as_whole(translator(nested=nested), True)


@pytest.mark.promise("The encoder runs once for a text")
def test_the_encoder_runs_once():
    runs = []

    class Counted(layers.Layer):
        def call(self, x):
            jax.debug.callback(lambda: runs.append(1))
            return x

    source = jkeras.Input((None,), dtype="int32", name="encoder_token_ids")
    tokens = jkeras.Input((None,), dtype="int32", name="decoder_token_ids")
    memory = Counted()(layers.Embedding(VOCABULARY, WIDTH)(source))
    x = layers.Embedding(VOCABULARY, WIDTH)(tokens)
    x = x + layers.MultiHeadAttention(2, 6)(x, memory)
    model = jkeras.Model([source, tokens], layers.Dense(VOCABULARY)(x))
    for cache in (True, False):
        runs.clear()
        generator = Generator(model, 9, cache=cache)
        given = {"encoder_token_ids": TOKENS, "decoder_token_ids": STARTS}
        jax.block_until_ready(generator(model.params, given))
        jax.effects_barrier()
        assert len(runs) == 1


def test_what_is_not_attention_takes_a_pass_over_the_text():
    """The same tokens, more slowly."""

    def take(x, memory):
        mean = layers.GlobalAveragePooling1D(keepdims=True)(memory)
        return layers.LSTM(WIDTH, return_sequences=True)(x + mean)

    check_as_whole(translator(take), False)


def test_a_decoder_that_adds_what_the_encoder_gives():
    """A number for each row, which is no position, goes with a cache."""

    def take(x, memory):
        return x + layers.GlobalAveragePooling1D(keepdims=True)(memory)

    check_as_whole(translator(take), True)


def test_masks_that_travel_beside_values_come_along():
    source = jkeras.Input((None,), dtype="int32", name="encoder_token_ids")
    tokens = jkeras.Input((None,), dtype="int32", name="decoder_token_ids")
    memory = layers.Embedding(VOCABULARY, WIDTH, mask_zero=True)(source)
    x = layers.Embedding(VOCABULARY, WIDTH)(tokens)
    x = layers.Add()([x, layers.MultiHeadAttention(2, 6)(x, x, use_causal_mask=True)])
    x = layers.Add()([x, layers.MultiHeadAttention(2, 6)(x, memory)])
    model = drawn(jkeras.Model([source, tokens], layers.Dense(VOCABULARY)(x)))
    check_as_whole(model, True, {"encoder_token_ids": TOKENS})
    longer = np.pad(TOKENS, [(0, 0), (0, 3)])
    found = [
        Generator(model, 9)(model.params, {"encoder_token_ids": t, "decoder_token_ids": STARTS})[0]
        for t in (TOKENS, longer)
    ]
    np.testing.assert_array_equal(*found)


def test_a_model_without_a_graph():
    class Pair(jkeras.Model):
        def __init__(self):
            super().__init__()
            self.inner = translator()

        def call(self, inputs):
            return self.inner(inputs)

    model = Pair()
    model({**PAIRS, "decoder_token_ids": STARTS})
    check_as_whole(model, False)


def test_a_causal_mask_over_the_source_is_seen_whole():
    def look(x, memory):
        return x + layers.MultiHeadAttention(2, 6)(x, memory, use_causal_mask=True)

    check_as_whole(translator(look), False)


def test_rows_models_and_samples(model):
    prompts = {**PAIRS, "decoder_token_ids": STARTS}
    generator = Generator(model, 9, generation.Sampler(temperature=1.0))
    tokens, _ = generator(model.params, prompts, LENGTHS, 3)
    first = {name: value[:1] for name, value in prompts.items()}
    np.testing.assert_array_equal(generator(model.params, first, LENGTHS[:1], 3)[0][0], tokens[0])
    left = {**PAIRS, "decoder_token_ids": np.array([[1, 2, 9], [0, 0, 1]])}
    other = Generator(model, 9, generation.Sampler(temperature=1.0), padding_side="left")
    np.testing.assert_array_equal(other(model.params, left, LENGTHS, 3)[0], tokens)
    two = jax.tree.map(lambda v: jnp.stack([v, v]), model.params)
    both = jax.vmap(lambda params: generator(params, prompts, LENGTHS, jax.random.key(3))[0])(two)
    np.testing.assert_array_equal(both[0], both[1])
    assert generator.programs()["decode"] <= 3


# ---------------------------------------------------------------- what is refused


@pytest.mark.promise("Serving, and drafts of a small model, refuse one with an encoder")
def test_what_has_no_place_for_an_encoder_says_so(model):
    expected = "expected a model of tokens alone, received one with the inputs"
    with pytest.raises(ValueError, match=expected):
        generation.SpeculativeGenerator(model, model, 9)
    with pytest.raises(ValueError, match=expected):
        generation.init_cache(model, 1, 9)
    with pytest.raises(ValueError, match=expected):
        list(generation.Server(Generator(model, 9), slots=2)(model.params, [[1, 2]]))


@pytest.mark.parametrize(
    "given, words",
    [
        ([[1, 2]], "a dict of the encoder's inputs"),
        ({"encoder_token_ids": [[1]]}, "an input `decoder_token_ids`, received none"),
        ({"decoder_token_ids": [[1]]}, "the encoder's inputs"),
        ({"encoder_token_ids": [[1]], "decoder_token_ids": [[1], [1]]}, "same number of rows"),
        ({"encoder_token_ids": [[19]], "decoder_token_ids": [1]}, "tokens from 0 to 18"),
        ({"encoder_token_ids": [[1]], "decoder_token_ids": [19]}, "tokens from 0 to 18"),
        ({"encoder_token_ids": [[]], "decoder_token_ids": [1]}, "one token or more"),
        ({"encoder_token_ids": [[1]], "decoder_token_ids": [1], "words": 1}, "'words'"),
        (
            {"encoder_token_ids": [[1]], "encoder_padding_mask": [[0]], "decoder_token_ids": [1]},
            "a token or more in each row",
        ),
    ],
)
def test_wrong_inputs_are_named(model, given, words):
    with pytest.raises(ValueError, match=words):
        model.generate(given, max_length=6)


def test_a_dict_for_a_model_without_an_encoder():
    x = jkeras.Input((None,), dtype="int32")
    model = jkeras.Model(x, layers.Embedding(5, 5)(x))
    with pytest.raises(ValueError, match="since the model has no encoder"):
        model.generate({"encoder_token_ids": [[1]]}, max_length=6)
