"""The driver's side: which peers there are, and how to ask them.  One is asked at a time; the others wait."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BENCHMARKS = Path(__file__).parents[1]
ENVIRONMENTS = BENCHMARKS.parent / ".venv-peers"
HERE = ""  # the environment of holdfast


@dataclass(frozen=True)
class Kind:
    """How a peer is run: the environment, the program, its arguments, and further variables."""

    environment: str
    program: str
    arguments: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def python(self) -> Path:
        return Path(sys.executable) if self.environment == HERE else ENVIRONMENTS / self.environment / "bin" / "python"


def _keras(environment: str, backend: str, policy: str = "float32") -> Kind:
    variables = {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return Kind(environment, "peers.on_keras", (policy,), variables)


HOLDFAST = "holdfast"
PEERS = {
    "keras-tf": _keras("keras-tf", "tensorflow"),
    "keras-tf-bf16": _keras("keras-tf", "tensorflow", "mixed_bfloat16"),
    "keras-torch": _keras("keras-torch", "torch"),
    "keras-jax": _keras("keras-jax", "jax"),
    "torch-tutorial": Kind(HERE, "peers.on_torch", ("tutorial",)),
    "torch-tuned": Kind(HERE, "peers.on_torch", ("tuned", "float32")),
    "torch-tuned-bf16": Kind(HERE, "peers.on_torch", ("tuned", "bfloat16")),
}
KINDS = {HOLDFAST: Kind(HERE, "peers.on_holdfast")} | PEERS


class Peer:
    """A peer that runs and waits for questions.

    Attributes:
        about: its answer to `build`: parameters and versions.
    """

    def __init__(self, name: str, process: "subprocess.Popen[str]") -> None:
        self.name, self.process = name, process
        self.about: dict[str, Any] = {}

    def ask(self, do: str, **question: Any) -> dict[str, Any]:  # Any: JSON values
        """The answer to a question; see serve.Session.

        Raises:
            SystemExit: the peer is dead; what it said last is on standard error.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with suppress(BrokenPipeError):  # the empty answer says so
            print(json.dumps({"do": do, **question}), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended with {self.process.wait()} while it was asked to {do}.")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def running(names: Sequence[str], **task: Any) -> Iterator[dict[str, Peer]]:  # Any: as serve.Session.build takes it
    """Peers by name, each with its model built, one after another; all end with the block.

    Raises:
        SystemExit: an environment is missing.
    """
    check_built(names)
    with ExitStack() as stack:
        peers = {}
        for name in names:
            peer = peers[name] = Peer(name, stack.enter_context(_process(KINDS[name])))
            peer.about = peer.ask("build", **task)
        yield peers


def check_built(names: Sequence[str]) -> None:
    """Raises SystemExit where an environment is missing, and says how to build it."""
    missing = [name for name in names if not KINDS[name].python.exists()]
    if missing:
        raise SystemExit(f"{', '.join(missing)}: not built yet; run: make peers, or choose others with --peers.")


@contextmanager
def _process(kind: Kind) -> "Iterator[subprocess.Popen[str]]":
    process = subprocess.Popen(
        [str(kind.python), "-m", kind.program, *kind.arguments],
        cwd=BENCHMARKS,
        env=os.environ | kind.variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
