"""What volumes will take of the memory, said before training, and refused in one line where there is less."""

from ..core import BadData
from ..data import Dataset
from ..models import BaseModel
from .forecast import FULL, PROCESS, data_bytes, memory_of, replace_batch, step_bytes
from .formats import size
from .record import Settings

SMALLEST_SIDE = 8  # voxels, below which no size is proposed


def memory_line(data: Dataset, network: BaseModel, settings: Settings) -> str | None:
    """`fits: 1.2 GB of 16 GB at batch 32`; None where nobody says how much there is.

    Raises:
        BadData: it does not fit; the message gives a batch, or a size of the volumes, that does.
    """
    memory = memory_of(settings.device)
    if memory is None:
        return None
    on_host = 0 if settings.device.startswith("cuda") else PROCESS
    held = on_host + data_bytes(data, settings)
    needed = held + step_bytes(network, settings)
    if needed <= FULL * memory:
        return f"fits: {size(needed)} of {size(memory)} at batch {settings.batch_size:,}"
    raise BadData(
        f"training {settings.model} on {data.name} takes {size(needed)} at batch {settings.batch_size:,}, there are "
        f"{size(memory)}; {_remedy(data, network, settings, FULL * memory - held)}."
    )


def _remedy(data: Dataset, network: BaseModel, settings: Settings, room: float) -> str:
    """What fits into so many bytes: a smaller batch, or else smaller volumes."""
    batch = settings.batch_size // 2
    while batch and step_bytes(network, replace_batch(settings, batch)) > room:
        batch //= 2
    if batch:
        return f"take a smaller batch: --batch-size {batch} (batch_size={batch})"
    needed = data_bytes(data, settings) + step_bytes(network, replace_batch(settings, 1))
    share = max(0.0, room + data_bytes(data, settings)) / needed
    side = max(SMALLEST_SIDE, int(max(data.shape[:3]) * share ** (1 / 3)) // 4 * 4)
    return f"make the volumes smaller: --image-size {side} (image_size={side})"
