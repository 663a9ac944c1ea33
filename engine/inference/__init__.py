"""Single pictures for the Viewer, reconstructed by a small process that the app keeps for it.

Nothing here loads torch but `engine.inference.child`, which is that process.
"""

from engine.inference.client import Inference, Reconstruction, error_map

__all__ = ["Inference", "Reconstruction", "error_map"]
