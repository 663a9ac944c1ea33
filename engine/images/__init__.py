"""From a folder to pixels: scan, decode, pack, split; torch is loaded by `augment` alone."""
