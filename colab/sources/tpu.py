# %% [markdown]
# # Training on a TPU, with checkpoints on Drive
#
# A residual network on images and a small transformer on text: all cores, bfloat16, compiled
# programs that outlive the machine, and a training that goes on after Colab has cut the connection.
# What is not there is done without: the notebook runs on a GPU or a CPU, too.

# %%
import pathlib
import tempfile

import jax
import jax.numpy as jnp
import numpy as np

import jkeras
from jkeras import layers

# %% parameters
DATA = "cifar10"  # "digits" downloads nothing
ROWS = 50_000  # of the images, at most
WIDTH, BATCH, EPOCHS = 64, 512, 12  # of the residual network
TEXT_WIDTH, BLOCKS, CONTEXT, TEXT_BATCH, TEXT_EPOCHS = 256, 6, 256, 128, 8  # of the transformer
CHARACTERS = 1_500_000  # of the text, at most

# %% [markdown]
# ## 1. A folder that outlives the machine
#
# On Colab, Drive is asked for. Elsewhere, or where you say no, it is a folder of this machine.

# %%
try:
    from google.colab import drive

    drive.mount("/content/drive")
    folder = pathlib.Path("/content/drive/MyDrive/jkeras")
except Exception as error:  # not Colab, or not allowed
    folder = pathlib.Path(tempfile.mkdtemp())
    print(
        f"No Drive ({type(error).__name__}): what is saved in {folder} is lost with this machine."
    )
folder.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# ## 2. All cores, half precision, programs that are kept
#
# `DataParallel` gives each core a part of every batch. With `mixed_bfloat16` layers compute in 16
# bits and keep their weights in 32; no loss scaling is needed. Programs that took long to compile
# are found again tomorrow. How many steps go into one dispatch `fit` finds out by itself (that is
# what `steps_per_execution=1`, the default, means here).

# %%
jkeras.config.enable_compilation_cache(str(folder / "compiled"))
jkeras.distribution.set_distribution(jkeras.distribution.DataParallel())
jkeras.mixed_precision.set_global_policy("mixed_bfloat16")
jkeras.utils.set_random_seed(0)
cores = len(jax.devices())
print(f"{cores} core(s), {BATCH // cores} images of each batch on each")

# %% [markdown]
# ## 3. Images


# %%
def images():
    """((images, labels), (images, labels)), pixels from 0 to 1."""
    data, top = (jkeras.datasets.digits, 16) if DATA == "digits" else (jkeras.datasets.cifar10, 255)
    for x, y in data.load_data():
        yield (
            (x[:ROWS].reshape(*x[:ROWS].shape[:3], -1) / np.float32(top)).astype("float32"),
            y[:ROWS].reshape(-1),
        )


(x_train, y_train), (x_test, y_test) = images()
jkeras.visualization.plot_image_gallery(x_train[:16], cols=8, value_range=(0, 1), scale=1.1)


# %% [markdown]
# ## 4. A residual network


# %%
def convolution(x, width, size=3, stride=1):
    """A convolution whose outputs are normalized.

    Batches are large, so steps are few and averages move fast.
    """
    x = layers.Conv2D(width, size, stride, "same", use_bias=False)(x)
    return layers.BatchNormalization(momentum=0.9)(x)


def block(x, width, stride=1):
    """Two convolutions beside a shortcut."""
    h = convolution(layers.ReLU()(convolution(x, width, stride=stride)), width)
    if x.shape[-1] != width or stride != 1:
        x = convolution(x, width, 1, stride)
    return layers.ReLU()(layers.add([h, x]))


def residual_network(steps):
    """A compiled model; its learning rate falls to zero over so many steps."""
    inputs = jkeras.Input(x_train.shape[1:])
    x = inputs
    if DATA == "cifar10":
        x = layers.RandomTranslation(0.1, 0.1)(layers.RandomFlip("horizontal")(x))
    x = layers.ReLU()(convolution(x, WIDTH))
    for width, stride in ((WIDTH, 1), (2 * WIDTH, 2), (4 * WIDTH, 2)):
        x = block(x, width, stride)
    x = layers.GlobalAveragePooling2D()(x)
    # the loss is computed in 32 bits
    model = jkeras.Model(inputs, layers.Dense(10, dtype="float32")(x))
    rate = jkeras.optimizers.schedules.CosineDecay(
        0.0, steps, warmup_target=2e-3, warmup_steps=steps // 10
    )
    model.compile(
        jkeras.optimizers.AdamW(rate, weight_decay=0.02),
        jkeras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


steps = EPOCHS * -(-len(x_train) // BATCH)
model = residual_network(steps)
# compiled for these cores, and not run: does it fit, and what takes memory?
print(model.plan(BATCH))
seconds = model.precompile(x_train, y_train, batch_size=BATCH, kinds=["train"])["train"]
print(f"{model.count_params():,} weights; compiled in {seconds:.1f} s, or found compiled on Drive")

# %% [markdown]
# ## 5. Train, and stay trained
#
# After each epoch everything that the training needs goes to Drive, in the background. **If the
# connection breaks: Run all again.** This cell then goes on from the last epoch that was saved;
# when all are done, it is done at once.


# %%
def speed(history, unit, each=1):
    """How fast the last epoch was, and what its time went into."""
    last = {name: values[-1] for name, values in history.items()}
    mfu = f", {last['mfu']:.0%} of the peak (MFU)" if "mfu" in last else ""
    print(f"{each * last['rows_per_second']:,.0f} {unit} a second{mfu}")
    for kind in ("data", "compile", "checkpoint", "validation"):
        print(f"  {kind}: {last[f'time_{kind}']:.1%} of the time")
    print(f"goodput of all runs so far: {last['goodput']:.0%}")


history = model.fit(
    x_train,
    y_train,
    batch_size=BATCH,
    epochs=EPOCHS,
    verbose=2,
    callbacks=[jkeras.callbacks.ThroughputMonitor(warns=False)],
    checkpoint=str(folder / f"images-{DATA}-{WIDTH}-{BATCH}-{EPOCHS}"),
)
speed(history.history, "images")
results = model.evaluate(x_test, y_test, batch_size=BATCH, verbose=0, return_dict=True)
print(f"accuracy: {results['accuracy']:.4f} on images that it has not seen")

# %% [markdown]
# ## 6. Text
#
# What a transformer writes after some minutes depends on what it read. The text that is on every
# machine here is the source code of jkeras.

# %%
files = sorted(pathlib.Path(jkeras.__file__).parent.rglob("*.py"))
text = "\n".join(file.read_text(encoding="utf-8") for file in files)[:CHARACTERS]
alphabet = sorted(set(text))
number_of = {character: number for number, character in enumerate(alphabet)}
codes = np.array([number_of[character] for character in text], "int32")
rows = codes[: len(codes) // (CONTEXT + 1) * (CONTEXT + 1)].reshape(-1, CONTEXT + 1)
text_x, text_y = rows[:, :-1], rows[:, 1:]  # what comes, and what comes next
print(f"{len(text):,} characters of {len(alphabet)} kinds, in {len(rows):,} pieces")


# %% [markdown]
# ## 7. A transformer
#
# `Stack(block, n)` is n blocks like `block`, each with weights of its own, compiled as one.


# %%
def transformer_block():
    x = inputs = jkeras.Input((CONTEXT, TEXT_WIDTH))
    h = layers.LayerNormalization()(x)
    # in bfloat16
    attended = layers.MultiHeadAttention(TEXT_WIDTH // 32, 32)(h, h, use_causal_mask=True)
    x = layers.add([x, attended])
    h = layers.Dense(4 * TEXT_WIDTH, "gelu")(layers.LayerNormalization()(x))
    return jkeras.Model(inputs, layers.add([x, layers.Dense(TEXT_WIDTH)(h)]))


def language_model(steps):
    inputs = jkeras.Input((CONTEXT,), dtype="int32")
    x = layers.Embedding(len(alphabet), TEXT_WIDTH)(inputs)
    x = x + layers.Embedding(CONTEXT, TEXT_WIDTH)(jnp.arange(CONTEXT))
    x = layers.Stack(transformer_block(), BLOCKS)(x)
    x = layers.LayerNormalization()(x)
    model = jkeras.Model(inputs, layers.Dense(len(alphabet), dtype="float32")(x))
    rate = jkeras.optimizers.schedules.CosineDecay(
        0.0, steps, warmup_target=1e-3, warmup_steps=steps // 10
    )
    model.compile(
        jkeras.optimizers.AdamW(rate, clipnorm=1.0),
        jkeras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


writer = language_model(TEXT_EPOCHS * -(-len(text_x) // TEXT_BATCH))
print(f"{writer.count_params():,} weights")

# %%
past = writer.fit(
    text_x,
    text_y,
    batch_size=TEXT_BATCH,
    epochs=TEXT_EPOCHS,
    verbose=2,
    callbacks=[jkeras.callbacks.ThroughputMonitor(warns=False)],
    checkpoint=str(folder / f"text-{TEXT_WIDTH}-{BLOCKS}-{CONTEXT}-{TEXT_BATCH}-{TEXT_EPOCHS}"),
)
speed(past.history, "characters", each=CONTEXT)

# %% [markdown]
# ## 8. What it writes
#
# One compiled loop: the window moves by a character, and the next one is drawn from what the model
# expects.


# %%
@jax.jit
def write(params, window, count, key):
    def one(window, key):
        logits, _ = writer.apply(params, {}, window[None], training=False)
        following = jax.random.categorical(key, logits[0, -1] / 0.7)
        return jnp.append(window[1:], following.astype(window.dtype)), following

    return jax.lax.scan(one, window, jax.random.split(key, count.shape[0]))[1]


start = codes[:CONTEXT]
written = write(
    writer.params, jnp.asarray(start), jnp.zeros(min(400, 4 * CONTEXT)), jax.random.key(0)
)
print(text[:CONTEXT][-80:], "".join(alphabet[code] for code in np.asarray(written)), sep=" >>> ")

# %% [markdown]
# ## 9. After a disconnect
#
# To see it without waiting for one: an epoch more is cut off at its first step. Then a new model,
# as after a restart, begins where the last epoch ended; the history is that of the whole training.
# `examples/kill_and_resume.py` kills the process itself.


# %%
def lost(batch, logs):
    raise ConnectionError("the machine is gone")


def go_on(**when):
    """A new model that trains for an epoch more, and its history."""
    model = residual_network(steps)
    history = model.fit(
        x_train,
        y_train,
        batch_size=BATCH,
        epochs=EPOCHS + 1,
        verbose=2,
        callbacks=[
            jkeras.callbacks.ThroughputMonitor(warns=False),
            jkeras.callbacks.LambdaCallback(**when),
        ],
        checkpoint=str(folder / f"images-{DATA}-{WIDTH}-{BATCH}-{EPOCHS}"),
    )
    return model, history


try:
    go_on(on_train_batch_end=lost)
except ConnectionError as error:
    print(f"in epoch {EPOCHS + 1}: {error}")

ran = []
again, more = go_on(on_epoch_end=lambda epoch, logs: ran.append(epoch))
print(f"epochs run by this call: {len(ran)}, epochs in the history: {len(more.epoch)}")

# %% [markdown]
# ## 10. Which layers take the time
#
# XLA's profiler looks at one dispatch; the table is by the names of layers. The whole profile is in
# the folder, for TensorBoard or Perfetto.

# %%
trace = jkeras.callbacks.ProfilerTrace(str(folder / "profile"), start_step=1, steps=1)
writer.fit(text_x, text_y, batch_size=TEXT_BATCH, epochs=1, verbose=0, callbacks=[trace])
print(trace.largest())

# %% [markdown]
# ## 11. Take it away
#
# One file, which Keras reads, too, on any machine; the training goes on from it.

# %%
path = folder / "images.keras"
again.save(path)
taken = jkeras.saving.load_model(path)
same = np.array_equal(again.predict(x_test[:64], verbose=0), taken.predict(x_test[:64], verbose=0))
print(f"the same predictions: {same}")

# %% [markdown]
# And a program: the forward pass with its weights, compiled where it is called, on a TPU or a CPU.
# It needs JAX alone, neither jkeras nor the code of the model.

# %%
exported = folder / "images.stablehlo"
again.export(exported, platforms=["tpu", "cpu", "cuda"], verbose=False)
serve = jkeras.export.load(exported)
logits, served = again.predict(x_test[:64], verbose=0), np.asarray(serve(x_test[:64]))
print(f"{exported.stat().st_size:,} bytes for {serve.platforms}")
print(f"the program gives the same classes: {(logits.argmax(-1) == served.argmax(-1)).all()}")
print(f"largest difference of a logit: {abs(logits - served).max():.1e}, in 16 bits")

# %% [markdown]
# Is all of this as it should be on your device? `!python -m jkeras doctor --into report.json`
# computes, trains and measures; please add the report to an issue.
