"""Free memory."""

from holdfast.data.memory import free_memory


def test_some_memory_is_free_where_the_system_says() -> None:
    free = free_memory()

    assert free is None or 2**20 < free < 2**50
