"""Digests that this user alone can make: of files that are used as they are, because nothing can look through them."""

import hashlib
import os
import secrets
from functools import cache
from pathlib import Path

import platformdirs

_KEY_BYTES = 32


def seal(path: Path) -> str:
    """Return the keyed BLAKE2 digest (16 bytes, hexadecimal) of a file; another user, or another machine, gets another.

    Raises:
        OSError: it cannot be read.

    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16, key=_key(_key_file()))).hexdigest()


def _key_file() -> Path:
    return platformdirs.user_state_path("fext") / "seal.key"


@cache
def _key(path: Path) -> bytes:
    """Return the key that a file holds, made where there is none; one for this process where it cannot be kept."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "r+b", buffering=0) as file:
            if os.fstat(file.fileno()).st_size < _KEY_BYTES:
                file.write(secrets.token_bytes(_KEY_BYTES))
            return os.pread(file.fileno(), _KEY_BYTES, 0)
    except OSError:
        return secrets.token_bytes(_KEY_BYTES)
