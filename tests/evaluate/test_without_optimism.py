import numpy as np
import pytest

from holdfast.evaluate import optimism, score, without_optimism

RIGHT = np.array([0] * 80 + [1] * 20)  # 80 of 100 right
REPORT = score(np.zeros(100, int), np.eye(2)[RIGHT], part="validation")
LOOKS = [0.76, 0.79, 0.74, 0.8, 0.77, 0.78]


def test_the_best_loses_what_looking_adds() -> None:
    found = without_optimism(REPORT, LOOKS).accuracy

    assert found.naive == pytest.approx(0.8)
    assert found.optimism == pytest.approx(optimism(LOOKS, 100))
    assert found.interval[0] < found.value < found.interval[1]


def test_one_that_is_not_the_best_loses_so_much_less() -> None:
    looks = [*LOOKS, 0.805]

    found = without_optimism(REPORT, looks).accuracy

    assert found.optimism == pytest.approx(optimism(looks, 100) - 0.005)
    assert without_optimism(REPORT, [*LOOKS, 0.99]).accuracy == REPORT.accuracy


def test_no_accuracy_falls_below_nothing() -> None:
    report = score(np.array([0, 1, 1]), np.eye(2)[[0, 0, 0]], part="validation")
    looks = [0.0, 1 / 3] * 30

    found = without_optimism(report, looks).accuracy  # was -0.02

    assert optimism(looks, 3) > 1 / 3
    assert (found.value, found.interval[0]) == (0.0, 0.0)


def test_one_look_takes_nothing() -> None:
    assert without_optimism(REPORT, [0.8]).accuracy == REPORT.accuracy
