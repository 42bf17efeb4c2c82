"""Our errors are also the built-in ones that Python users catch already."""

import pytest

from holdfast import core
from holdfast.core import (
    BadData,
    BadFile,
    BadShape,
    BadValue,
    GateMissed,
    HoldfastError,
    Lost,
    MissingExtra,
    NotReady,
    UnknownName,
)

PAIRS = [
    (BadValue, ValueError),
    (BadShape, ValueError),
    (BadData, ValueError),
    (BadFile, OSError),
    (UnknownName, LookupError),
    (MissingExtra, ImportError),
    (NotReady, RuntimeError),
    (GateMissed, RuntimeError),
    (Lost, RuntimeError),
]


@pytest.mark.parametrize(("ours", "built_in"), PAIRS, ids=lambda one: str(one.__name__))
def test_an_error_is_caught_by_its_built_in_name_and_by_ours(
    ours: type[HoldfastError], built_in: type[Exception]
) -> None:
    with pytest.raises(built_in, match=r"^what went wrong$"):
        raise ours("what went wrong")
    with pytest.raises(HoldfastError, match=r"^what went wrong$"):
        raise ours("what went wrong")


def test_the_table_has_all_of_them() -> None:
    public = [getattr(core, name) for name in core.__all__]

    errors = {one for one in public if isinstance(one, type) and issubclass(one, HoldfastError)}

    assert errors == {HoldfastError, *(ours for ours, _ in PAIRS)}
