"""The model types that look at a text from both sides: BERT and those like it."""

from jkeras.core.errors import SerializationError
from jkeras.ops.rotary import Rotary
from jkeras.saving.hugging_face.native import rope
from jkeras.saving.hugging_face.native.common import (
    HEADS,
    KINDS,
    LAYERS,
    QKV,
    WIDTH,
    check_layers,
    of_equal_blocks,
    one_rope,
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
from jkeras.saving.hugging_face.native.plans import (
    Attention,
    Block,
    Feedforward,
    Head,
    Norm,
    Transformer,
)
from jkeras.saving.types import Config

LAYER = "encoder.layer.#"
BERT_ROWS = f"""
    embeddings.word_embeddings.weight embedding/embeddings
    embeddings.position_embeddings.weight positions/embeddings
    embeddings.token_type_embeddings.weight segments/embeddings
    embeddings.LayerNorm embedding_norm
    {LAYER}.attention.self.query layer_#/attention/query
    {LAYER}.attention.self.key layer_#/attention/key
    {LAYER}.attention.self.value layer_#/attention/value
    {LAYER}.attention.output.dense layer_#/attention/output_dense
    {LAYER}.attention.output.LayerNorm layer_#/norm_1
    {LAYER}.intermediate.dense layer_#/feedforward/up
    {LAYER}.output.dense layer_#/feedforward/down
    {LAYER}.output.LayerNorm layer_#/norm_2
"""


def _classes(name: str) -> dict[str, str]:
    """The classes of transformers that are written."""
    return {
        "backbone": f"{name}Model",
        "masked_lm": f"{name}ForMaskedLM",
        "classifier": f"{name}ForSequenceClassification",
    }


BERT_ENTRIES = {
    "vocab_size": number(NEEDED),
    WIDTH: number(NEEDED),
    LAYERS: number(NEEDED),
    HEADS: number(NEEDED),
    "intermediate_size": number(NEEDED),
    "hidden_act": activation("gelu"),
    "hidden_dropout_prob": number(0.1),
    "attention_probs_dropout_prob": number(0.1),
    "max_position_embeddings": number(512),
    "type_vocab_size": number(2),
    "layer_norm_eps": number(1e-12),
    "position_embedding_type": only("absolute"),
    "classifier_dropout": number(None),
    TIE: flag(True),
}


def _block(config: Config, norm: Norm) -> Block:
    """A block of BERT."""
    heads, size = config[HEADS], width_of_head(config)
    attention = Attention(
        heads,
        heads,
        size,
        size**-0.5,
        is_causal=False,
        bias=True,
        output_bias=True,
        dropout=config["attention_probs_dropout_prob"],
    )
    network = Feedforward(config["intermediate_size"], config["hidden_act"], False, True)
    return Block(attention, network, norm, "outside", dropout=config["hidden_dropout_prob"])


def _bert_like(config: Config, word: str, label: str, **changes: object) -> Transformer:
    """A transformer like BERT.

    Args:
        word, label: the activations of the heads.
    """
    norm = Norm("layer", config["layer_norm_eps"])
    dropout = config["classifier_dropout"]
    if dropout is None:
        dropout = config["hidden_dropout_prob"]
    plain = {
        "norm": norm,
        "final_norm": False,
        "embedding_norm": True,
        "positions": config["max_position_embeddings"],
        "segments": config["type_vocab_size"],
        "dropout": config["hidden_dropout_prob"],
        "head_bias": True,
        "word_head": Head(word, norm),
        "label_head": Head(label, dropout=dropout),
    }
    return of_equal_blocks(config, _block(config, norm), **{**plain, **changes})


def _bert_names(config: Config) -> str:
    """An untied head has its bias under another name than a tied one, in whose file that is a copy;
    transformers does not add the other.
    """
    return f"""{BERT_ROWS}
    pooler.dense label_dense
    cls.predictions.transform.dense word_dense
    cls.predictions.transform.LayerNorm word_norm
    cls.predictions.decoder.weight word_logits/kernel
    cls.predictions.{"" if config[TIE] else "decoder."}bias word_bias/bias
    classifier label_logits
    """


BERT = Family(
    kind="bert",
    writes=_classes("Bert"),
    prefix="bert.",
    names=_bert_names,
    entries=BERT_ENTRIES,
    plan=lambda config: _bert_like(config, config["hidden_act"], "tanh"),
    multiples=((WIDTH, HEADS),),
    ignored=(
        *("directionality", "pooler_fc_size", "pooler_num_attention_heads"),
        *("pooler_num_fc_layers", "pooler_size_per_head", "pooler_type"),
    ),
    heads=("cls.", "classifier.", "qa_outputs."),
    left=("pooler.",),
    tied={
        "cls.predictions.decoder.weight": "embeddings.word_embeddings.weight",
        "cls.predictions.decoder.bias": "cls.predictions.bias",
    },
    is_causal=False,
    older=(("LayerNorm.weight", "LayerNorm.gamma"), ("LayerNorm.bias", "LayerNorm.beta")),
)


# ---------------------------------------------------------------- RoBERTa


def _roberta(config: Config) -> Transformer:
    pad = config.get("pad_token_id", 1)
    if config["max_position_embeddings"] < pad + 2 or pad < 0:
        raise SerializationError(
            f"config.json says max_position_embeddings={config['max_position_embeddings']} and "
            f"pad_token_id={pad}: the first position is the one after the token of padding."
        )
    return _bert_like(
        config,
        "gelu",
        "tanh",
        positions=config["max_position_embeddings"] - pad - 1,
        first_position=pad + 1,
        skips_padding=True,
        pad=pad,
    )


def _roberta_names(config: Config) -> str:
    """As of BERT."""
    return f"""{BERT_ROWS}
    lm_head.dense word_dense
    lm_head.layer_norm word_norm
    lm_head.decoder.weight word_logits/kernel
    lm_head.{"" if config[TIE] else "decoder."}bias word_bias/bias
    classifier.dense label_dense
    classifier.out_proj label_logits
    """


def _roberta_family(kind: str, name: str) -> Family:
    """RoBERTa, or the one of many languages."""
    return Family(
        kind=kind,
        writes=_classes(name),
        prefix="roberta.",
        names=_roberta_names,
        entries=BERT_ENTRIES,
        plan=_roberta,
        multiples=((WIDTH, HEADS),),
        heads=("lm_head.", "classifier.", "qa_outputs."),
        left=("pooler.",),
        tied={
            "lm_head.decoder.weight": "embeddings.word_embeddings.weight",
            "lm_head.decoder.bias": "lm_head.bias",
        },
        is_causal=False,
        older=(("LayerNorm.weight", "LayerNorm.gamma"), ("LayerNorm.bias", "LayerNorm.beta")),
    )


ROBERTA = _roberta_family("roberta", "Roberta")
XLM_ROBERTA = _roberta_family("xlm-roberta", "XLMRoberta")

# ---------------------------------------------------------------- ELECTRA


def _electra(config: Config) -> Transformer:
    inner = config["embedding_size"]
    width = None if inner == config[WIDTH] else inner
    return _bert_like(config, "gelu", "gelu", embedding_width=width, projects_last=True)


ELECTRA = Family(
    kind="electra",
    writes=_classes("Electra"),
    prefix="electra.",
    names=f"""{BERT_ROWS}
    embeddings_project project_in
    generator_predictions.dense word_dense
    generator_predictions.LayerNorm word_norm
    generator_lm_head.weight word_logits/kernel
    generator_lm_head.bias word_bias/bias
    classifier.dense label_dense
    classifier.out_proj label_logits
    """,
    entries={**BERT_ENTRIES, "embedding_size": number(128)},
    plan=_electra,
    multiples=((WIDTH, HEADS),),
    ignored=("summary_last_dropout",),
    heads=("generator_", "discriminator_", "classifier.", "qa_outputs."),
    tied={"generator_lm_head.weight": "embeddings.word_embeddings.weight"},
    is_causal=False,
)

# ---------------------------------------------------------------- DistilBERT


def _distilbert(config: Config) -> Transformer:
    norm = Norm("layer", 1e-12)
    heads, size = config["n_heads"], config["dim"] // config["n_heads"]
    attention = Attention(
        heads,
        heads,
        size,
        size**-0.5,
        is_causal=False,
        bias=True,
        output_bias=True,
        dropout=config["attention_dropout"],
    )
    network = Feedforward(config["hidden_dim"], config["activation"], False, True)
    block = Block(attention, network, norm, "outside", dropout=config["dropout"])
    return Transformer(
        vocabulary=config["vocab_size"],
        width=config["dim"],
        blocks=(block,) * config["n_layers"],
        norm=norm,
        final_norm=False,
        embedding_norm=True,
        positions=config["max_position_embeddings"],
        is_tied=config[TIE],
        dropout=config["dropout"],
        head_bias=True,
        word_head=Head(config["activation"], norm),
        label_head=Head("relu", dropout=config["seq_classif_dropout"]),
    )


DISTILBERT = Family(
    kind="distilbert",
    writes=_classes("DistilBert"),
    prefix="distilbert.",
    names="""
    embeddings.word_embeddings.weight embedding/embeddings
    embeddings.position_embeddings.weight positions/embeddings
    embeddings.LayerNorm embedding_norm
    transformer.layer.#.attention.q_lin layer_#/attention/query
    transformer.layer.#.attention.k_lin layer_#/attention/key
    transformer.layer.#.attention.v_lin layer_#/attention/value
    transformer.layer.#.attention.out_lin layer_#/attention/output_dense
    transformer.layer.#.sa_layer_norm layer_#/norm_1
    transformer.layer.#.ffn.lin1 layer_#/feedforward/up
    transformer.layer.#.ffn.lin2 layer_#/feedforward/down
    transformer.layer.#.output_layer_norm layer_#/norm_2
    vocab_transform word_dense
    vocab_layer_norm word_norm
    vocab_projector.weight word_logits/kernel
    vocab_projector.bias word_bias/bias
    pre_classifier label_dense
    classifier label_logits
    """,
    entries={
        "vocab_size": number(NEEDED),
        "max_position_embeddings": number(512),
        "sinusoidal_pos_embds": flag(False),  # of how the vectors were made: they are in the file
        "n_layers": number(NEEDED),
        "n_heads": number(NEEDED),
        "dim": number(NEEDED),
        "hidden_dim": number(NEEDED),
        "dropout": number(0.1),
        "attention_dropout": number(0.1),
        "activation": activation("gelu"),
        "seq_classif_dropout": number(0.2),
        TIE: flag(True),
    },
    plan=_distilbert,
    multiples=(("dim", "n_heads"),),
    ignored=("qa_dropout", "tie_weights_", "output_past"),
    heads=("vocab_", "pre_classifier.", "classifier.", "qa_outputs."),
    tied={"vocab_projector.weight": "embeddings.word_embeddings.weight"},
    renamed={"dim": WIDTH, "n_heads": HEADS, "n_layers": LAYERS},
    is_causal=False,
)

# ---------------------------------------------------------------- ModernBERT

MODERN_LOCAL = "local_rope_theta"
MODERN_ROPE = rope.Form(theta=160000.0, entries=("global_rope_theta", None), kinds=("default",))


def _modern_kinds(config: Config) -> list[str]:
    """Which layers see a window, where it is not said: all but each third one."""
    every = config["global_attn_every_n_layers"]
    return [KINDS[layer % every != 0] for layer in range(config[LAYERS])]


def _modernbert(config: Config) -> Transformer:
    norm = Norm("layer", config["norm_eps"], has_shift=config["norm_bias"])
    heads, size = config[HEADS], width_of_head(config)
    check_layers(config, "layer_types", KINDS)
    local = Rotary(size, float(config[MODERN_LOCAL]))
    by_kind = {
        KINDS[0]: {"rotary": rope.rotary(MODERN_ROPE, config, size)},
        KINDS[1]: {"rotary": local, "window": config["local_attention"] // 2 + 1},
    }
    network = Feedforward(
        config["intermediate_size"], config["hidden_activation"], True, config["mlp_bias"]
    )
    blocks = []
    for layer, kind in enumerate(config["layer_types"]):
        attention = Attention(
            heads,
            heads,
            size,
            size**-0.5,
            is_causal=False,
            bias=config["attention_bias"],
            output_bias=config["attention_bias"],
            **by_kind[kind],
            dropout=config["attention_dropout"],
        )
        dropout = config["attention_dropout"]
        blocks.append(Block(attention, network, norm, no_first_norm=layer == 0, dropout=dropout))
    activation, bias = config["classifier_activation"], config["classifier_bias"]
    pooling = {"cls": "first", "mean": "mean"}[config["classifier_pooling"]]
    dropout = config["classifier_dropout"]
    return transformer_of(
        config,
        blocks,
        norm=norm,
        embedding_norm=True,
        dropout=config["embedding_dropout"],
        head_bias=config["decoder_bias"],
        word_head=Head(activation, norm, bias),
        label_head=Head(activation, norm, bias, pooling, dropout),
    )


MODERNBERT = Family(
    kind="modernbert",
    writes=_classes("ModernBert"),
    prefix="model.",
    names=f"""
    embeddings.tok_embeddings.weight embedding/embeddings
    embeddings.norm embedding_norm
    layers.#.attn_norm layer_#/norm_1
    layers.#.attn.Wqkv {QKV}
    layers.#.attn.Wo layer_#/attention/output_dense
    layers.#.mlp_norm layer_#/norm_2
    layers.#.mlp.Wi layer_#/feedforward/gate,layer_#/feedforward/up
    layers.#.mlp.Wo layer_#/feedforward/down
    final_norm final_norm
    head.dense word_dense
    head.norm word_norm
    head.dense label_dense
    head.norm label_norm
    decoder.weight word_logits/kernel
    decoder.bias word_bias/bias
    classifier label_logits
    """,
    entries={
        "vocab_size": number(NEEDED),
        WIDTH: number(NEEDED),
        "intermediate_size": number(NEEDED),
        LAYERS: number(NEEDED),
        HEADS: number(NEEDED),
        "hidden_activation": activation("gelu"),
        "max_position_embeddings": number(8192),
        "norm_eps": number(1e-5),
        "norm_bias": flag(False),
        "attention_bias": flag(False),
        "attention_dropout": number(0.0),
        "layer_types": Entry(None, "list"),
        "global_attn_every_n_layers": number(3),
        MODERN_LOCAL: number(10000.0),
        "local_attention": number(128),
        "embedding_dropout": number(0.0),
        "mlp_bias": flag(False),
        "mlp_dropout": only(0.0),
        "decoder_bias": flag(True),
        "classifier_pooling": Entry("cls", ("cls", "mean")),
        "classifier_dropout": number(0.0),
        "classifier_bias": flag(False),
        "classifier_activation": activation("gelu"),
        TIE: flag(True),
    },
    plan=_modernbert,
    rope=MODERN_ROPE,
    first=lambda config: one_rope(config, MODERN_LOCAL, "modernbert"),
    derived={"layer_types": _modern_kinds},
    multiples=((WIDTH, HEADS),),
    # how it is computed, and entries that transformers does not look at
    ignored=(
        *("cls_token_id", "deterministic_flash_attn", "initializer_cutoff_factor"),
        *(
            "layer_norm_eps",
            "position_embedding_type",
            "reference_compile",
            "repad_logits_with_grad",
        ),
        *("sparse_prediction", "sparse_pred_ignore_index"),
    ),
    heads=("head.", "decoder.", "classifier.", "qa_outputs."),
    tied={"decoder.weight": "embeddings.tok_embeddings.weight"},
    is_causal=False,
)
FAMILIES = (BERT, ROBERTA, XLM_ROBERTA, ELECTRA, DISTILBERT, MODERNBERT)
