"""What compiling cost and gave on this machine before, so that a run need not find it out at its own expense."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import platformdirs
import torch

from engine.errors import FextError
from engine.files import replace_file

_MOST_ENTRIES = 1_000


@dataclass(frozen=True)
class Experience:
    """Compiling the same once: the seconds it took (few where the compiler's cache held it), and the share of an
    uncompiled step's time that a compiled one saves, below 0 where it takes longer.
    """

    compile_seconds: float
    saved_share: float

    def pays_within(self, seconds: float) -> bool:
        """Return whether compiling saves more than it takes in so many seconds of uncompiled training."""
        return seconds * self.saved_share > self.compile_seconds


def key_of(facts: Mapping[str, Any]) -> str:
    """Return the name under which what is compiled is remembered: a digest of what it is made of, and of PyTorch."""
    told = json.dumps({**facts, "torch": torch.__version__}, sort_keys=True, default=str)
    return hashlib.blake2b(told.encode(), digest_size=16).hexdigest()


def recall(key: str) -> Experience | None:
    """Return what is remembered; None where it is nothing, or cannot be read."""
    entry = _entries().get(key)
    try:
        return Experience(float(entry["compile_seconds"]), float(entry["saved_share"])) if entry else None
    except (KeyError, TypeError, ValueError):
        return None


def remember(key: str, experience: Experience) -> None:
    """Remember it in the user's cache folder, over what was known; where that cannot be written, it is forgotten."""
    others = [(name, entry) for name, entry in _entries().items() if name != key][-_MOST_ENTRIES + 1 :]
    content = json.dumps(dict([*others, (key, asdict(experience))]), indent=1)
    try:
        _file().parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace_file(_file(), content.encode())
    except (OSError, FextError):
        return


def _file() -> Path:
    return Path(platformdirs.user_cache_path("fext")) / "compiling.json"


def _entries() -> dict[str, Any]:
    try:
        entries = json.loads(_file().read_bytes())
    except (OSError, ValueError):
        return {}
    return entries if isinstance(entries, dict) else {}
