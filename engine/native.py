"""Functions in machine code: compiled by Numba when they are first called, and kept on disk for later processes."""

import threading
from collections.abc import Callable
from functools import cache, wraps
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
        @cache
        def compiled() -> Callable[Parameters, Result]:
            import numba

            options: dict[str, Any] = {
                "nogil": True,
                "error_model": "numpy",
                "fastmath": {"reassoc", "contract"} if reordered else False,
            }
            ready: Callable[Parameters, Result]
            try:
                ready = numba.njit(function, cache=True, **options)
            except RuntimeError:  # no folder to keep it in can be written
                ready = numba.njit(function, **options)
            return ready

        @wraps(function)
        def call(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            with _lock:
                run = compiled()
            return run(*args, **kwargs)

        return call

    return decorate
