"""Memory: what a checkpoint keeps of a callback, so that a resumed run stops, slows and records as an unbroken one."""

from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Resumable(Protocol):
    """A callback with a memory.  `Begin` clears it, unless it was loaded since the last `Begin`.

    Checkpoints should be taken after all callbacks heard the event: a memory saved earlier misses that event.
    """

    def state_dict(self) -> dict[str, Any]:  # Any: numbers, strings, lists, None; tensors in a dict of their own
        """Plain values; tensors only under "weights", as {name: tensor}."""

    def load_state_dict(self, state: dict[str, Any], /) -> None:  # Any: what `state_dict` gave
        """Takes up where the other one left off."""
