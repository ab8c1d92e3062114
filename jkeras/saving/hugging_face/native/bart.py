"""BART and Whisper: the transformer of two halves, with learned positions (Lewis et al. 2019,
arXiv:1910.13461; Radford et al. 2022, arXiv:2212.04356).
"""

from jkeras.core.errors import SerializationError
from jkeras.saving.hugging_face.native.family import (
    NEEDED,
    TIE,
    Entry,
    Family,
    activation,
    flag,
    number,
    only,
)
from jkeras.saving.hugging_face.native.plans import (
    Attention,
    Block,
    EncoderDecoder,
    Feedforward,
    Norm,
    Sound,
    Transformer,
)
from jkeras.saving.hugging_face.native.seq2seq import START, numbered, writes
from jkeras.saving.types import Config


def _attention_rows(theirs: str, ours: str) -> str:
    """Rows of attention."""
    return f"""
    {theirs}.q_proj {ours}/query
    {theirs}.k_proj {ours}/key
    {theirs}.v_proj {ours}/value
    {theirs}.out_proj {ours}/output_dense
    {theirs}_layer_norm {{norm}}
    """


def _layer_rows(part: str) -> str:
    """Rows of a layer of "encoder" or "decoder"."""
    theirs, ours = f"{part}.layers.#", f"{part}_layer_#"
    own = _attention_rows(f"{theirs}.self_attn", f"{ours}/attention")
    rows = f"""{own.format(norm=f"{ours}/norm_1")}
    {theirs}.fc1 {ours}/feedforward/up
    {theirs}.fc2 {ours}/feedforward/down
    {theirs}.final_layer_norm {ours}/norm_2
    """
    if part == "encoder":
        return rows
    cross = _attention_rows(f"{theirs}.encoder_attn", f"{ours}/cross")
    return rows + cross.format(norm=f"{ours}/norm_cross")


def _names(once: str, config: Config) -> str:
    """All rows."""
    return numbered(
        once,
        {
            _layer_rows("encoder"): config["encoder_layers"],
            _layer_rows("decoder"): config["decoder_layers"],
        },
    )


def _half(config: Config, part: str, form: str, **changes: object) -> Transformer:
    """The encoder or the decoder.

    Args:
        form: where norms are.
        changes: of the plan; `key_bias` of attention.

    Raises:
        SerializationError: heads do not divide the width.
    """
    width, heads = config["d_model"], config[f"{part}_attention_heads"]
    if width % heads:
        raise SerializationError(
            f"config.json says d_model={width} and {part}_attention_heads={heads}: expected the "
            "first to be a multiple of the second."
        )
    size, key_bias = width // heads, changes.pop("key_bias", None)

    def attention(is_causal: bool) -> Attention:
        return Attention(
            heads,
            heads,
            size,
            size**-0.5,
            is_causal,
            bias=True,
            key_bias=key_bias,
            output_bias=True,
            dropout=config["attention_dropout"],
        )

    is_decoder = part == "decoder"
    norm = Norm("layer", 1e-5)
    inner, within = config[f"{part}_ffn_dim"], config["activation_dropout"]
    network = Feedforward(inner, config["activation_function"], False, True, dropout=within)
    cross = attention(False) if is_decoder else None
    own = attention(is_decoder)
    block = Block(own, network, norm, form, dropout=config["dropout"], cross=cross)
    blocks = (block,) * config[f"{part}_layers"]
    plain = {"dropout": config["dropout"], "is_tied": config[TIE]}
    plain["vocabulary"] = config["vocab_size"]
    return Transformer(width=width, blocks=blocks, norm=norm, **{**plain, **changes})


def _entries(start: int, **further: Entry) -> dict[str, Entry]:
    """Those of both.

    Args:
        start: the token that texts begin with, where a file does not say it.
    """
    parts = ("attention_heads", "ffn_dim", "layers")
    sizes = [f"{half}_{size}" for half in ("encoder", "decoder") for size in parts]
    return {
        "vocab_size": number(NEEDED),
        "d_model": number(NEEDED),
        **{size: number(NEEDED) for size in sizes},
        "activation_function": activation("gelu"),
        "attention_dropout": number(0.0),
        "activation_dropout": number(0.0),
        "encoder_layerdrop": only(0.0),
        "decoder_layerdrop": only(0.0),
        TIE: flag(True),
        START: number(start),
        "is_encoder_decoder": only(True),
        **further,
    }


OTHER_NAMES = {
    "d_model": "hidden_size",
    "encoder_layers": "num_hidden_layers",
    "encoder_attention_heads": "num_attention_heads",
}

# ---------------------------------------------------------------- BART

BART_ONCE = """
    shared.weight embedding/embeddings
    encoder.embed_positions.weight encoder_positions/embeddings
    encoder.layernorm_embedding encoder_embedding_norm
    decoder.embed_positions.weight decoder_positions/embeddings
    decoder.layernorm_embedding decoder_embedding_norm
    lm_head.weight lm_head/kernel
    final_logits_bias logits_bias/bias row
"""


def _bart(config: Config) -> EncoderDecoder:
    changes = {
        "final_norm": False,
        "embedding_norm": True,
        "positions": config["max_position_embeddings"],
        "first_position": 2,
        "embedding_scale": config["d_model"] ** 0.5 if config["scale_embedding"] else 1.0,
    }
    encoder = _half(config, "encoder", "outside", **changes)
    decoder = _half(config, "decoder", "outside", **changes)
    return EncoderDecoder(encoder, decoder, logits_bias=True)


BART = Family(
    kind="bart",
    writes=writes("Bart"),
    prefix="model.",
    names=lambda config: _names(BART_ONCE, config),
    entries=_entries(
        2,
        max_position_embeddings=number(1024),
        dropout=number(0.1),
        scale_embedding=flag(False),
        # else there are three tables of tokens
        tie_word_embeddings=only(True),
        # of the model that these were before they were transformers'
        add_bias_logits=only(False),
        add_final_layer_norm=only(False),
        normalize_before=only(False),
        normalize_embedding=only(True),
        static_position_embeddings=only(False),
    ),
    plan=_bart,
    renamed=OTHER_NAMES,
    ignored=("init_std", "classif_dropout", "extra_pos_embeddings"),
    heads=("lm_head.", "final_logits_bias"),
    left=("encoder.embed_tokens.", "decoder.embed_tokens."),
    tied={
        "model.encoder.embed_tokens.weight": "shared.weight",
        "model.decoder.embed_tokens.weight": "shared.weight",
    },
    may_miss=("final_logits_bias",),
)

# ---------------------------------------------------------------- Whisper

WHISPER_ONCE = """
    encoder.conv1 encoder_conv_1 reversed
    encoder.conv2 encoder_conv_2 reversed
    encoder.embed_positions.weight encoder_positions/embeddings
    encoder.layer_norm encoder_norm
    decoder.embed_tokens.weight embedding/embeddings
    decoder.embed_positions.weight decoder_positions/embeddings
    decoder.layer_norm decoder_norm
    proj_out.weight lm_head/kernel
"""


def _whisper(config: Config) -> EncoderDecoder:
    source, target = config["max_source_positions"], config["max_target_positions"]
    encoder = _half(config, "encoder", "before", key_bias=False, positions=source, vocabulary=0)
    decoder = _half(config, "decoder", "before", key_bias=False, positions=target)
    return EncoderDecoder(encoder, decoder, Sound(config["num_mel_bins"]))


WHISPER = Family(
    kind="whisper",
    writes=writes("Whisper"),
    prefix="model.",
    names=lambda config: _names(WHISPER_ONCE, config),
    entries=_entries(
        50257,
        dropout=number(0.0),
        num_mel_bins=number(80),
        max_source_positions=number(1500),
        max_target_positions=number(448),
        scale_embedding=only(False),
        apply_spec_augment=only(False),
    ),
    plan=_whisper,
    renamed=OTHER_NAMES,
    # of training, of how tokens are chosen, and of a head for labels
    ignored=(
        *("init_std", "forced_decoder_ids", "median_filter_width", "classifier_proj_size"),
        *("mask_time_prob", "mask_time_length", "mask_time_min_masks", "use_weighted_layer_sum"),
        *("mask_feature_prob", "mask_feature_length", "mask_feature_min_masks"),
    ),
    heads=("proj_out.",),
    tied={"proj_out.weight": "decoder.embed_tokens.weight"},
)
FAMILIES = (BART, WHISPER)
