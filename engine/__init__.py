"""The engine of FeXT AutoEncoder: analysis, training, evaluation and encoding, without a screen."""
