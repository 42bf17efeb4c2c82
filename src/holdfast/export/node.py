"""Real TF.js in a node process, which says what a written model predicts.  Node comes with the user, or not at all."""

import base64
import json
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import BadFile, NotReady

JUDGE = Path(__file__).with_name("judge.cjs")
FOUND = "require.resolve('@tensorflow/tfjs', {paths: [process.argv[1]]})"


class TfjsJudge:
    """A node process with TF.js on its CPU backend; close it, or use it in a `with`.

    Attributes:
        seconds: that the last prediction took, without the way there and back.
    """

    def __init__(self, folder: Path | str = ".") -> None:
        """Starts it.

        Args:
            folder: where node looks for @tensorflow/tfjs, in its node_modules or in those of the folders above.

        Raises:
            NotReady: no node, or no TF.js there; `available` asks before.
        """
        if not self.available(folder):
            raise NotReady(f"there is no TF.js for node in {folder}; run: npm install @tensorflow/tfjs@4.22.0")
        command = [str(shutil.which("node")), str(JUDGE), str(folder)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.seconds = 0.0

    @staticmethod
    def available(folder: Path | str = ".") -> bool:
        """Whether there are node and, from `folder`, TF.js."""
        node = shutil.which("node")
        if node is None:
            return False
        done = subprocess.run([node, "-e", FOUND, str(Path(folder).resolve())], capture_output=True, check=False)
        return done.returncode == 0

    def predict(self, model: Path | str, inputs: Sequence[NDArray[Any]]) -> list[NDArray[np.float32]]:
        """The outputs of a written model.

        Args:
            model: the path of its model.json.
            inputs: (N, ...) each, channels last, in the order of the model's inputs.

        Raises:
            BadFile: what TF.js has against the model, in its words.
        """
        said = self._ask({"model": str(Path(model).resolve()), "inputs": [_packed(one) for one in inputs]})
        if "error" in said:
            raise BadFile(f"{model}: TF.js says: {said['error']}")
        self.seconds = said["seconds"]
        return [_unpacked(one) for one in said["outputs"]]

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:  # Any: what JSON holds
        process = self.process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(question) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            raise BadFile(f"{question['model']}: TF.js in node has ended, with code {process.wait()}.")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """Ends the process."""
        for pipe in (self.process.stdin, self.process.stdout):
            with suppress(OSError):
                assert pipe is not None
                pipe.close()
        self.process.wait()

    def __enter__(self) -> "TfjsJudge":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _packed(array: NDArray[Any]) -> dict[str, Any]:  # Any: of any number type; what JSON holds
    values = np.ascontiguousarray(array, np.float32)
    return {"shape": list(values.shape), "data": base64.b64encode(values.tobytes()).decode()}


def _unpacked(plain: dict[str, Any]) -> NDArray[np.float32]:  # Any: what JSON holds
    return np.frombuffer(base64.b64decode(plain["data"]), np.float32).reshape(plain["shape"])
