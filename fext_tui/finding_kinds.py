"""The kinds of findings (`engine.analysis.findings.KINDS`) in words, the gravest first."""

from collections.abc import Iterable

TITLES: dict[str, str] = {
    "unreadable": "Unreadable",
    "truncated": "Cut off",
    "wrong_extension": "Wrong extension",
    "leakage": "Held out too",
    "duplicate": "Duplicates",
    "near_duplicate": "Near duplicates",
    "dark": "Very dark",
    "light": "Very light",
    "low_information": "Nearly empty",
    "blurry": "Blurry",
    "odd_aspect": "Odd shape",
    "odd_size": "Odd size",
    "outlier": "Outliers",
    "gray_as_color": "Gray stored as color",
    "alpha": "Transparent",
    "unusual_mode": "Unusual pixels",
}

EXPLANATIONS: dict[str, str] = {
    "unreadable": "No picture can be read from the file, and nothing uses it. Replace it, or take it away.",
    "truncated": "The file ends early, and nothing uses it. Copy it again from where it came.",
    "wrong_extension": "The file is of another format than its name says, and nothing uses it. Rename it.",
    "leakage": "A validation image is the same, or nearly so; training leaves this one out. Keep it on one side.",
    "duplicate": "It has the pixels of an earlier image, and counts twice in training. Exclude it.",
    "near_duplicate": "It looks like an earlier image, perhaps saved anew or resized. Look at both; exclude one.",
    "dark": "Hardly anything is to be seen in it. Look at it; exclude it where it is a failed exposure.",
    "light": "It is nearly white. Look at it; exclude it where it is a failed exposure.",
    "low_information": "It has hardly more than one level, as an empty page has. Exclude it unless it is meant so.",
    "blurry": "It has little detail: out of focus, enlarged, or smooth by nature. Look at it.",
    "odd_aspect": "It is far longer one way; resizing for training distorts it. Crop or exclude it.",
    "odd_size": "It has far more or fewer pixels than most. Look whether it is a thumbnail or a scan that strayed in.",
    "outlier": "A metric lies far from that of the others. Look whether the image belongs here.",
    "gray_as_color": "It has no color, but is stored in color channels. Harmless; stored as gray it is smaller.",
    "alpha": "Parts of it are transparent; training sees them over white. Lay it over another ground if that is wrong.",
    "unusual_mode": "It is stored otherwise than in 8 bits a channel, and converted. See whether it looks right.",
}
"""What a finding of each kind means, and what to do."""


def by_gravity(kinds: Iterable[str]) -> list[str]:
    """Return those kinds in the order of their gravity."""
    return sorted(kinds, key=list(TITLES).index)
