"""What a run will take, before it starts; no torch is loaded here."""

from engine.forecast.images import ImageCount, count_images
from engine.forecast.measured import Measured, find_measured
from engine.forecast.plan import Forecast, Part, forecast
from engine.forecast.probing import probe

__all__ = ["Forecast", "ImageCount", "Measured", "Part", "count_images", "find_measured", "forecast", "probe"]
