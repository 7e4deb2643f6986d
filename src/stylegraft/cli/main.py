"""The entry point `stylegraft`: finds the command, runs it, and turns what went wrong into one line.

Exit codes: 0 done, 1 the run failed, 2 the request was wrong, 130 interrupted from the keyboard.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Callable, Sequence

from stylegraft import __version__
from stylegraft.errors import InputError, StylegraftError
from stylegraft.runtime.openmp import wait_briefly

# Name -> what it does. The command `name` is the function `name` in the module `stylegraft.cli.name`,
# imported only when it is asked for, so that the help costs nothing.
COMMANDS = {
    "quickstart": "renders a small image set, trains on it from a source and from scratch, compares both",
    "train": "trains a generator on a folder or zip of images, or resumes a run",
    "sources": "ranks trained networks as starting points for your images",
    "study": "trains every source on every target, several times: which start is the best for which images",
    "generate": "writes images of a trained generator, with a manifest",
    "evaluate": "measures how close generated images are to real ones",
    "report": "writes a run or a study as one page of HTML, with its figures",
    "convert": "writes a trained network as a checkpoint folder, ONNX, rosinality .pt or for the hub",
    "zoo": "shows the trained sources that come with the package",
    "bench": "measures this machine, and says what training and sampling take on it",
    "inspect": "says what a run, a checkpoint or an image set is",
}

_PROBLEMS_IN_MESSAGE = 3  # of many bad images the message names the first; the others get a line each
_INTERRUPTED = 130  # 128 + SIGINT, as shells count
_BROKEN_PIPE = 141  # 128 + SIGPIPE


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: the words after `stylegraft`; None takes them from the process.

    Returns:
        The exit code.
    """
    wait_briefly(os.environ)
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    library, notices = logging.getLogger("stylegraft"), _Notices()
    library.addHandler(notices)
    library.setLevel(logging.INFO)
    try:
        code = _dispatch(words)
        sys.stdout.flush()
        return code
    except StylegraftError as error:
        return _report(error, error.exit_code, debug)
    except BrokenPipeError:
        # Whoever read our output has gone (`stylegraft inspect x | head -1`). Python would complain once more
        # when it flushes at exit, so the output is pointed at nothing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except OSError as error:
        return _report(error, 1, debug)
    except KeyboardInterrupt:
        if debug:
            raise
        print("\nstylegraft: interrupted", file=sys.stderr)
        return _INTERRUPTED
    finally:
        library.removeHandler(notices)


class _Notices(logging.Handler):
    """Shows what the library has to say of itself, such as a wait that happens once after an installation."""

    def emit(self, record: logging.LogRecord) -> None:
        """Prints one line, to wherever standard error goes by now."""
        print(record.getMessage(), file=sys.stderr)


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(_help())
        return 0
    if words[0] == "--version":
        print(f"stylegraft {__version__}")
        return 0
    name = words[0]
    if name not in COMMANDS:
        raise InputError(
            f"{name} is no command: expected one of {', '.join(COMMANDS)}. See stylegraft --help."
        )
    from stylegraft.cli.arguments import parse

    command: Callable[..., None] = getattr(importlib.import_module(f"stylegraft.cli.{name}"), name)
    run = parse(command, f"stylegraft {name}", words[1:])
    if run is not None:
        run()
    return 0


def _help() -> str:
    width = max(len(name) for name in COMMANDS)
    lines = [f"  {name:<{width}}  {summary}" for name, summary in COMMANDS.items()]
    return "\n".join(
        [
            "usage: stylegraft COMMAND [arguments]",
            "",
            "StyleGAN for small image sets: from a folder of images to new images, measured.",
            "",
            "commands:",
            *lines,
            "",
            "stylegraft COMMAND --help shows the flags of a command; --version the release;",
            "--debug, anywhere, a traceback when something fails.",
        ]
    )


def _report(error: Exception, code: int, debug: bool) -> int:
    """Prints an error as one line, or raises it again for its traceback."""
    if debug:
        raise error
    for name, reason in getattr(error, "problems", [])[_PROBLEMS_IN_MESSAGE:]:
        print(f"  {reason}" if reason.startswith(f"{name}:") else f"  {name}: {reason}", file=sys.stderr)
    print(f"stylegraft: error: {' '.join(str(error).split())}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
