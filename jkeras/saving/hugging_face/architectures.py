"""The architectures that are read and written: which weight of keras-hub is which of transformers,
and which argument is which entry of `config.json`. Each table is used in both directions.
"""

import collections.abc
import dataclasses
import operator
import typing

from jkeras.saving.hugging_face.layouts import Matrix, Same, Vector
from jkeras.saving.types import Config

LINEAR = Matrix()  # a Dense layer, a query, key or value
LINEAR_OUTPUT = Matrix(inputs=2)  # of attention: (heads, width, outputs)
HEADS_FIRST = Matrix(heads_first=True)
CONV1D = Matrix(outputs_first=False)  # GPT-2's name for a Dense layer
CONV1D_OUTPUT = Matrix(inputs=2, outputs_first=False)
LAYER = "{layer}"  # stands for the number of a layer in names
HEAD = "lm_head.weight"  # the only name that has no prefix
TIE = "tie_word_embeddings"  # whether there is none of it
Value = typing.TypeVar("Value")
Table = collections.abc.Mapping[str, Value]


class Row(typing.NamedTuple):
    """A weight of transformers, and what it holds.

    Attributes:
        theirs: its name, without the prefix that models with a head have.
        ours: the paths of keras-hub's weights in it.
    """

    theirs: str
    ours: tuple[str, ...]
    layout: Same | Vector | Matrix


@dataclasses.dataclass(frozen=True)
class Architecture:
    """How a backbone of keras-hub and a model of transformers are one another.

    Attributes:
        backbone: name of the class in `keras_hub.models`.
        model_type: as `config.json` has it.
        writes: the class of transformers that is written.
        prefix: what the names begin with in a model with a head.
        rows: the weights; those with `{layer}` come once for each layer.
        settings: {entry of `config.json`: argument of the backbone}.
        shapes: {weight of transformers: for each axis the entries whose product it is}.
        fixed: {entry: the values that the backbone computes}; the first one is written.
        limits: {entry: the values for which the backbone computes it}; not written for them.
        multiples: (entry, another one that divides it).
        equal: {entry: function of all entries}, the only value that the backbone computes.
        ignored: further entries that change no output.
        missing: {entry: what transformers takes where a file does not have it}.
        derived: {entry: function of all entries}, where it is missing or None.
        optional: entries of `settings` that may be None.
        copies: {entry: another one, whose value it has}.
        halves: entries of which the argument counts two.
        alone: {argument: the only value of it that is computed as transformers does}.
        has_rope: whether positions rotate queries and keys.
        rope_linear: the argument that divides positions, where there is one.
        rope_llama3: {entry of "rope_scaling": argument} for Llama 3's way to scale them.
        has_window: whether files may have a window for some layers, which no layer here has.
        renamed: (end of a name, its end in older files).
    """

    backbone: str
    model_type: str
    writes: str
    prefix: str
    rows: tuple[Row, ...]
    settings: Table[str]
    shapes: Table[tuple[tuple[str, ...], ...]]
    fixed: Table[tuple]
    limits: Table[tuple] = dataclasses.field(default_factory=dict)
    multiples: tuple[tuple[str, str], ...] = ()
    equal: Table[collections.abc.Callable] = dataclasses.field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    missing: Table[object] = dataclasses.field(default_factory=dict)
    derived: Table[collections.abc.Callable] = dataclasses.field(default_factory=dict)
    optional: tuple[str, ...] = ()
    copies: Table[str] = dataclasses.field(default_factory=dict)
    halves: tuple[str, ...] = ()
    alone: Table[object] = dataclasses.field(default_factory=dict)
    has_rope: bool = False
    rope_linear: str | None = None
    rope_llama3: Table[str] = dataclasses.field(default_factory=dict)
    has_window: bool = False
    renamed: tuple[tuple[str, str], ...] = ()

    @property
    def has_head(self) -> bool:
        """Whether a causal language model is written."""
        return self.writes.endswith("ForCausalLM") or self.writes.endswith("LMHeadModel")

    @property
    def layers(self) -> str:
        """The entry that says how many layers there are."""
        return next(theirs for theirs, ours in self.settings.items() if ours == "num_layers")

    def rows_of(self, layers: int) -> list[Row]:
        """The rows of a model with so many layers, in the order of the file."""
        once = [row for row in self.rows if LAYER not in row.theirs]
        repeated = [row for row in self.rows if LAYER in row.theirs]
        return once + [_numbered(row, layer) for layer in range(layers) for row in repeated]

    def names(self, theirs: str) -> list[str]:
        """The names that a weight has in one file or another; the one that is written is first."""
        older = [
            theirs.removesuffix(new) + old for new, old in self.renamed if theirs.endswith(new)
        ]
        names = [theirs, *older]
        if theirs == HEAD:
            return names
        prefixed = [self.prefix + name for name in names]
        return prefixed + names if self.has_head else names + prefixed


def _numbered(row: Row, layer: int) -> Row:
    """A row of one layer."""
    return Row(
        row.theirs.replace(LAYER, str(layer)),
        tuple(path.replace(LAYER, str(layer)) for path in row.ours),
        row.layout,
    )


def _rows(text: str, theirs_at: str = "", ours_at: str = "") -> tuple[Row, ...]:
    """The rows of a table: their name, our paths (with commas between), the layout's name.

    Args:
        theirs_at: what their names begin with.
        ours_at: what our paths begin with.
    """
    layouts = {
        "same": Same(),
        "vector": Vector(),
        "linear": LINEAR,
        "linear-output": LINEAR_OUTPUT,
        "heads-first": HEADS_FIRST,
        "conv1d": CONV1D,
        "conv1d-output": CONV1D_OUTPUT,
    }
    rows = []
    for line in text.strip().splitlines():
        theirs, ours, layout = line.split()
        paths = tuple(ours_at + path for path in ours.split(","))
        rows.append(Row(theirs_at + theirs, paths, layouts[layout]))
    return tuple(rows)


# ---------------------------------------------------------------- Llama and those like it

EMBEDDING = _rows(
    """
    embed_tokens.weight token_embedding/embeddings same
    lm_head.weight token_embedding/reverse_embeddings linear
    """
)
LLAMA_ROWS = (
    EMBEDDING
    + _rows("norm.weight sequence_output_layernorm/scale same")
    + _rows(
        """
        input_layernorm.weight self_attention_layernorm/scale same
        self_attn.q_proj.weight self_attention/query/kernel linear
        self_attn.k_proj.weight self_attention/key/kernel linear
        self_attn.v_proj.weight self_attention/value/kernel linear
        self_attn.o_proj.weight self_attention/attention_output/kernel linear-output
        post_attention_layernorm.weight feedforward_layernorm/scale same
        mlp.gate_proj.weight feedforward_gate_dense/kernel linear
        mlp.up_proj.weight feedforward_intermediate_dense/kernel linear
        mlp.down_proj.weight feedforward_output_dense/kernel linear
        """,
        "layers.{layer}.",
        "transformer_layer_{layer}/",
    )
)
LLAMA_SETTINGS = {
    "vocab_size": "vocabulary_size",
    "num_hidden_layers": "num_layers",
    "num_attention_heads": "num_query_heads",
    "num_key_value_heads": "num_key_value_heads",
    "hidden_size": "hidden_dim",
    "intermediate_size": "intermediate_dim",
    "rms_norm_eps": "layer_norm_epsilon",
    "attention_dropout": "dropout",
}
LLAMA_MISSING = {"rms_norm_eps": 1e-6, "attention_dropout": 0.0}
LLAMA_IGNORED = ("max_position_embeddings", "max_sequence_length")
HEADS = "num_attention_heads"
KEY_VALUES = "num_key_value_heads"


def _llama_shapes(width: tuple[str, ...]) -> dict[str, tuple[tuple[str, ...], ...]]:
    """The shapes of Llama's weights, by entries.

    Args:
        width: the entries whose product is the width of a query's head.
    """
    at = "layers.0."
    inner, outer = ("intermediate_size",), ("hidden_size",)
    return {
        "embed_tokens.weight": (("vocab_size",), outer),
        f"{at}self_attn.q_proj.weight": ((HEADS, *width), outer),
        f"{at}self_attn.k_proj.weight": ((KEY_VALUES, *width), outer),
        f"{at}mlp.gate_proj.weight": (inner, outer),
    }


def _width_of_head(config: Config) -> int:
    """The width of a head where heads divide the width of the model."""
    return config["hidden_size"] // config[HEADS]


WIDTH = {"head_dim": _width_of_head}
GROUPS = ((HEADS, KEY_VALUES),)
KEY_VALUE_HEADS = {"num_key_value_heads": operator.itemgetter("num_attention_heads")}
ROPE = {"rope_theta": "rope_max_wavelength"}
ROPE_MISSING = {"rope_theta": 10000.0}
SILU = {"hidden_act": ("silu",)}
NO_BIAS = {"attention_bias": (False,)}
TIED = {TIE: TIE}
LLAMA = Architecture(
    backbone="Llama3Backbone",
    model_type="llama",
    writes="LlamaForCausalLM",
    prefix="model.",
    rows=LLAMA_ROWS,
    settings={**LLAMA_SETTINGS, **ROPE, **TIED},
    shapes=_llama_shapes(("head_dim",)),
    fixed={**SILU, **NO_BIAS, "mlp_bias": (False,)},
    limits={"rope_interleaved": (False,)},
    multiples=(("hidden_size", HEADS), *GROUPS),
    equal=WIDTH,
    ignored=LLAMA_IGNORED,
    missing={**LLAMA_MISSING, **ROPE_MISSING},
    derived={**KEY_VALUE_HEADS, **WIDTH},
    has_rope=True,
    # keras-hub multiplies by what should divide
    alone={"rope_position_scaling_factor": 1.0},
    rope_llama3={
        "factor": "rope_frequency_adjustment_factor",
        "low_freq_factor": "rope_low_freq_factor",
        "high_freq_factor": "rope_high_freq_factor",
        "original_max_position_embeddings": "rope_pretraining_sequence_length",
    },
)
MISTRAL = Architecture(
    backbone="MistralBackbone",
    model_type="mistral",
    writes="MistralForCausalLM",
    prefix="model.",
    rows=LLAMA_ROWS,
    settings={
        **LLAMA_SETTINGS,
        **ROPE,
        "head_dim": "head_dim",
        "sliding_window": "sliding_window",
    },
    shapes=_llama_shapes(("head_dim",)),
    fixed={**SILU, TIE: (False,)},
    multiples=GROUPS,
    ignored=LLAMA_IGNORED,
    missing={**LLAMA_MISSING, **ROPE_MISSING, "sliding_window": 4096},
    derived={**KEY_VALUE_HEADS, **WIDTH},
    optional=("sliding_window",),
    has_rope=True,
    rope_linear="rope_scaling_factor",
)
QWEN2 = Architecture(
    backbone="QwenBackbone",
    model_type="qwen2",
    writes="Qwen2ForCausalLM",
    prefix="model.",
    rows=LLAMA_ROWS
    + _rows(
        """
        q_proj.bias query/bias vector
        k_proj.bias key/bias vector
        v_proj.bias value/bias vector
        """,
        "layers.{layer}.self_attn.",
        "transformer_layer_{layer}/self_attention/",
    ),
    settings={**LLAMA_SETTINGS, **ROPE, **TIED},
    shapes=_llama_shapes(("head_dim",)),
    fixed=SILU,
    limits={"use_mrope": (False,)},
    multiples=(("hidden_size", HEADS), *GROUPS),
    equal=WIDTH,
    ignored=LLAMA_IGNORED,
    missing={**LLAMA_MISSING, **ROPE_MISSING},
    derived={**KEY_VALUE_HEADS, **WIDTH},
    has_rope=True,
    rope_linear="rope_scaling_factor",
    has_window=True,
    alone={"use_sliding_window_attention": False},
)
QWEN3 = Architecture(
    backbone="Qwen3Backbone",
    model_type="qwen3",
    writes="Qwen3ForCausalLM",
    prefix="model.",
    rows=LLAMA_ROWS
    + _rows(
        """
        q_norm.weight query_dense_layernorm/scale same
        k_norm.weight key_dense_layernorm/scale same
        """,
        "layers.{layer}.self_attn.",
        "transformer_layer_{layer}/self_attention/",
    ),
    settings={**LLAMA_SETTINGS, **ROPE, **TIED, "head_dim": "head_dim"},
    shapes=_llama_shapes(("head_dim",)),
    fixed={**SILU, **NO_BIAS},
    # the norm of queries and keys has 1e-5 in keras-hub, which is close to the usual one only
    limits={"rms_norm_eps": (1e-6, 1e-5)},
    multiples=GROUPS,
    ignored=LLAMA_IGNORED,
    missing={**LLAMA_MISSING, **ROPE_MISSING, "head_dim": 128},
    derived=KEY_VALUE_HEADS,
    has_rope=True,
    rope_linear="rope_scaling_factor",
    has_window=True,
    alone={"sliding_window_size": None},
)

# ---------------------------------------------------------------- Gemma

GEMMA = Architecture(
    backbone="GemmaBackbone",
    model_type="gemma",
    writes="GemmaForCausalLM",
    prefix="model.",
    rows=_rows(
        """
        embed_tokens.weight token_embedding/embeddings same
        norm.weight final_normalization/scale same
        """
    )
    + _rows(
        """
        input_layernorm.weight pre_attention_norm/scale same
        self_attn.q_proj.weight attention/query/kernel heads-first
        self_attn.k_proj.weight attention/key/kernel heads-first
        self_attn.v_proj.weight attention/value/kernel heads-first
        self_attn.o_proj.weight attention/attention_output/kernel linear-output
        post_attention_layernorm.weight pre_ffw_norm/scale same
        mlp.gate_proj.weight ffw_gating/kernel linear
        mlp.up_proj.weight ffw_gating_2/kernel linear
        mlp.down_proj.weight ffw_linear/kernel linear
        """,
        "layers.{layer}.",
        "decoder_block_{layer}/",
    ),
    settings={**LLAMA_SETTINGS, "head_dim": "head_dim"},
    shapes=_llama_shapes(("head_dim",)),
    ignored=LLAMA_IGNORED,
    has_rope=True,
    fixed={
        **NO_BIAS,
        "hidden_act": ("gelu_pytorch_tanh", "gelu"),  # in older files the second means the first
        "hidden_activation": ("gelu_pytorch_tanh", None),
        TIE: (True,),
        "rope_theta": (10000.0,),
    },
    # keras-hub's blocks have this epsilon, whatever the backbone's argument
    limits={"use_bidirectional_attention": (False, None), "rms_norm_eps": (1e-6,)},
    multiples=GROUPS,
    missing={**LLAMA_MISSING, "head_dim": 256},
    derived=KEY_VALUE_HEADS,
    halves=("intermediate_size",),
    alone={
        "query_head_dim_normalize": True,
        "use_post_ffw_norm": False,
        "use_post_attention_norm": False,
        "attention_logit_soft_cap": None,
        "final_logit_soft_cap": None,
        "use_sliding_window_attention": False,
    },
)

# ---------------------------------------------------------------- GPT-2

GPT2 = Architecture(
    backbone="GPT2Backbone",
    model_type="gpt2",
    writes="GPT2LMHeadModel",
    prefix="transformer.",
    rows=_rows(
        """
        wte.weight token_embedding/embeddings same
        wpe.weight position_embedding/embeddings same
        ln_f.weight layer_norm/gamma same
        ln_f.bias layer_norm/beta same
        """
    )
    + (
        Row(
            "h.{layer}.attn.c_attn.weight",
            tuple(
                f"transformer_layer_{LAYER}/self_attention/{part}/kernel"
                for part in ("query", "key", "value")
            ),
            CONV1D,
        ),
        Row(
            "h.{layer}.attn.c_attn.bias",
            tuple(
                f"transformer_layer_{LAYER}/self_attention/{part}/bias"
                for part in ("query", "key", "value")
            ),
            Vector(),
        ),
    )
    + _rows(
        """
        ln_1.weight self_attention_layer_norm/gamma same
        ln_1.bias self_attention_layer_norm/beta same
        attn.c_proj.weight self_attention/attention_output/kernel conv1d-output
        attn.c_proj.bias self_attention/attention_output/bias same
        ln_2.weight feedforward_layer_norm/gamma same
        ln_2.bias feedforward_layer_norm/beta same
        mlp.c_fc.weight feedforward_intermediate_dense/kernel conv1d
        mlp.c_fc.bias feedforward_intermediate_dense/bias same
        mlp.c_proj.weight feedforward_output_dense/kernel conv1d
        mlp.c_proj.bias feedforward_output_dense/bias same
        """,
        "h.{layer}.",
        "transformer_layer_{layer}/",
    ),
    settings={
        "vocab_size": "vocabulary_size",
        "n_positions": "max_sequence_length",
        "n_embd": "hidden_dim",
        "n_layer": "num_layers",
        "n_head": "num_heads",
        "n_inner": "intermediate_dim",
        "resid_pdrop": "dropout",
    },
    shapes={
        "wte.weight": (("vocab_size",), ("n_embd",)),
        "wpe.weight": (("n_positions",), ("n_embd",)),
        "h.0.mlp.c_fc.weight": (("n_embd",), ("n_inner",)),
    },
    multiples=(("n_embd", "n_head"),),
    ignored=("n_ctx", "reorder_and_upcast_attn", "embd_pdrop", "attn_pdrop"),
    missing={"resid_pdrop": 0.1},
    derived={"n_inner": lambda config: 4 * config["n_embd"]},
    copies={"embd_pdrop": "resid_pdrop", "attn_pdrop": "resid_pdrop"},
    fixed={
        "activation_function": ("gelu_new", "gelu_pytorch_tanh"),
        "layer_norm_epsilon": (1e-5,),
        "scale_attn_weights": (True,),
        "scale_attn_by_inverse_layer_idx": (False,),
        "add_cross_attention": (False,),
        TIE: (True,),
    },
)

# ---------------------------------------------------------------- BERT

BERT = Architecture(
    backbone="BertBackbone",
    model_type="bert",
    writes="BertModel",
    prefix="bert.",
    rows=_rows(
        """
        embeddings.word_embeddings.weight token_embedding/embeddings same
        embeddings.position_embeddings.weight position_embedding/embeddings same
        embeddings.token_type_embeddings.weight segment_embedding/embeddings same
        embeddings.LayerNorm.weight embeddings_layer_norm/gamma same
        embeddings.LayerNorm.bias embeddings_layer_norm/beta same
        pooler.dense.weight pooled_dense/kernel linear
        pooler.dense.bias pooled_dense/bias same
        """
    )
    + _rows(
        """
        attention.self.query.weight self_attention_layer/query/kernel linear
        attention.self.query.bias self_attention_layer/query/bias vector
        attention.self.key.weight self_attention_layer/key/kernel linear
        attention.self.key.bias self_attention_layer/key/bias vector
        attention.self.value.weight self_attention_layer/value/kernel linear
        attention.self.value.bias self_attention_layer/value/bias vector
        attention.output.dense.weight self_attention_layer/attention_output/kernel linear-output
        attention.output.dense.bias self_attention_layer/attention_output/bias same
        attention.output.LayerNorm.weight self_attention_layer_norm/gamma same
        attention.output.LayerNorm.bias self_attention_layer_norm/beta same
        intermediate.dense.weight feedforward_intermediate_dense/kernel linear
        intermediate.dense.bias feedforward_intermediate_dense/bias same
        output.dense.weight feedforward_output_dense/kernel linear
        output.dense.bias feedforward_output_dense/bias same
        output.LayerNorm.weight feedforward_layer_norm/gamma same
        output.LayerNorm.bias feedforward_layer_norm/beta same
        """,
        "encoder.layer.{layer}.",
        "transformer_layer_{layer}/",
    ),
    settings={
        "vocab_size": "vocabulary_size",
        "num_hidden_layers": "num_layers",
        "num_attention_heads": "num_heads",
        "hidden_size": "hidden_dim",
        "intermediate_size": "intermediate_dim",
        "hidden_dropout_prob": "dropout",
        "max_position_embeddings": "max_sequence_length",
        "type_vocab_size": "num_segments",
    },
    shapes={
        "embeddings.word_embeddings.weight": (("vocab_size",), ("hidden_size",)),
        "embeddings.position_embeddings.weight": (("max_position_embeddings",), ("hidden_size",)),
        "embeddings.token_type_embeddings.weight": (("type_vocab_size",), ("hidden_size",)),
        "encoder.layer.0.intermediate.dense.weight": (("intermediate_size",), ("hidden_size",)),
    },
    multiples=(("hidden_size", HEADS),),
    # the first BERT wrote of its pooler, which transformers does not read; the head is not read
    ignored=(
        *("directionality", "pooler_fc_size", "pooler_num_attention_heads", TIE),
        *("pooler_num_fc_layers", "pooler_size_per_head", "pooler_type"),
    ),
    missing={"hidden_dropout_prob": 0.1},
    copies={"attention_probs_dropout_prob": "hidden_dropout_prob"},
    fixed={
        # keras-hub computes the first one, also for models that were trained with "gelu"
        "hidden_act": ("gelu_new", "gelu_pytorch_tanh", "gelu"),
        "layer_norm_eps": (1e-12,),
        "position_embedding_type": ("absolute",),
    },
    renamed=(("LayerNorm.weight", "LayerNorm.gamma"), ("LayerNorm.bias", "LayerNorm.beta")),
)

ARCHITECTURES = (LLAMA, GPT2, GEMMA, QWEN2, MISTRAL, QWEN3, BERT)
