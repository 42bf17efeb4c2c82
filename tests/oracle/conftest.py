"""The judge that tests of exports have."""

from export.conftest import tfjs

__all__ = ["tfjs"]
