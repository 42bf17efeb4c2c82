"""Bases by name: what they are, where they come from, and fetching those that are not on this machine yet."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from ..core import BadFile, UnknownName, suggestion
from ..data.remote import cache_folder, fetch
from ..models import BaseModel
from ..models.reading import regular, told
from . import convnext, efficientnet, mobilenet, resnet
from .hf import IMAGENET, converted
from .net import Config

Progress = Callable[[int, int], None]
SITE = "https://download.pytorch.org/models/"
HOME = "https://docs.pytorch.org/vision/stable/models.html"
LICENCE = "BSD-3-Clause (torchvision); ImageNet's pictures are for research"
PICTURES: Config = {**IMAGENET, "do_center_crop": True, "crop_size": 224}


@dataclass(frozen=True)
class Base:
    """A pre-trained model that is known by its name.

    Attributes:
        name: as in `load_base("resnet18")`.
        about: what it is, in a few words.
        file: its name at the site and in the cache.
        size: of the file, in bytes.
        sha256: of the file, in hex digits.
        parameters: weights with its head, without the statistics of its batch normalizations.
        citation: who made it.
        config: as `transformers` would have it.
        renamed: from the names of its tensors to those of `transformers`.
        words: how pictures are prepared for it, as an image processor of `transformers` would say it.
        site: the folder that the file is fetched from.
        licence, home: under which it comes, and where people read about it.
    """

    name: str
    about: str
    file: str
    size: int
    sha256: str
    parameters: int
    citation: str
    config: Config
    renamed: Callable[[str], str] = field(repr=False)
    words: Config
    site: str = SITE
    licence: str = LICENCE
    home: str = HOME

    @property
    def url(self) -> str:
        return self.site + self.file

    @property
    def path(self) -> Path:
        """Where the file is once it is fetched."""
        return cache_folder() / "bases" / self.file


def bases() -> tuple[Base, ...]:
    """All bases that have a name."""
    return tuple(BASES.values())


def fetch_base(name: str, *, progress: Progress | None = None) -> BaseModel:
    """The model of this name with its head; its file is fetched into the cache once, and checked when it comes.

    Args:
        name: one of `BASES`.
        progress: told (bytes here, bytes in all); None: a bar on the terminal, if somebody looks.

    Raises:
        UnknownName: no such base; the message lists those there are.
        BadFile: it cannot be fetched, or is another file; the message says where to put it by hand.
    """
    if name not in BASES:
        raise UnknownName(f"no base is called {name!r}{suggestion(name, list(BASES))}")
    base = BASES[name]
    with _bar(base) if progress is None else _as_it_is(progress) as shown:
        fetch(base.url, base.path, sha256=base.sha256, size=base.size, progress=shown)
    with told(base.path, "file of torchvision's weights"):
        tensors = {base.renamed(key): tensor for key, tensor in read_state(base.path).items()}
        model = converted(base.config, base.words, tensors)
    model.name = base.name
    return model


def read_state(path: Path) -> Mapping[str, Tensor]:
    """The tensors of a file of torch by their names; of its pickle nothing but tensors is made.

    Raises:
        BadFile: it holds anything else, or is damaged.
    """
    with regular(path):  # no pipe, no device
        pass
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise BadFile("holds more than tensors, or is damaged; delete it, and it is fetched again.") from error
    if not isinstance(found, Mapping) or not all(isinstance(one, Tensor) for one in found.values()):
        raise BadFile("holds no tensors by their names.")
    return found


@contextmanager
def _as_it_is(progress: Progress) -> Iterator[Progress]:
    yield progress


@contextmanager
def _bar(base: Base) -> Iterator[Progress | None]:
    """A bar on the terminal; None where nobody looks."""
    if base.path.is_file() or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns: tuple[Any, ...] = (TextColumn(base.file), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(base.name, total=base.size)
        yield lambda done, _: bar.update(task, completed=done)


def _resnet(depths: tuple[int, ...], kind: str) -> Config:
    return {"model_type": "resnet", "depths": depths, "layer_type": kind}


# Each SHA-256 begins with the digits that torchvision puts into the file's name.  The rest, and the sizes, are those
# that several projects which have fetched the files keep, all the same; docs/bases.md says which.
_BASES = (
    Base(
        name="resnet18",
        about="ResNet-18 of ImageNet-1k",
        file="resnet18-f37072fd.pth",
        size=46_830_571,
        sha256="f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
        parameters=11_689_512,
        citation="He et al. 2015, arXiv:1512.03385; torchvision's IMAGENET1K_V1",
        config=_resnet((2, 2, 2, 2), "basic"),
        renamed=resnet.from_torchvision,
        words=PICTURES,
    ),
    Base(
        name="resnet34",
        about="ResNet-34 of ImageNet-1k",
        file="resnet34-b627a593.pth",
        size=87_319_819,
        sha256="b627a593bcbe140c234610266fe4f8ae95ea42fc881d091c9b6052e6b1d0590f",
        parameters=21_797_672,
        citation="He et al. 2015, arXiv:1512.03385; torchvision's IMAGENET1K_V1",
        config=_resnet((3, 4, 6, 3), "basic"),
        renamed=resnet.from_torchvision,
        words=PICTURES,
    ),
    Base(
        name="resnet50",
        about="ResNet-50 of ImageNet-1k",
        file="resnet50-0676ba61.pth",
        size=102_530_333,
        sha256="0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a",
        parameters=25_557_032,
        citation="He et al. 2015, arXiv:1512.03385; torchvision's IMAGENET1K_V1",
        config=_resnet((3, 4, 6, 3), "bottleneck"),
        renamed=resnet.from_torchvision,
        words=PICTURES,
    ),
    Base(
        name="resnet50_v2",
        about="ResNet-50 of ImageNet-1k, by torchvision's later recipe",
        file="resnet50-11ad3fa6.pth",
        size=102_540_417,
        sha256="11ad3fa62ca79e40addfd354a8ec4b7c75143b3038b8d2a807fbc68deab379ca",
        parameters=25_557_032,
        citation="He et al. 2015, arXiv:1512.03385; torchvision's IMAGENET1K_V2",
        config=_resnet((3, 4, 6, 3), "bottleneck"),
        renamed=resnet.from_torchvision,
        words=PICTURES,
    ),
    Base(
        name="mobilenet_v2",
        about="MobileNetV2 of ImageNet-1k, the smallest",
        file="mobilenet_v2-7ebf99e0.pth",
        size=14_258_573,
        sha256="7ebf99e03e254b273379b23edca7ec0da9f48273b23a332b93c1c99d49e86e8f",
        parameters=3_504_872,
        citation="Sandler et al. 2018, arXiv:1801.04381; torchvision's IMAGENET1K_V2",
        config={"model_type": "mobilenet_v2", "tf_padding": False, "layer_norm_eps": 1e-5},
        renamed=mobilenet.from_torchvision,
        words=PICTURES,
    ),
    Base(
        name="efficientnet_b0",
        about="EfficientNet-B0 of ImageNet-1k",
        file="efficientnet_b0_rwightman-7f5810bc.pth",
        size=21_444_401,
        sha256="7f5810bc96def8f7552d5b7e68d53c4786f81167d28291b21c0d90e1fca14934",
        parameters=5_288_548,
        citation="Tan and Le 2019, arXiv:1905.11946; Wightman's weights, torchvision's IMAGENET1K_V1",
        config={
            "model_type": "efficientnet",
            "depth_coefficient": 1.0,
            "batch_norm_eps": 1e-5,
            "torch_padding": True,
        },
        renamed=efficientnet.from_torchvision(efficientnet.REPEATS),
        words={**PICTURES, "include_top": False, "resample": 3},
    ),
    Base(
        name="convnext_tiny",
        about="ConvNeXt-T of ImageNet-1k, the best and slowest",
        file="convnext_tiny-983f1562.pth",
        size=114_419_221,
        sha256="983f1562536e84ff750a1576fb08e54de751dbf2e17c0d8a4a13704341fdcd3d",
        parameters=28_589_128,
        citation="Liu et al. 2022, arXiv:2201.03545; torchvision's IMAGENET1K_V1",
        config={"model_type": "convnext", "layer_norm_eps": 1e-6},
        renamed=convnext.from_torchvision,
        words=PICTURES,
    ),
)
BASES = {base.name: base for base in _BASES}
