"""Beside the package peft: it reads what we write, and we what it writes."""

import jax.numpy as jnp
import numpy as np
import pytest

from jkeras import layers, lora
from jkeras.kernel import tree
from tests.lora.models import IDS, X, changing

torch = pytest.importorskip("torch")
peft = pytest.importorskip("peft")
transformers = pytest.importorskip("transformers")

# of peft and transformers about one another
pytestmark = [pytest.mark.filterwarnings("ignore::FutureWarning")]

LLAMA = transformers.LlamaConfig(
    vocab_size=32,
    hidden_size=16,
    intermediate_size=24,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=16,
)


def llama():
    torch.manual_seed(0)
    return transformers.LlamaForCausalLM(LLAMA).eval()


def params_of(module):
    """The weights of a torch module as params, linear ones as (inputs, outputs)."""
    params = {}
    for name, inner in module.named_modules():
        if isinstance(inner, torch.nn.Linear):
            params[name.replace(".", "/")] = {"kernel": jnp.asarray(inner.weight.detach().T)}
    return params


def put(module, params):
    """Gives a torch module these weights."""
    for name, inner in module.named_modules():
        own = params.get(name.replace(".", "/"))
        if own is not None:
            inner.weight.data = torch.tensor(np.array(own["kernel"]).T.copy())
    return module


def nested(params):
    """Params whose paths are those of the modules."""
    return tree.unflatten(
        ((*path.split("/"), "kernel"), own["kernel"]) for path, own in params.items()
    )


def flat(params):
    return {"/".join(path[:-1]): {"kernel": leaf} for path, leaf in tree.flatten(params)}


def logits(module):
    with torch.no_grad():
        return module(torch.tensor(IDS)).logits.numpy()


def random_matrices(module):
    """Gives all matrices of an adapter random numbers, as if it was trained."""
    for name, value in module.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(value, std=0.3)
    return module.eval()


SPECS = {
    "one rank": {r".*(q_proj|v_proj)/kernel": 4},
    "two ranks": {r".*q_proj/kernel": 4, r".*down_proj/kernel": 2},
}


@pytest.mark.promise("`compile(lora=8)` trains low-rank")
@pytest.mark.promise("`lora.save` writes the")
@pytest.mark.parametrize("alpha", [None, 6.0])
@pytest.mark.parametrize("spec", SPECS)
def test_peft_computes_what_we_merge(spec, alpha, tmp_path):
    params = nested(params_of(llama()))
    adapter = lora.init(params, SPECS[spec], 0, alpha=alpha)
    matrices = {
        path: {name: value + 0.1 * (i + 1) for i, (name, value) in enumerate(pair.items())}
        for path, pair in adapter.matrices.items()
    }
    adapter = lora.Adapter(matrices, alpha)
    lora.save(tmp_path, adapter, params, task_type="CAUSAL_LM")
    theirs = peft.PeftModel.from_pretrained(llama(), tmp_path).eval()
    ours = put(llama(), flat(lora.merge(params, adapter)))
    assert np.abs(logits(ours) - logits(llama())).max() > 1e-2
    np.testing.assert_allclose(logits(theirs), logits(ours), atol=1e-5)


@pytest.mark.promise("`lora.save` writes the")
@pytest.mark.parametrize(
    "options",
    [
        {"r": 3, "lora_alpha": 5},
        {"r": 4, "use_rslora": True},
        {"r": 2, "rank_pattern": {"q_proj": 4}, "alpha_pattern": {"layers.0.self_attn.q_proj": 7}},
    ],
)
def test_we_merge_what_peft_writes(options, tmp_path):
    config = peft.LoraConfig(target_modules=["q_proj", "o_proj", "up_proj"], **options)
    theirs = random_matrices(peft.get_peft_model(llama(), config))
    theirs.save_pretrained(tmp_path)
    params = nested(params_of(llama()))
    ours = put(llama(), flat(lora.merge(params, lora.load(tmp_path, params))))
    assert np.abs(logits(ours) - logits(llama())).max() > 1e-2
    np.testing.assert_allclose(logits(theirs), logits(ours), atol=1e-5)


class Block(torch.nn.Module):
    """The projections of an attention of 2 heads of 4, and an embedding."""

    def __init__(self):
        super().__init__()
        self.query = torch.nn.Linear(8, 8, bias=False)
        self.table = torch.nn.Embedding(20, 8)

    def forward(self, x, ids):
        return self.query(x), self.table(ids)


def test_heads_and_embeddings(tmp_path):
    """Kernels of more axes, in both directions."""
    dense = layers.EinsumDense("abc,cde->abde", (5, 2, 4), name="query")
    table = layers.Embedding(20, 8, name="table")
    dense(X), table(IDS)
    block = Block()
    block.query.weight.data = torch.tensor(np.array(dense.kernel).reshape(8, 8).T.copy())
    block.table.weight.data = torch.tensor(np.array(table.embeddings))
    kernels = {"query": lora.kernels(dense), "table": lora.kernels(table)}
    params = {"query": dense.params, "table": table.params}

    def check(adapter, theirs):
        merged = lora.merge(params, adapter)
        y, rows = theirs(torch.tensor(X), torch.tensor(IDS))
        ours, _ = dense.apply(merged["query"], dense.state, X)
        np.testing.assert_allclose(y.detach().numpy().reshape(ours.shape), ours, atol=1e-5)
        ours, _ = table.apply(merged["table"], table.state, IDS)
        np.testing.assert_allclose(rows.detach().numpy(), ours, atol=1e-5)

    single = changing(dense).matrices | changing(table).matrices
    adapter = lora.Adapter(
        {"query/kernel": single["kernel"], "table/embeddings": single["embeddings"]}, 3.0
    )
    lora.save(tmp_path / "ours", adapter, kernels)
    wrapped = peft.PeftModel.from_pretrained(block, tmp_path / "ours").eval()
    check(adapter, wrapped)
    random_matrices(wrapped).save_pretrained(tmp_path / "theirs")
    check(lora.load(tmp_path / "theirs", kernels), wrapped)
