"""Single pictures for the Viewer, reconstructed by a small process that the app keeps for it.

Nothing here loads torch but `engine.inference.networks`, in that process, `engine.inference.child`.
"""

from engine.inference.client import Inference, Reconstruction, error_map

__all__ = ["Inference", "Reconstruction", "error_map"]
