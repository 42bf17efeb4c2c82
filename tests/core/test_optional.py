"""Optional packages are asked for in one line."""

import math

import pytest

from holdfast.core import MissingExtra, need


def test_what_is_installed_is_given() -> None:
    assert need("math", extra="sums") is math


def test_what_is_missing_is_named_with_the_command_that_brings_it() -> None:
    with pytest.raises(MissingExtra) as caught:
        need("no_such_package.part", extra="onnx")

    assert str(caught.value) == "no_such_package is not installed; run: pip install 'holdfast[onnx]'"
