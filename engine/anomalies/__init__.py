"""Images that are unlike those a network was trained on."""

from engine.anomalies.results import AnomalyResult
from engine.anomalies.task import find_anomalies

__all__ = ["AnomalyResult", "find_anomalies"]
