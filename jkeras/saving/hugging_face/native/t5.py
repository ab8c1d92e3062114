"""T5: attention that knows distances alone (Raffel et al. 2020, arXiv:1910.10683)."""

from jkeras.core.errors import SerializationError
from jkeras.saving.hugging_face.native.family import (
    ACTIVATIONS,
    NEEDED,
    TIE,
    Entry,
    Family,
    Weights,
    flag,
    number,
    only,
)
from jkeras.saving.hugging_face.native.plans import (
    Attention,
    Block,
    Buckets,
    EncoderDecoder,
    Feedforward,
    Norm,
    Transformer,
)
from jkeras.saving.hugging_face.native.seq2seq import START, numbered, writes
from jkeras.saving.hugging_face.sizes import are_equal
from jkeras.saving.types import Config

DISTANCES = "block.0.layer.0.SelfAttention.relative_attention_bias"
ONCE = f"""
    shared.weight embedding/embeddings
    lm_head.weight lm_head/kernel
    encoder.final_layer_norm.weight encoder_norm/scale
    decoder.final_layer_norm.weight decoder_norm/scale
    encoder.{DISTANCES}.weight encoder_distances/embeddings
    decoder.{DISTANCES}.weight decoder_distances/embeddings
"""


def _attention(theirs: str, ours: str) -> str:
    """Rows of attention."""
    return f"""
    {theirs}.q {ours}/query
    {theirs}.k {ours}/key
    {theirs}.v {ours}/value
    {theirs}.o {ours}/output_dense
    """


def _rows(part: str, last: int, is_gated: bool) -> str:
    """Rows of a layer.

    Args:
        part: "encoder" or "decoder".
        last: the number of the feedforward network in it.
    """
    theirs, ours = f"{part}.block.#.layer", f"{part}_layer_#"
    up = "wi_1" if is_gated else "wi"
    rows = f"""
    {theirs}.0.layer_norm.weight {ours}/norm_1/scale
    {_attention(f"{theirs}.0.SelfAttention", f"{ours}/attention")}
    {theirs}.{last}.layer_norm.weight {ours}/norm_2/scale
    {theirs}.{last}.DenseReluDense.wi_0 {ours}/feedforward/gate
    {theirs}.{last}.DenseReluDense.{up} {ours}/feedforward/up
    {theirs}.{last}.DenseReluDense.wo {ours}/feedforward/down
    """
    if part == "encoder":
        return rows
    return f"""{rows}
    {theirs}.1.layer_norm.weight {ours}/norm_cross/scale
    {_attention(f"{theirs}.1.EncDecAttention", f"{ours}/cross")}
    """


def _names(config: Config) -> str:
    is_gated = config["is_gated_act"]
    encoder, decoder = _rows("encoder", 1, is_gated), _rows("decoder", 2, is_gated)
    layers = {encoder: config["num_layers"], decoder: config["num_decoder_layers"]}
    return numbered(ONCE, layers)


def _activation(config: Config) -> tuple[bool, str]:
    """(whether it gates, its name), as `feed_forward_proj` says both.

    Raises:
        SerializationError: it is none that is computed.
    """
    said = config["feed_forward_proj"]
    name = said.removeprefix("gated-") if isinstance(said, str) else said
    if name not in ACTIVATIONS:
        raise SerializationError(
            f"config.json says feed_forward_proj={said!r}: expected one of {', '.join(ACTIVATIONS)}"
            ", or one behind 'gated-'."
        )
    if said == "gated-gelu":  # which T5 has in its approximate form
        name = "gelu_new"
    return said.startswith("gated-"), name


def _check(config: Config) -> None:
    """Raises SerializationError where entries say two things, or distances have no buckets."""
    said = dict(zip(("is_gated_act", "dense_act_fn"), _activation(config)))
    for entry, value in said.items():
        if config[entry] != value:
            raise SerializationError(
                f"config.json says {entry}={config[entry]!r} and "
                f"feed_forward_proj={config['feed_forward_proj']!r}, which says {value!r}."
            )
    count, longest = (config[f"relative_attention_{k}"] for k in ("num_buckets", "max_distance"))
    if count < 4 or count % 2 or longest <= count // 2:
        raise SerializationError(
            f"config.json says relative_attention_num_buckets={count} and "
            f"relative_attention_max_distance={longest}: expected an even number of 4 or more, and "
            "more than half of that."
        )


def _t5(config: Config) -> EncoderDecoder:
    _check(config)
    dropout, heads = config["dropout_rate"], config["num_heads"]
    norm = Norm("rms", config["layer_norm_epsilon"])
    network = Feedforward(
        config["d_ff"], config["dense_act_fn"], config["is_gated_act"], dropout=dropout
    )

    def attention(is_causal: bool) -> Attention:
        return Attention(heads, heads, config["d_kv"], 1.0, is_causal, dropout=dropout)

    def transformer(is_causal: bool, layers: int, cross: Attention | None) -> Transformer:
        block = Block(attention(is_causal), network, norm, dropout=dropout, cross=cross)
        return Transformer(
            config["vocab_size"],
            config["d_model"],
            (block,) * layers,
            norm,
            buckets=Buckets(
                config["relative_attention_num_buckets"], config["relative_attention_max_distance"]
            ),
            is_tied=config[TIE],
            logit_scale=config["d_model"] ** -0.5 if config["scale_decoder_outputs"] else 1.0,
            dropout=dropout,
            final_dropout=dropout,
        )

    return EncoderDecoder(
        transformer(False, config["num_layers"], None),
        transformer(True, config["num_decoder_layers"], attention(False)),
    )


def _without_none(config: Config) -> Config:
    """The entries.

    Raises:
        SerializationError: one that follows from others is None, which transformers takes for
            False.
    """
    for entry in ("scale_decoder_outputs", "is_gated_act", "dense_act_fn"):
        if entry in config and config[entry] is None:
            raise SerializationError(
                f"config.json says {entry}=None: remove the entry, which follows from others."
            )
    return config


def _own_head(config: Config, weights: Weights) -> Config:
    """The entries, with a head of its own where the files have one: newer versions of transformers
    write that heads are tied, whatever they are.
    """
    both = "lm_head.weight", "shared.weight"
    is_said = config.get(TIE) is not False
    if not is_said or not all(name in weights for name in both):
        return config
    head, shared = (weights[name] for name in both)
    if are_equal(head, shared):
        return config
    return {"scale_decoder_outputs": True, **config, TIE: False}


T5 = Family(
    kind="t5",
    writes=writes("T5"),
    prefix="",
    names=_names,
    entries={
        "vocab_size": number(NEEDED),
        "d_model": number(NEEDED),
        "d_kv": number(NEEDED),
        "d_ff": number(NEEDED),
        "num_layers": number(NEEDED),
        "num_decoder_layers": number(None),
        "num_heads": number(NEEDED),
        "relative_attention_num_buckets": number(32),
        "relative_attention_max_distance": number(128),
        "dropout_rate": number(0.1),
        "layer_norm_epsilon": number(1e-6),
        "feed_forward_proj": Entry("relu", "list"),
        "is_gated_act": Entry(None, (True, False)),
        "dense_act_fn": Entry(None, ACTIVATIONS),
        "scale_decoder_outputs": Entry(None, (True, False)),
        TIE: flag(True),
        START: number(0),
        "is_encoder_decoder": only(True),
    },
    plan=_t5,
    derived={
        "num_decoder_layers": lambda config: config["num_layers"],
        "is_gated_act": lambda config: _activation(config)[0],
        "dense_act_fn": lambda config: _activation(config)[1],
        "scale_decoder_outputs": lambda config: config[TIE],
    },
    first=_without_none,
    renamed={
        "d_model": "hidden_size",
        "d_kv": "head_dim",
        "num_layers": "num_hidden_layers",
        "num_heads": "num_attention_heads",
    },
    # of texts of training; and of a head for labels
    ignored=("n_positions", "classifier_dropout"),
    # the last of older files, which nothing looks at
    left=(
        *("encoder.embed_tokens.", "decoder.embed_tokens."),
        "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.",
    ),
    tied={
        "encoder.embed_tokens.weight": "shared.weight",
        "decoder.embed_tokens.weight": "shared.weight",
    },
    by_weights=_own_head,
)

FAMILIES = (T5,)
