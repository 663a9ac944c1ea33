"""Where compiled code is kept. Loads no torch: it must be said before something of it chooses a folder of its own."""

import os
from pathlib import Path

import platformdirs

_VARIABLE = "TORCHINDUCTOR_CACHE_DIR"


def use_own_cache() -> None:
    """Keep compiled code in the user's own cache folder, which nobody else can write, unless the user names another.

    PyTorch's choice is a folder of a name that anybody can guess in ``/tmp``. Where none can be made, it stays.
    """
    if _VARIABLE in os.environ:
        return
    folder = Path(platformdirs.user_cache_path("fext")) / "inductor"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
    except OSError:
        return
    os.environ[_VARIABLE] = str(folder)
