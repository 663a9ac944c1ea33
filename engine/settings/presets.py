"""Settings for a purpose."""

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    "quick": {"training.minutes": 1.0, "data.image_height": 64, "data.image_width": 64},
    "balanced": {"model.variant": "medium", "training.epochs": 100},
    "fidelity": {"model.variant": "large", "training.epochs": 300, "augmentation.enabled": True},
    "features": {
        "data.image_height": 64,
        "data.image_width": 64,
        "model.shortcut": False,
        "model.projection": 512,
        "objective.agreement": 1.0,
        "objective.view_area": 0.15,
        "objective.view_color": 0.6,
        "training.batch_size": 128,
        "training.weight_decay": 0.05,
    },
    "low-memory": {
        "model.variant": "redux",
        "training.micro_batch": 2,
        "data.pack": "on",
        "device.workers": 1,
        "evaluation.batch_size": 4,
        "evaluation.baseline_images": 256,
        "evaluation.feature_images": 500,
        "encoding.batch_size": 4,
        "anomalies.batch_size": 4,
        "anomalies.reference_images": 1000,
    },
}

PURPOSES: dict[str, str] = {
    "quick": "a first look: one minute at 64 × 64",
    "balanced": "good pictures in moderate time: Medium, 100 epochs",
    "fidelity": "the best pictures: Large, 300 epochs, augmentation",
    "features": "vectors that tell kinds of pictures apart",
    "low-memory": "little memory: few images at a time, the same batch",
}
"""What each preset is for, by its name."""
