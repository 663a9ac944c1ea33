"""How much memory training takes, calculated.

What was measured, on a CPU, for batches of 1 to 64 and all variants, lies within a fifth of it (`docs/forecast.md`).
"""

from engine.architecture import fitted_count
from engine.forecast.network import NetworkSize, directions_share
from engine.settings import Settings

_FLOAT = 4
_IDLE_JOB = 800e6
"""What a job on a CPU takes before it has weights: Python, PyTorch, and their libraries."""
_STATES = 4
"""Values a parameter: weight, gradient, and AdamW's two moments."""
_HEAP = 1.7
"""On a CPU, for each byte of activations: gradients on their way back, and the gaps of the heap."""
_CACHED = 1.1
"""The same on a GPU, whose memory PyTorch gives out itself."""
_HALF = 2 / 3
"""Of the activations in half precision: normalization keeps its own in float32."""
_FITTING = 3.7, 1.6
"""Times the images that are fitted to, and times those once more for the share of directions that bases lie in."""


def training_bytes(settings: Settings, size: NetworkSize, images: int, *, gpu: bool) -> float:
    """Return the memory of a training step with its weights: that of the job on a CPU, else that of the GPU.

    On a GPU, the ``images`` that are trained on lie there too.
    """
    training = settings.training
    states = (_STATES + bool(training.ema)) * size.parameters * _FLOAT + size.buffers * _FLOAT
    kept = activation_bytes(settings, size, gpu=gpu)
    if not gpu:
        return _IDLE_JOB + states + _HEAP * kept
    data = settings.data
    resident = images * data.image_height * data.image_width * (1 if data.grayscale else 3)
    return states + _CACHED * kept + resident


def activation_bytes(settings: Settings, size: NetworkSize, *, gpu: bool) -> float:
    """Return what the backward pass of a micro-batch needs; with agreement, of two views, a quarter of them decoded."""
    training, precision = settings.training, settings.device.precision
    batch = min(training.micro_batch or training.batch_size, training.batch_size)
    values = size.encoder + size.decoder
    if settings.objective.agreement:
        values = 2 * size.encoder + size.decoder // 4
    is_half = precision in {"bfloat16", "float16"} or (gpu and precision == "auto")
    return (batch * values + size.once) * _FLOAT * (_HALF if is_half else 1)


def fitting_bytes(settings: Settings, size: NetworkSize, images: int) -> float:
    """Return the memory of the job while it finds the shortcut's components, on the CPU in any case; 0 without one."""
    if not settings.model.shortcut:
        return 0
    data = settings.data
    channels = 1 if data.grayscale else 3
    fitted = fitted_count(images, data.image_height, data.image_width)
    pixels = fitted * data.image_height * data.image_width * channels * _FLOAT
    always, directions = _FITTING
    share = directions_share(settings.model, channels)
    return _IDLE_JOB + (size.parameters + size.buffers) * _FLOAT + (always + directions * share) * pixels
