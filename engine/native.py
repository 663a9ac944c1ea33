"""Functions in machine code: compiled by Numba when they are first called, and kept on disk for later processes."""

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_lock = threading.Lock()


def native(*, reordered: bool = False) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]:
    """Return a decorator for a function of arrays and numbers: it runs as machine code, without the interpreter's lock.

    Numba is imported at the first call only, so that programs which never make one do not wait for it. The function
    can call no other one of this kind. It is compiled in about a second, once for each machine and kind of arguments.

    Args:
        reordered: whether sums of floats may be taken in any order, which lets them be taken several at once.

    """

    def decorate(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        ready: list[Callable[Parameters, Result]] = []

        @wraps(function)
        def call(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            if not ready:
                with _lock:
                    ready[:] = ready or [_compiled(function, reordered=reordered)]
            return ready[0](*args, **kwargs)

        return call

    return decorate


def _compiled(function: Callable[Parameters, Result], *, reordered: bool) -> Callable[Parameters, Result]:
    import numba

    options: dict[str, Any] = {
        "nogil": True,
        "error_model": "numpy",
        "fastmath": {"reassoc", "contract"} if reordered else False,
    }
    compiled: Callable[Parameters, Result]
    try:
        compiled = numba.njit(function, cache=True, **options)
    except RuntimeError:  # no folder to keep it in can be written
        compiled = numba.njit(function, **options)
    return compiled
