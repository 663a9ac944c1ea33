"""Settings of training, and of the device that everything is computed on."""

from typing import Annotated, Literal

from pydantic import BeforeValidator

from engine.settings.fields import Group, setting


def _all_is_zero(value: object) -> object:
    return 0 if value == "all" else value


class TrainingSettings(Group):
    """How the autoencoder is trained."""

    seed: int = setting(42, "Seed", "Seed of weights, order, augmentation and dropout.", ge=0, lt=2**31)
    epochs: int = setting(100, "Epochs", "Passes over the training images.", "epochs", ge=1, le=1_000_000)
    minutes: float = setting(
        0.0,
        "Time budget",
        "Train for this long in place of a number of epochs; 0: no time budget.",
        "min",
        ge=0,
    )
    additional_epochs: int = setting(
        10, "Additional epochs", "Epochs added when a finished run is resumed.", "epochs", ge=1, le=1_000_000
    )
    batch_size: int = setting(16, "Batch size", "Images a step.", "images", ge=1, le=65_536)
    find_batch: bool = setting(
        False,
        "Find batch size",
        "Before a new run, try batches of 1, 2, 4 … images, and take the size of most images a second in place of the "
        "batch size.",
    )
    micro_batch: int = setting(
        0,
        "Micro-batch",
        "Images computed at a time, at most; their gradients add up to those of the batch (but agreement compares "
        "within a micro-batch only). 0: the whole batch. Halved where memory runs out.",
        "images",
        ge=0,
        le=65_536,
    )
    loss: Literal["rmse", "mae", "mse", "charbonnier"] = setting(
        "rmse",
        "Loss",
        "Root mean squared error of each image, mean absolute error, mean squared error, or the smooth Charbonnier "
        "loss between the last two.",
    )
    learning_rate: float = setting(0.001, "Learning rate", "Highest learning rate of AdamW.", gt=0, le=1)
    final_learning_rate: float = setting(0.00001, "Final learning rate", "Learning rate after the decay.", ge=0, le=1)
    schedule: Literal["cosine", "linear", "onecycle", "hold_decay", "constant"] = setting(
        "cosine",
        "Schedule",
        "After the warm-up: cosine or linear decay to the end of the run; hold_decay: constant for the hold steps, "
        "then linear over the decay steps; onecycle: a rise over 30 % of the run in place of the warm-up, then cosine "
        "decay; or constant.",
    )
    warmup_steps: int = setting(50, "Warm-up", "Steps over which the learning rate rises from zero.", "steps", ge=0)
    hold_steps: int = setting(
        1000, "Hold", "Steps of constant learning rate of the hold_decay schedule.", "steps", ge=0
    )
    decay_steps: int = setting(500, "Decay", "Steps of linear decay of the hold_decay schedule.", "steps", ge=1)
    weight_decay: float = setting(0.01, "Weight decay", "Decoupled weight decay of AdamW.", ge=0, le=1)
    gradient_clip: float = setting(1.0, "Gradient clipping", "Largest norm of the gradient; 0: no clipping.", ge=0)
    ema: float = setting(
        0.0,
        "Weight averaging",
        "Decay of the exponential moving average of the weights, which is what is validated and saved; 0: off.",
        ge=0,
        le=0.9999,
    )
    patience: int = setting(
        0,
        "Patience",
        "Validations in a row without a gain after which training ends; 0: never.",
        "validations",
        ge=0,
    )
    min_gain: float = setting(
        0.01, "Least gain", "Rise of the validation PSNR that renews the patience.", "dB", ge=0, le=100
    )
    validate_every_steps: int = setting(
        0, "Validate every", "Validate every so many steps too; 0: at the ends of epochs only.", "steps", ge=0
    )
    validate_every_seconds: float = setting(
        0.0,
        "Validate at least every",
        "Longest training time between two validations; 0: at the ends of epochs only.",
        "s",
        ge=0,
    )
    checkpoint_every: int = setting(
        0,
        "Keep a checkpoint every",
        "Keep a checkpoint of every so many epochs beside best and last; 0: none.",
        "epochs",
        ge=0,
    )
    keep_every_minutes: float = setting(
        0.0,
        "Keep one every",
        "Keep a checkpoint after every so many minutes of training too; 0: none.",
        "min",
        ge=0,
    )
    keep_checkpoints: int = setting(
        0, "Kept at most", "How many of those kept stay, the newest; best and last stay always. 0: all.", ge=0
    )
    checkpoint_minutes: float = setting(
        5.0, "Save at least every", "Longest time between two savings of the last checkpoint.", "min", gt=0
    )
    checkpoint_steps: int = setting(
        0, "Save every", "Save the last checkpoint every so many steps too; 0: as time and epochs ask.", "steps", ge=0
    )
    probe_images: int = setting(
        6, "Probe images", "Images whose reconstructions are kept as training goes on; 0: none.", "images", ge=0, le=64
    )
    probe_every: int = setting(
        0,
        "Probe every",
        "Keep those reconstructions every so many epochs; 0: after epochs 1, 2, 5, 10, 20, 50 and so on.",
        "epochs",
        ge=0,
    )
    accept_changed_images: bool = setting(
        False,
        "Accept changed images",
        "Let a resume go on although images were added, changed or removed since; known images keep their side "
        "of the split, new ones are trained on.",
    )
    live_plot: bool = setting(True, "Live plot", "Draw the curves while training runs.")
    tensorboard: bool = setting(False, "TensorBoard", "Also write the curves to logs/tensorboard (extra: tensorboard).")


class DeviceSettings(Group):
    """Where and how the work is computed."""

    kind: Literal["auto", "cpu", "gpu"] = setting("auto", "Device", "auto: the GPU where there is one, else the CPU.")
    id: int = setting(0, "GPU number", "Which GPU, as numbered by nvidia-smi.", ge=0, le=63)
    processes: Annotated[int, BeforeValidator(_all_is_zero)] = setting(
        1,
        "Processes",
        "Processes that train, encode or analyze together, one a GPU, else of the CPU; each batch of training, or all "
        "images, are divided among them. all (or 0): as many as there are GPUs, else cores.",
        ge=0,
        le=1024,
    )
    nodes: int = setting(
        1,
        "Machines",
        "Machines that work together, each with that many processes. The job waits for the others, and tells what to "
        "run on them.",
        ge=1,
        le=1024,
    )
    rendezvous: str = setting(
        "",
        "Meeting point",
        "HOST:PORT at which the other machines reach this one; without a port, 29400. Empty: this machine's address.",
    )
    precision: Literal["auto", "float32", "bfloat16", "float16"] = setting(
        "auto", "Precision", "Mixed precision; auto: bfloat16 on GPUs that have it, float32 on CPUs."
    )
    compile: Literal["auto", "on", "off"] = setting(
        "auto",
        "Compile",
        "torch.compile of the training step; auto: where it is known to win its time back, "
        "or a trial costs next to nothing; kept where steps become quicker.",
    )
    compile_backend: str = setting(
        "inductor", "Compile backend", "Backend of torch.compile, for instance inductor or aot_eager."
    )
    workers: int = setting(
        0,
        "Workers",
        "Threads that decode and measure images, of all processes of a machine together; 0: all cores.",
        "threads",
        ge=0,
        le=1024,
    )
