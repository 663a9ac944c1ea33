"""FeXT AutoEncoder in a terminal."""
