"""Where the native kernels, bfloat16 and copies of a model step aside for what they cannot take."""

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import torch
from torch import Tensor, fx, nn

from holdfast.data import Batch, Batches
from holdfast.layers import BatchNormalization, Conv2D, Input, Layer, MaxPooling2D, ReLU
from holdfast.models import Sequential
from holdfast.training import Program, State, native, probe
from holdfast.training.passes import fused


def module_of(shape: tuple[int, int, int], *layers: Layer) -> fx.GraphModule:
    return Sequential([Input(shape), *layers], seed=0).module


def test_kernels_that_cannot_be_loaded_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They used to end the training: OSError, where the system's C++ library was an older one than the builder's."""
    monkeypatch.setattr(native, "__file__", str(tmp_path / "__init__.py"))
    (tmp_path / "kernels-default.so").write_text("no library")

    with pytest.warns(UserWarning, match=r"^holdfast: no native kernels, training is slower: .*kernels-default\.so"):
        assert native.library.__wrapped__() is None


def test_gradients_are_not_copied_for_nothing() -> None:
    """On a GPU each step used to copy all gradients in channels_last memory, for a kernel that then refused."""

    class Gradient:
        def contiguous(self) -> Tensor:
            raise AssertionError("a copy")

    elsewhere = [torch.zeros(3, device="meta")]

    assert not native.update("momentum", (elsewhere, elsewhere, [cast(Tensor, Gradient())]), 1, 0.1, 0.9, 0)


def test_an_image_of_other_channels_is_refused() -> None:
    """The first block's kernel used to read the wrong pixels of it."""
    module = fused(module_of((8, 8, 1), Conv2D(8, 3, activation="relu"), MaxPooling2D(2)))

    with pytest.raises(RuntimeError, match="1 channels, but got 3"):
        module(torch.zeros(2, 8, 8, 3))


def test_biases_that_lie_apart_in_memory_are_the_first_block_s_too() -> None:
    """The kernel used to take their neighbours."""
    module = module_of((8, 8, 1), Conv2D(8, 3, activation="relu"), MaxPooling2D(2))
    conv = module.get_submodule("conv2d")
    conv.bias = nn.Parameter(torch.arange(16.0).view(8, 2)[:, 0])
    x = torch.ones(1, 8, 8, 1)

    torch.testing.assert_close(fused(module)(x), module(x), atol=1e-5, rtol=1e-5)  # sums in another order


def test_a_model_in_bfloat16_trains_as_without_passes() -> None:
    """Its moving statistics used to refuse what the kernel gave them: RuntimeError."""
    x = torch.randn(4, 6, 6, 16, generator=torch.Generator().manual_seed(0)).bfloat16()
    layers = BatchNormalization(), ReLU()
    plain, other = (module_of((6, 6, 16), *layers).bfloat16().train() for _ in range(2))

    assert torch.equal(fused(other)(x), plain(x))
    variance = "batch_normalization.running_var"
    assert torch.equal(other.get_buffer(variance), plain.get_buffer(variance))


@pytest.mark.parametrize("register", ["forward", "forward_pre", "full_backward"])
def test_who_listens_to_a_model_need_not_be_copied_for_a_trial(register: str) -> None:
    """A hook that held a lock, or a file, used to end the training: TypeError."""
    module = module_of((8, 8, 1), Conv2D(8, 3))
    lock, heard = threading.Lock(), list[int]()

    def hear(lock: object, *_: object) -> None:
        heard.append(1)

    getattr(module.get_submodule("conv2d"), f"register_{register}_hook")(partial(hear, lock))

    copy = probe.without_hooks(module)
    x = torch.zeros(1, 8, 8, 1, requires_grad=True)

    torch.autograd.grad(copy(x).sum(), x)
    assert not heard
    torch.autograd.grad(module(x).sum(), x)
    assert heard


def test_a_gpu_that_only_emulates_bfloat16_computes_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before Ampere torch says that it supports bfloat16, and computes it several times as slowly."""
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    batches = cast(Batches, SimpleNamespace(device=torch.device("cuda")))

    assert probe.precision_for(cast(State, None), cast(Program, None), batches, flops=1e15) == "float32"


def test_answers_of_trials_at_once_are_all_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The last to end used to write over what the others had found."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    batches = Batches(Batch((torch.zeros(2, 8, 8, 1),)), batch_size=2)
    module = module_of((8, 8, 1), Conv2D(8, 3))

    def trial(*_: object) -> str:
        probe.keep("of another", "float32")
        return "bfloat16"

    monkeypatch.setattr(probe, "faster", trial)

    assert probe.precision_for(State(module, 0.1), cast(Program, None), batches, flops=1e15) == "bfloat16"
    assert sorted(probe.answers().values()) == ["bfloat16", "float32"]


def test_trials_at_once_leave_torch_its_threads() -> None:
    """A thread that began in another's trial used to put back the one thread that it found, for all that followed."""
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    begun, found = threading.Event(), list[int]()

    def second() -> None:
        torch.zeros(1).sum()
        found.append(torch.get_num_threads())
        begun.set()
        with probe.one_thread():
            found.append(torch.get_num_threads())
        found.append(torch.get_num_threads())

    thread = threading.Thread(target=second)
    try:
        with probe.one_thread():
            thread.start()
            assert begun.wait(60)
        thread.join(60)
        with ThreadPoolExecutor(1) as fresh:
            assert fresh.submit(torch.get_num_threads).result() == 3
        assert found == [1, 1, 3]
    finally:
        torch.set_num_threads(before)
