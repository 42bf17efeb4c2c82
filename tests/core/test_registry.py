"""Registries: forgiving about spelling, helpful about mistakes."""

from dataclasses import dataclass
from typing import Any

import pytest

from holdfast.core import BadValue, Registry, UnknownName, snake_case, suggestion


@dataclass(frozen=True)
class Animal:
    legs: int = 4


@dataclass(frozen=True)
class Bird(Animal):
    legs: int = 2


def animals() -> Registry[type[Animal]]:
    registry: Registry[type[Animal]] = Registry("animal")
    registry.add("guinea_pig", Animal, "cavy")
    registry.register("bird")(Bird)
    return registry


@pytest.mark.parametrize("spelling", ["guinea_pig", "guineaPig", "GuineaPig", "GUINEAPIG", "cavy", "Cavy"])
def test_case_underscores_and_camel_case_do_not_count(spelling: str) -> None:
    assert animals()[spelling] is Animal
    assert spelling in animals()
    assert animals().canonical(spelling) == "guinea_pig"


def test_register_gives_the_class_back() -> None:
    assert Registry[type[Animal]]("animal").register("bird")(Bird) is Bird


def test_a_registry_lists_names_without_aliases() -> None:
    assert list(animals()) == ["guinea_pig", "bird"]


def test_a_near_miss_is_met_with_a_suggestion() -> None:
    with pytest.raises(UnknownName, match=r"^unknown animal 'brid'; did you mean 'bird'\?$"):
        animals()["brid"]
    assert "brid" not in animals()


def test_a_wild_guess_is_met_with_all_names() -> None:
    with pytest.raises(UnknownName, match=r"^unknown animal 'zebra'; known: bird, guinea_pig$"):
        animals()["zebra"]


def test_of_many_names_none_is_told_where_none_is_near() -> None:
    assert suggestion("zebra", [f"animal {number}" for number in range(31)]) == ""


def test_nothing_is_suggested_where_nothing_is_known() -> None:
    assert suggestion("zebra", []) == ""


@pytest.mark.parametrize(
    ("value", "legs"),
    [
        ("bird", 2),
        (Bird(3), 3),
        ({"class_name": "Bird", "config": {"legs": 1}}, 1),
        ({"class_name": "bird"}, 2),
    ],
    ids=str,
)
def test_a_thing_is_made_from_a_name_json_or_itself(value: Any, legs: int) -> None:  # Any: as Registry.make takes it
    assert animals().make(value, Animal).legs == legs


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "animal: takes a name or an Animal, got int 3"),
        (None, "animal: takes a name or an Animal, got NoneType None"),
        ({"legs": 3}, "animal: takes a name or an Animal, got dict {'legs': 3}"),
    ],
    ids=str,
)
def test_anything_else_is_refused(value: Any, text: str) -> None:  # Any: what the test is about
    with pytest.raises(BadValue) as caught:
        animals().make(value, Animal)

    assert str(caught.value) == text


def test_a_setting_that_the_class_does_not_have_is_named() -> None:
    with pytest.raises(BadValue, match=r"^animal 'Bird': .*unexpected keyword argument 'wings'"):
        animals().make({"class_name": "Bird", "config": {"wings": 2}}, Animal)


@pytest.mark.parametrize(
    ("name", "snake"),
    [
        ("leCunNormal", "le_cun_normal"),
        ("Conv2D", "conv2d"),
        ("MaxPooling2D", "max_pooling2d"),
        ("ReLU", "re_lu"),
        ("BatchNormalization", "batch_normalization"),
        ("GlobalAveragePooling2D", "global_average_pooling2d"),
        ("InputLayer", "input_layer"),
        ("Dense", "dense"),
    ],
)
def test_snake_case_is_keras_s(name: str, snake: str) -> None:
    assert snake_case(name) == snake
