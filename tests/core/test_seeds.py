"""Seeds are functions of what they are for."""

import random

import torch

from holdfast.core import derive, generator


def test_a_seed_follows_from_its_parts_alone_and_is_the_same_on_every_machine() -> None:
    torch.manual_seed(1)
    random.seed(1)

    assert derive(0, "order", 1) == 2961819992523135983 == derive(0, "order", 1)


def test_other_parts_give_unrelated_seeds() -> None:
    seeds = {derive(seed, kind, epoch) for seed in range(10) for kind in ("order", "dropout") for epoch in range(50)}

    assert len(seeds) == 1000
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert 450 < sum(seed % 2 for seed in seeds) < 550


def test_a_generator_starts_where_its_parts_say() -> None:
    one, same, other = generator(5, "a", 1), generator(5, "a", 1), generator(5, "a", 2)

    draws = [torch.rand(4, generator=each).tolist() for each in (one, same, other)]

    assert draws[0] == draws[1] != draws[2]
    assert one.initial_seed() == derive(5, "a", 1)


def test_a_generator_leaves_torch_s_own_alone() -> None:
    before = torch.get_rng_state()

    torch.rand(4, generator=generator(5, "a"))

    assert torch.equal(torch.get_rng_state(), before)
