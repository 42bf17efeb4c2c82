"""Public data sets by name: what they are, where they lie here, and fetching what is missing."""

import gzip
import os
import re
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ..core import BadFile, whole_folder
from .cifar import is_cifar, read_cifar
from .idx import read_idx
from .options import Progress, Reading
from .remote import cache_folder, fetch
from .source import Source

IDX = tuple(f"{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1"))
CLOTHES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"
)  # fmt: skip
HIRAGANA = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
RECORDING = re.compile(r".*/recordings/(\d)_(\w+?)_(\d+)\.wav")
NOTHING = "(?!)"  # a pattern that matches no name


@dataclass(frozen=True)
class RemoteFile:
    """A file of a set as its publisher gives it.

    Attributes:
        name: in the folder of the set.
        size: bytes.
        sha256: hex digits.
    """

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class PublicSet:
    """A data set that everybody knows by its name.

    Attributes:
        name: as in `load("mnist")`.
        about: what its samples are, in a few words.
        url: of the folder that the files are fetched from.
        files: all that is fetched.
        licence: SPDX's word, or a sentence.
        citation: who made it.
        home: where people read about it.
        here: whether a folder holds the set, in any form that `read` takes.
        read: its samples, from such a folder.
    """

    name: str
    about: str
    url: str
    files: tuple[RemoteFile, ...]
    licence: str
    citation: str
    home: str
    here: Callable[[Path], bool]
    read: Callable[[Path, Reading], Source]

    @property
    def size(self) -> int:
        """Bytes to fetch."""
        return sum(file.size for file in self.files)

    def offline(self) -> Path | None:
        """The folder of this set in that which HOLDFAST_DATA names; None when it names none."""
        chosen = os.environ.get("HOLDFAST_DATA")
        return Path(chosen) / self.name if chosen else None

    def found(self) -> Path | None:
        """Where the set lies on this machine; None when it must be fetched."""
        return next((place for place in (self.offline(), self._cached()) if place and self.here(place)), None)

    def fetched(self, progress: Progress | None = None) -> Path:
        """Where the set lies on this machine; what is missing is downloaded into the cache.

        Raises:
            BadFile: it cannot be; the message says which files are needed and where to put them.
        """
        if place := self.found():
            return place
        folder = self._cached()
        for file in self.files:
            try:
                fetch(self.url + file.name, folder / file.name, sha256=file.sha256, size=file.size, progress=progress)
            except BadFile as error:
                names = ", ".join(file.name for file in self.files)
                why = str(error).partition("; ")[0].rstrip(".")
                raise BadFile(
                    f"{self.name} is not on this machine and cannot be fetched ({why}); put {names} from {self.url} "
                    f"into {self.offline() or folder}{'' if self.offline() else f', or into {OFFLINE} {self.name}/'}."
                ) from error
        return folder

    def _cached(self) -> Path:
        return cache_folder() / "sets" / self.name


OFFLINE = "a folder that HOLDFAST_DATA names, as"


def read_public(name: str, reading: Reading) -> Source:
    """The samples of a set by its name.

    Raises:
        BadFile: it is not here and cannot be fetched, or it is damaged.
    """
    known = PUBLIC[name]
    return known.read(known.fetched(reading.progress), reading)


def _has_idx(folder: Path) -> bool:
    """Whether all four files are there, each packed or not."""
    return all((folder / name).is_file() or (folder / f"{name}.gz").is_file() for name in IDX)


def _idx(classes: tuple[str, ...] = ()) -> Callable[[Path, Reading], Source]:
    def read(folder: Path, reading: Reading) -> Source:
        source = read_idx(folder, reading)
        if classes and len(classes) != len(source.classes):
            raise BadFile(
                f"{folder}: has {len(source.classes)} classes, {folder.name} has {len(classes)}; fetch it again."
            )
        return replace(source, classes=classes or source.classes)

    return read


def _has_cifar(folder: Path) -> bool:
    return folder.is_dir() and is_cifar(folder)


def _has_recordings(folder: Path) -> bool:
    """Whether there is a folder of recordings for each digit, or the archive that holds them all."""
    return all((folder / str(digit)).is_dir() for digit in range(10)) or (folder / SPOKEN.name).is_file()


def _read_spoken(folder: Path, reading: Reading) -> Source:
    from .sounds import read_sounds

    if (folder / SPOKEN.name).is_file() and not (folder / "0").is_dir():
        folder = unpacked(folder / SPOKEN.name, cache_folder() / "sets" / "spoken_digits" / "recordings")
    return read_sounds(folder, reading)


def unpacked(archive: Path, folder: Path) -> Path:
    """The recordings 0_jackson_3.wav of the archive as 0/jackson_3.wav in `folder`, which appears whole or not at all.

    Raises:
        BadFile: the archive is damaged, or holds no recordings.
    """
    if folder.is_dir():
        return folder
    with whole_folder(folder, re.compile(NOTHING)) as fresh:
        try:
            count = _unpack(archive, fresh)
        except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise BadFile(f"{archive}: is damaged: {error}; delete it, and it is fetched again.") from error
        if not count:
            raise BadFile(f"{archive}: holds no recordings such as recordings/0_jackson_0.wav.")
    return folder


def _unpack(archive: Path, folder: Path) -> int:
    """How many recordings were written."""
    count = 0
    with tarfile.open(archive) as tar:
        for member in tar:
            if (match := RECORDING.fullmatch(member.name)) and (content := tar.extractfile(member)):
                digit, speaker, take = match.groups()  # letters and digits only: no name leads out of the folder
                (folder / digit).mkdir(exist_ok=True)
                (folder / digit / f"{speaker}_{take}.wav").write_bytes(content.read())
                count += 1
    return count


def _files(*rows: tuple[str, int, str]) -> tuple[RemoteFile, ...]:
    return tuple(RemoteFile(*row) for row in rows)


# Sizes and SHA-256 are those that tensorflow-datasets 4.9.10 keeps of the same addresses (url_checksums/*.txt and
# datasets/spoken_digit/checksums.tsv).
SPOKEN = RemoteFile("v1.0.9.tar.gz", 11_975_353, "8bc44cde129d505cbbb6b365c09f80c663f2aa77578afc634e6141a2f87100c0")
CIFAR10 = RemoteFile(
    "cifar-10-binary.tar.gz", 170_052_171, "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
)
CIFAR100 = RemoteFile(
    "cifar-100-binary.tar.gz", 168_513_733, "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec"
)
_SETS = (
    PublicSet(
        name="mnist",
        about="handwritten digits, 60,000 + 10,000 grey pictures of 28x28",
        url="https://storage.googleapis.com/cvdf-datasets/mnist/",
        files=_files(
            (f"{IDX[0]}.gz", 9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
            (f"{IDX[1]}.gz", 28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
            (f"{IDX[2]}.gz", 1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
            (f"{IDX[3]}.gz", 4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
        ),
        licence="CC BY-SA 3.0",
        citation="LeCun, Cortes and Burges 1998",
        home="http://yann.lecun.com/exdb/mnist/",
        here=_has_idx,
        read=_idx(),
    ),
    PublicSet(
        name="fashion_mnist",
        about="clothes, 60,000 + 10,000 grey pictures of 28x28",
        url="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        files=_files(
            (f"{IDX[0]}.gz", 26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
            (f"{IDX[1]}.gz", 29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
            (f"{IDX[2]}.gz", 4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
            (f"{IDX[3]}.gz", 5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
        ),
        licence="MIT",
        citation="Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747",
        home="https://github.com/zalandoresearch/fashion-mnist",
        here=_has_idx,
        read=_idx(CLOTHES),
    ),
    PublicSet(
        name="kmnist",
        about="cursive Japanese letters, 60,000 + 10,000 grey pictures of 28x28",
        url="http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        files=_files(
            (f"{IDX[0]}.gz", 18_165_135, "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"),
            (f"{IDX[1]}.gz", 29_497, "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"),
            (f"{IDX[2]}.gz", 3_041_136, "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"),
            (f"{IDX[3]}.gz", 5_120, "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"),
        ),
        licence="CC BY-SA 4.0",
        citation="Clanuwat et al. 2018, arXiv:1812.01718",
        home="http://codh.rois.ac.jp/kmnist/",
        here=_has_idx,
        read=_idx(HIRAGANA),
    ),
    PublicSet(
        name="cifar10",
        about="ten kinds of things, 50,000 + 10,000 colour pictures of 32x32",
        url="https://www.cs.toronto.edu/~kriz/",
        files=(CIFAR10,),
        licence="none stated",
        citation="Krizhevsky 2009, Learning multiple layers of features from tiny images",
        home="https://www.cs.toronto.edu/~kriz/cifar.html",
        here=_has_cifar,
        read=read_cifar,
    ),
    PublicSet(
        name="cifar100",
        about="a hundred kinds of things, 50,000 + 10,000 colour pictures of 32x32",
        url="https://www.cs.toronto.edu/~kriz/",
        files=(CIFAR100,),
        licence="none stated",
        citation="Krizhevsky 2009, Learning multiple layers of features from tiny images",
        home="https://www.cs.toronto.edu/~kriz/cifar.html",
        here=_has_cifar,
        read=read_cifar,
    ),
    PublicSet(
        name="spoken_digits",
        about="digits spoken by five people, 2,500 recordings at 8 kHz",
        url="https://github.com/Jakobovski/free-spoken-digit-dataset/archive/",
        files=(SPOKEN,),
        licence="CC BY-SA 4.0",
        citation="Jackson et al. 2016, Free Spoken Digit Dataset",
        home="https://github.com/Jakobovski/free-spoken-digit-dataset",
        here=_has_recordings,
        read=_read_spoken,
    ),
)
PUBLIC = {one.name: one for one in _SETS}
