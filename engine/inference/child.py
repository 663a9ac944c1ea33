"""The inference child: answers requests about single pictures, one after another, until its standard input ends.

PyTorch is loaded with the first network: what is wrong with a checkpoint is told before.
"""

import argparse
import os
import select
import sys
import traceback
from pathlib import Path
from typing import IO, TYPE_CHECKING

from engine.checkpoints import find_checkpoint
from engine.errors import FextError
from engine.inference.protocol import LESS_MEMORY, Answer, Request, write_answer, write_error
from engine.jobs.outcome import is_out_of_memory
from engine.jobs.process import be_first_to_go
from engine.workspace import Workspace

if TYPE_CHECKING:
    from engine.inference.networks import Networks

_MOST_CHARACTERS = 1_000


def main() -> int:
    """Answer the requests on standard input, and return 0 where it ends, or where none came for so long."""
    be_first_to_go()
    answers = _standard_output_alone()
    parser = argparse.ArgumentParser(prog="engine.inference.child")
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--idle", type=float, required=True, help="seconds without a request after which it ends")
    options = parser.parse_args()
    answering = _Answering(Workspace(options.workspace))
    while select.select([sys.stdin], [], [], options.idle)[0] and (line := sys.stdin.buffer.readline()):
        try:
            _answer(answering, Request.of_line(line), answers)
        except BrokenPipeError:  # the app is gone
            break
    return 0


def _standard_output_alone() -> IO[bytes]:
    """Return standard output for answers alone: what libraries print goes to standard error."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


class _Answering:
    """Answers requests; the networks come with the first that needs one."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._networks: Networks | None = None

    def answer(self, request: Request) -> Answer:
        """Return what a request asks for.

        Raises:
            FextError: there is no such checkpoint, or as `engine.inference.networks.Networks.answer`.

        """
        state = find_checkpoint(self._workspace, request.checkpoint)
        if self._networks is None:
            from engine.inference.networks import Networks

            self._networks = Networks()
        return self._networks.answer(request, state)


def _answer(answering: _Answering, request: Request, answers: IO[bytes]) -> None:
    try:
        answer = answering.answer(request)
    except FextError as error:
        write_error(answers, error)
    except Exception as error:  # noqa: BLE001 - told to the app, in full
        write_error(answers, _told(error))
    else:
        write_answer(answers, answer)


def _told(error: Exception) -> FextError:
    text = str(error)[:_MOST_CHARACTERS]
    if is_out_of_memory(error):
        return FextError(f"Out of memory. {text}".strip(), LESS_MEMORY)
    told = FextError(f"{type(error).__name__}: {text}", "Choose another picture or another checkpoint.")
    told.add_note("".join(traceback.format_exception(error)))
    return told


if __name__ == "__main__":
    sys.exit(main())
