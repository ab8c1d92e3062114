"""The model types with norms of mean and variance, of the time before Llama."""

from jkeras.core.errors import SerializationError
from jkeras.saving.hugging_face.native import rope
from jkeras.saving.hugging_face.native.common import (
    HEADS,
    LAYERS,
    QKV,
    ROPE,
    WIDTH,
    classes,
    of_equal_blocks,
    transformer_of,
    width_of_head,
)
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
from jkeras.saving.hugging_face.native.plans import Attention, Block, Feedforward, Norm, Transformer
from jkeras.saving.types import Config

WEIGHTS = """
    layers.#.input_layernorm layer_#/norm_1
    layers.#.post_attention_layernorm layer_#/norm_2
"""
FUSED = f"{QKV} grouped"


def _layer_norm(epsilon: float) -> Norm:
    return Norm("layer", epsilon)


# ---------------------------------------------------------------- GPT-NeoX

NEOX_ROPE = rope.Form(share=0.25, entries=("rotary_emb_base", "rotary_pct"))


def _gpt_neox(config: Config) -> Transformer:
    norm = _layer_norm(config["layer_norm_eps"])
    heads, size = config[HEADS], width_of_head(config)
    attention = Attention(
        heads,
        heads,
        size,
        size**-0.5,
        bias=config["attention_bias"],
        output_bias=config["attention_bias"],
        rotary=rope.rotary(NEOX_ROPE, config, size),
        dropout=config["attention_dropout"],
    )
    network = Feedforward(config["intermediate_size"], config["hidden_act"], False, True)
    form = "parallel" if config["use_parallel_residual"] else "before"
    block = Block(attention, network, norm, form, dropout=config["hidden_dropout"])
    return of_equal_blocks(config, block, norm=norm, dropout=config["hidden_dropout"])


GPT_NEOX = Family(
    kind="gpt_neox",
    writes=classes("GPTNeoX"),
    prefix="gpt_neox.",
    names=f"""
    embed_in.weight embedding/embeddings
    final_layer_norm final_norm
    embed_out.weight lm_head/kernel
    score.weight score/kernel
    {WEIGHTS}
    layers.#.attention.query_key_value {FUSED}
    layers.#.attention.dense layer_#/attention/output_dense
    layers.#.mlp.dense_h_to_4h layer_#/feedforward/up
    layers.#.mlp.dense_4h_to_h layer_#/feedforward/down
    """,
    entries={
        "vocab_size": number(NEEDED),
        WIDTH: number(NEEDED),
        "intermediate_size": number(NEEDED),
        LAYERS: number(NEEDED),
        HEADS: number(NEEDED),
        "hidden_act": activation("gelu"),
        "attention_dropout": number(0.0),
        "hidden_dropout": number(0.0),
        "max_position_embeddings": number(2048),
        "layer_norm_eps": number(1e-5),
        TIE: flag(False),
        "use_parallel_residual": flag(True),
        "attention_bias": flag(True),
    },
    plan=_gpt_neox,
    rope=NEOX_ROPE,
    multiples=((WIDTH, HEADS),),
)

# ---------------------------------------------------------------- Falcon


def _falcon_groups(config: Config) -> int:
    """How many heads keys and values have.

    Raises:
        SerializationError: entries differ.
    """
    heads, groups = config[HEADS], config["num_kv_heads"]
    if config["new_decoder_architecture"]:
        if heads % groups:
            raise SerializationError(
                f"config.json says {HEADS}={heads} and num_kv_heads={groups}: expected the first "
                "to be a multiple of the second."
            )
        return groups
    if config["multi_query"]:
        return 1
    if groups != heads:
        raise SerializationError(
            f"config.json says num_kv_heads={groups} and multi_query=False: expected {heads}, the "
            f"{HEADS}."
        )
    return heads


def _falcon_form(config: Config) -> dict[str, object]:
    """Where the norms are.

    Raises:
        SerializationError: nowhere where a model of transformers has them.
    """
    if not config["new_decoder_architecture"]:
        form = {True: "parallel", False: "before"}[config["parallel_attn"]]
        return {"form": form, "one_norm": config["parallel_attn"]}
    norms = config["num_ln_in_parallel_attn"]
    known = (None, 1, 2) if config["parallel_attn"] else (None, 2)
    if norms not in known:
        raise SerializationError(
            f"config.json says num_ln_in_parallel_attn={norms!r}: expected 1 or 2, and 2 with "
            "parallel_attn=False."
        )
    return {"form": "parallel", "one_norm": norms == 1}


def _falcon(config: Config) -> Transformer:
    norm = _layer_norm(config["layer_norm_epsilon"])
    size, bias = width_of_head(config), config["bias"]
    by_position = {"rotary": rope.rotary(ROPE, config, size)}
    if config["alibi"]:
        by_position = {"alibi": "scaled"}
    attention = Attention(
        config[HEADS],
        _falcon_groups(config),
        size,
        size**-0.5,
        bias=bias,
        output_bias=bias,
        **by_position,
        dropout=config["attention_dropout"],
    )
    network = Feedforward(config["ffn_hidden_size"], config["activation"], False, bias)
    dropout = config["hidden_dropout"]
    block = Block(attention, network, norm, dropout=dropout, **_falcon_form(config))
    return of_equal_blocks(config, block, norm=norm)


def _falcon_names(config: Config) -> str:
    """The names of a norm are others where there are two of the newer kind."""
    first, second = "input_layernorm", "post_attention_layernorm"
    if config["new_decoder_architecture"] and config["num_ln_in_parallel_attn"] != 1:
        first, second = "ln_attn", "ln_mlp"
    return f"""
    word_embeddings.weight embedding/embeddings
    ln_f final_norm
    lm_head.weight lm_head/kernel
    score.weight score/kernel
    h.#.{first} layer_#/norm_1
    h.#.{second} layer_#/norm_2
    h.#.self_attention.query_key_value {FUSED}
    h.#.self_attention.dense layer_#/attention/output_dense
    h.#.mlp.dense_h_to_4h layer_#/feedforward/up
    h.#.mlp.dense_4h_to_h layer_#/feedforward/down
    """


FALCON = Family(
    kind="falcon",
    writes=classes("Falcon"),
    prefix="transformer.",
    names=_falcon_names,
    entries={
        "vocab_size": number(NEEDED),
        WIDTH: number(NEEDED),
        LAYERS: number(NEEDED),
        HEADS: number(NEEDED),
        "num_ln_in_parallel_attn": Entry(None, "list"),
        "layer_norm_epsilon": number(1e-5),
        "hidden_dropout": number(0.0),
        "attention_dropout": number(0.0),
        "num_kv_heads": number(None),
        "alibi": flag(False),
        "new_decoder_architecture": flag(False),
        "multi_query": flag(True),
        "parallel_attn": flag(True),
        "bias": flag(False),
        "max_position_embeddings": number(2048),
        "ffn_hidden_size": number(None),
        "activation": activation("gelu"),
        TIE: flag(True),
    },
    plan=_falcon,
    rope=ROPE,
    derived={
        "num_kv_heads": lambda config: config[HEADS],
        "ffn_hidden_size": lambda config: 4 * config[WIDTH],
    },
    multiples=((WIDTH, HEADS),),
    renamed={WIDTH: "n_embed"},
)

# ---------------------------------------------------------------- OPT


def _opt(config: Config) -> Transformer:
    has_weights = config["layer_norm_elementwise_affine"]
    norm = Norm("layer", 1e-5, has_weights, has_weights)
    heads, size, bias = config[HEADS], width_of_head(config), config["enable_bias"]
    attention = Attention(
        heads,
        heads,
        size,
        size**-0.5,
        bias=bias,
        output_bias=bias,
        dropout=config["attention_dropout"],
    )
    network = Feedforward(config["ffn_dim"], config["activation_function"], False, bias)
    is_before = config["do_layer_norm_before"]
    form = "before" if is_before else "outside"
    inner = config["word_embed_proj_dim"]
    return of_equal_blocks(
        config,
        Block(attention, network, norm, form, dropout=config["dropout"]),
        norm=norm,
        final_norm=is_before and not config["_remove_final_layer_norm"],
        embedding_width=None if inner == config[WIDTH] else inner,
        positions=config["max_position_embeddings"],
        first_position=2,
    )


OPT = Family(
    kind="opt",
    writes=classes("OPT"),
    prefix="model.",
    names="""
    decoder.embed_tokens.weight embedding/embeddings
    decoder.embed_positions.weight positions/embeddings
    decoder.project_in project_in
    decoder.project_out project_out
    decoder.final_layer_norm final_norm
    lm_head.weight lm_head/kernel
    score.weight score/kernel
    decoder.layers.#.self_attn.q_proj layer_#/attention/query
    decoder.layers.#.self_attn.k_proj layer_#/attention/key
    decoder.layers.#.self_attn.v_proj layer_#/attention/value
    decoder.layers.#.self_attn.out_proj layer_#/attention/output_dense
    decoder.layers.#.self_attn_layer_norm layer_#/norm_1
    decoder.layers.#.fc1 layer_#/feedforward/up
    decoder.layers.#.fc2 layer_#/feedforward/down
    decoder.layers.#.final_layer_norm layer_#/norm_2
    """,
    entries={
        "vocab_size": number(NEEDED),
        WIDTH: number(NEEDED),
        LAYERS: number(NEEDED),
        "ffn_dim": number(NEEDED),
        "max_position_embeddings": number(NEEDED),
        "do_layer_norm_before": flag(True),
        "_remove_final_layer_norm": flag(False),
        "word_embed_proj_dim": number(None),
        "dropout": number(0.1),
        "attention_dropout": number(0.0),
        HEADS: number(NEEDED),
        "activation_function": activation("relu"),
        "layerdrop": only(0.0),
        "enable_bias": flag(True),
        "layer_norm_elementwise_affine": flag(True),
        TIE: flag(True),
    },
    plan=_opt,
    derived={"word_embed_proj_dim": lambda config: config[WIDTH]},
    multiples=((WIDTH, HEADS),),
    ignored=("init_std", "activation_dropout"),  # transformers has none of the second
)

# ---------------------------------------------------------------- BLOOM


def _bloom(config: Config) -> Transformer:
    norm = _layer_norm(config["layer_norm_epsilon"])
    heads = config["n_head"]
    size = config[WIDTH] // heads
    attention = Attention(
        heads,
        heads,
        size,
        size**-0.5,
        bias=True,
        output_bias=True,
        alibi="unscaled",
        dropout=config["attention_dropout"],
    )
    network = Feedforward(4 * config[WIDTH], "gelu_new", False, True)
    form = "normed" if config["apply_residual_connection_post_layernorm"] else "before"
    block = Block(attention, network, norm, form, dropout=config["hidden_dropout"])
    blocks = [block] * config["n_layer"]
    return transformer_of(config, blocks, norm=norm, embedding_norm=True)


BLOOM = Family(
    kind="bloom",
    writes=classes("Bloom"),
    prefix="transformer.",
    names=f"""
    word_embeddings.weight embedding/embeddings
    word_embeddings_layernorm embedding_norm
    ln_f final_norm
    lm_head.weight lm_head/kernel
    score.weight score/kernel
    h.#.input_layernorm layer_#/norm_1
    h.#.post_attention_layernorm layer_#/norm_2
    h.#.self_attention.query_key_value {FUSED}
    h.#.self_attention.dense layer_#/attention/output_dense
    h.#.mlp.dense_h_to_4h layer_#/feedforward/up
    h.#.mlp.dense_4h_to_h layer_#/feedforward/down
    """,
    entries={
        "vocab_size": number(NEEDED),
        WIDTH: number(NEEDED),
        "n_layer": number(NEEDED),
        "n_head": number(NEEDED),
        "layer_norm_epsilon": number(1e-5),
        "apply_residual_connection_post_layernorm": flag(False),
        "hidden_dropout": number(0.0),
        "attention_dropout": number(0.0),
        TIE: flag(True),
    },
    plan=_bloom,
    multiples=((WIDTH, "n_head"),),
    # of how it is computed in parts, and of the program that trained the first ones
    ignored=(
        *("attention_softmax_in_fp32", "bias_dropout_fusion", "masked_softmax_fusion"),
        *("offset_alibi", "seq_length", "skip_bias_add", "skip_bias_add_qkv"),
        *("slow_but_exact", "unk_token_id"),
    ),
    renamed={"n_layer": LAYERS, "n_head": HEADS, WIDTH: "n_embed"},
)
FAMILIES = (GPT_NEOX, FALCON, OPT, BLOOM)
