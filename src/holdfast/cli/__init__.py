"""The command line: `holdfast train photos/`.  Errors are one line on stderr; 2 is the user's, 1 is ours."""

import os
import sys
from importlib import import_module

from ..core import BadValue, GateMissed, HoldfastError, Lost

__all__ = ["main"]

# Modules with commands of their own, beside those in app.py.
COMMANDS = (
    "bases", "compare", "crossval", "curve", "data", "dims", "export", "labels", "ledger", "pays", "pretrain", "shard",
    "tune",
)  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Runs a command and returns its exit code: 0, 2 for what the user can mend, 1 for a failure, 130 for Ctrl-C."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"] or ["--help"]
    try:
        if "TORCHELASTIC_RUN_ID" in os.environ and words[0] != "train":
            raise BadValue(f"torchrun is for holdfast train; {words[0]} works in one process, start it without.")
        from .app import app

        for name in COMMANDS:
            import_module(f".{name}", __name__)

        code = app(words, prog_name="holdfast", standalone_mode=False)
    except HoldfastError as error:
        return _fail(str(error), 1 if isinstance(error, (GateMissed, Lost)) else 2, debug)
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # whatever it is, the user gets one line
        import typer

        if isinstance(error, typer.Abort):
            return 130
        # Wrong words on the command line: typer carries a copy of click, whose errors have no public name.
        if hasattr(error, "format_message"):
            command = getattr(getattr(error, "ctx", None), "command_path", "holdfast")
            message = error.format_message().replace(": Value error, ", ": ")
            return _fail(f"{message}{'' if message.endswith(('.', '?')) else '.'}  See: {command} --help", 2, debug)
        return _fail(f"failure: {type(error).__name__}: {error}  (--debug shows where)", 1, debug)
    return code if isinstance(code, int) else 0


def _fail(message: str, code: int, debug: bool) -> int:
    if debug:
        import traceback

        traceback.print_exc()
    if message:
        rank = os.environ.get("RANK", "0")  # of processes that train together, as torchrun has it
        who = "" if rank == "0" else f"rank {rank}: "
        print(f"holdfast: {who}{' '.join(message.split())}", file=sys.stderr, flush=True)
    return code
