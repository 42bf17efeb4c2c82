"""Makes files that mean harm: `make(folder)` writes all of them and returns their paths by name.

Each is small, and each would cost memory, time or more in a reader that believes what it reads.  MADE lists them.
"""

import base64
import io
import json
import marshal
import os
import pickle
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

Json = Any  # what json.dumps takes
MADE: dict[str, Callable[[Path], Path | None]] = {}


def hostile(make: Callable[[Path], Path | None]) -> Callable[[Path], Path | None]:
    """Lists a function that writes a file at, or in a folder called, the path that it is given."""
    MADE[make.__name__] = make
    return make


def make(folder: Path) -> dict[str, Path]:
    """Writes all of them."""
    return {name: one(folder / name) or folder / name for name, one in MADE.items()}


# What they are made of.


def row(kind: str, **settings: Json) -> dict[str, Json]:
    return {"module": "keras.layers", "class_name": kind, "config": {"name": kind.lower(), **settings}}


def sequential(*rows: dict[str, Json], shape: tuple[int, ...] = (4,)) -> dict[str, Json]:
    first = row("InputLayer", batch_shape=[None, *shape])
    return {"class_name": "Sequential", "config": {"name": "net", "layers": [first, *rows]}}


DENSE = row("Dense", units=2, activation="linear")


def h5(fill: Callable[[Any], None] = lambda file: None) -> bytes:
    """Weights of `sequential(DENSE)`, and what `fill` adds."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["layers/dense/vars/0"] = np.zeros((4, 2), np.float32)
        file["layers/dense/vars/1"] = np.zeros(2, np.float32)
        fill(file)
    return buffer.getvalue()


def members(config: Json | bytes = None, weights: bytes | None = None) -> dict[str, bytes]:
    text = config if isinstance(config, bytes) else json.dumps(config or sequential(DENSE)).encode()
    return {"metadata.json": b"{}", "config.json": text, "model.weights.h5": h5() if weights is None else weights}


def pack(path: Path, content: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", method, compresslevel=1) as archive:
        for name, data in content.items():
            archive.writestr(name, data)


def model_h5(path: Path, config: Json = None, fill: Callable[[Any], None] = lambda file: None) -> None:
    """A model.h5 of Keras 2, and what `fill` adds."""
    plain = {"class_name": "Sequential", "config": {"name": "net", "layers": [{"class_name": "Dense", "config": {}}]}}
    plain["config"]["layers"][0]["config"] = {"name": "dense", "units": 2, "batch_input_shape": [None, 4]}  # type: ignore[index]
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config or plain).encode()
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [b"dense"]
        part = group.create_group("dense")
        part.attrs["weight_names"] = [b"dense/kernel:0", b"dense/bias:0"]
        part["dense/kernel:0"] = np.zeros((4, 2), np.float32)
        part["dense/bias:0"] = np.zeros(2, np.float32)
        fill(file)


def tfjs(folder: Path, **changes: Json) -> Path:
    """A model.json with 40 bytes of weights beside it; `changes` of its manifest's group, of a weight, or of all."""
    folder.mkdir()
    (folder / "shard.bin").write_bytes(bytes(40))
    kernel = {"name": "dense/kernel", "shape": [4, 2], "dtype": "float32", **changes.pop("kernel", {})}
    bias = {"name": "dense/bias", "shape": [2], "dtype": "float32"}
    layers = [{"class_name": "Dense", "config": {"name": "dense", "units": 2, "batch_input_shape": [None, 4]}}]
    config = {"class_name": "Sequential", "config": {"name": "net", "layers": changes.pop("layers", layers)}}
    group = {"paths": changes.pop("paths", ["shard.bin"]), "weights": [kernel, bias]}
    whole = {"format": "layers-model", "modelTopology": {"model_config": config}, "weightsManifest": [group], **changes}
    (folder / "model.json").write_text(json.dumps(whole))
    return folder


def patched(path: Path, offset: int, value: bytes, *, before: bytes) -> None:
    """Writes over the bytes at `offset` behind the last place of `before`."""
    data = bytearray(path.read_bytes())
    at = data.rindex(before) + offset
    data[at : at + len(value)] = value
    path.write_bytes(data)


class Boom:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch hostile-was-here",)


# Archives.


@hostile
def zip_member_in_parent_folder(path: Path) -> None:
    pack(path, {**members(), "../hostile-was-here": b"x"})


@hostile
def zip_member_with_absolute_path(path: Path) -> None:
    pack(path, {**members(), "/tmp/hostile-was-here": b"x"})


@hostile
def zip_member_on_another_drive(path: Path) -> None:
    pack(path, {**members(), "C:hostile-was-here": b"x"})


@hostile
def zip_member_with_backslashes(path: Path) -> None:
    pack(path, {**members(), "..\\hostile-was-here": b"x"})


@hostile
def zip_member_with_a_zero_in_its_name(path: Path) -> None:
    pack(path, {**members(), "config.jsonX.txt": b"x"})
    path.write_bytes(path.read_bytes().replace(b"config.jsonX.txt", b"config.json\0.txt"))


@hostile
def zip_member_twice(path: Path) -> None:
    pack(path, {**members(), "config.jsoX": b"{}"})
    path.write_bytes(path.read_bytes().replace(b"config.jsoX", b"config.json"))


@hostile
def zip_member_that_is_a_link(path: Path) -> None:
    content = members()
    del content["config.json"]
    pack(path, content)
    link = zipfile.ZipInfo("config.json")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")


@hostile
def zip_member_encrypted(path: Path) -> None:
    pack(path, members())
    patched(path, 8, b"\1", before=b"PK\1\2")


@hostile
def zip_bomb(path: Path) -> None:
    pack(path, members(weights=bytes(300 * 2**20)), zipfile.ZIP_DEFLATED)


@hostile
def zip_bomb_that_lies_about_its_size(path: Path) -> None:
    pack(path, members(weights=bytes(300 * 2**20)), zipfile.ZIP_DEFLATED)
    patched(path, 24, struct.pack("<I", 2**20), before=b"PK\1\2")


@hostile
def zip_member_larger_than_the_file(path: Path) -> None:
    pack(path, members())
    patched(path, 20, struct.pack("<II", 2**31, 2**31), before=b"PK\1\2")


@hostile
def zip_bomb_by_bzip2(path: Path) -> None:
    pack(path, members(weights=bytes(30 * 2**20)), zipfile.ZIP_BZIP2)


@hostile
def zip_of_sixty_thousand_members(path: Path) -> None:
    pack(path, {**members(), **{f"{number}": b"" for number in range(60_000)}})


@hostile
def zip_list_of_members_of_a_terabyte(path: Path) -> None:
    pack(path, members())
    data = path.read_bytes()
    at = data.rindex(b"PK\5\6")
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 2**33, 2**33, 2**40, 0)
    path.write_bytes(data[:at] + record + struct.pack("<4sLQL", b"PK\6\7", 0, at, 1) + data[at:])


@hostile
def zip_with_a_pickle_for_weights(path: Path) -> None:
    pack(path, members(weights=pickle.dumps(Boom())))


@hostile
def zip_of_torch_with_a_pickle(path: Path) -> None:
    pack(path, {"archive/data.pkl": pickle.dumps(Boom()), "archive/version": b"3"})


# Configurations.


@hostile
def json_nested_deep(path: Path) -> None:
    pack(path, members(b'{"config": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"))


@hostile
def json_of_many_lists(path: Path) -> None:
    pack(path, members(b'{"config": [' + b"[]," * (14 * 2**20) + b"0]}"), zipfile.ZIP_STORED)


@hostile
def json_of_many_lists_in_utf_16(path: Path) -> None:
    text = (
        '{"a": "\u2200", "config": [' + "[]," * (7 * 2**20) + '0], "b": 1}'
    )  # a byte of that sign is a quotation mark
    pack(path, members(text.encode("utf-16-le")))


@hostile
def json_of_a_gibibyte(path: Path) -> None:
    pack(path, members(b'{"config": "' + b"ab" * (30 * 2**20) + b'"}'))


@hostile
def layer_of_python_code(path: Path) -> None:
    code = marshal.dumps(compile("__import__('os').system('touch hostile-was-here')", "x", "eval"))
    function = {"class_name": "__lambda__", "config": {"code": base64.b64encode(code).decode()}}
    pack(path, members(sequential(row("Lambda", function=function), DENSE)))


@hostile
def layer_of_another_module(path: Path) -> None:
    evil = {"module": "os", "class_name": "system", "config": {"command": "touch hostile-was-here"}}
    pack(path, members(sequential(evil, DENSE)))


@hostile
def layer_of_a_pickled_module(path: Path) -> None:
    module = base64.b64encode(pickle.dumps(Boom())).decode()
    pack(path, members(sequential(row("TorchModuleWrapper", module=module), DENSE)))


@hostile
def activation_from_a_module(path: Path) -> None:
    function = {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"}
    pack(path, members(sequential(row("Dense", units=2, activation=function))))


@hostile
def layer_of_a_trillion_weights(path: Path) -> None:
    pack(path, members(sequential(row("Dense", units=10**12))))


@hostile
def kernel_of_gigabytes(path: Path) -> None:
    pack(path, members(sequential(row("Conv2D", filters=64, kernel_size=[9_000, 9_000]), shape=(9_000, 9_000, 1))))


@hostile
def filter_bank_of_gigabytes(path: Path) -> None:
    pack(path, members(sequential(row("MelSpectrogram", num_mel_bins=10**9), shape=(16_000,))))


@hostile
def padding_of_gigabytes(path: Path) -> None:
    wide = row("AveragePooling2D", pool_size=30_000, strides=1, padding="same")
    pack(path, members(sequential(wide, shape=(8, 8, 3))))


@hostile
def layers_of_gigabytes_in_all(path: Path) -> None:
    pack(path, members(sequential(*(row("Dense", name=f"d{number}", units=4_000) for number in range(300)))))


@hostile
def graph_that_goes_in_a_circle(path: Path) -> None:
    def node(name: str) -> list[Json]:
        return [{"args": [{"class_name": "__keras_tensor__", "config": {"keras_history": [name, 0, 0]}}], "kwargs": {}}]

    rows = [row("InputLayer", name="in", batch_shape=[None, 4])]
    rows += [{**row("ReLU", name=name), "inbound_nodes": node(other)} for name, other in (("a", "b"), ("b", "a"))]
    config = {"name": "net", "layers": rows, "input_layers": ["in", 0, 0], "output_layers": ["b", 0, 0]}
    pack(path, members({"class_name": "Functional", "config": config}))


@hostile
def graph_that_is_listed_backwards(path: Path) -> None:
    def layer(number: int) -> dict[str, Json]:
        tensor = {"class_name": "__keras_tensor__", "config": {"keras_history": [f"r{number - 1}", 0, 0]}}
        return {**row("ReLU", name=f"r{number}"), "inbound_nodes": [{"args": [tensor], "kwargs": {}}] if number else []}

    rows = [layer(number) for number in range(3_900, 0, -1)] + [row("InputLayer", name="r0", batch_shape=[None, 4])]
    config = {"name": "net", "layers": rows, "input_layers": ["r0", 0, 0], "output_layers": ["r3900", 0, 1]}
    pack(path, members({"class_name": "Functional", "config": config}))


@hostile
def model_of_a_million_layers(path: Path) -> None:
    tiny = {"class_name": "ReLU", "config": {}}
    pack(path, members(sequential(*[tiny] * 40_000)))


@hostile
def name_that_steers_the_terminal(path: Path) -> None:
    pack(path, members(sequential(row("\x1b[2J\x1b]0;owned\x07\nTraceback" + "x" * 10_000, units=2))))


# HDF5.


@hostile
def h5_link_to_another_file(path: Path) -> None:
    def fill(file: Any) -> None:
        del file["model_weights/dense/dense/kernel:0"]
        file["model_weights/dense/dense/kernel:0"] = h5py.ExternalLink("/etc/passwd", "/x")

    model_h5(path, fill=fill)


@hostile
def h5_soft_link(path: Path) -> None:
    model_h5(path, fill=lambda file: file.__setitem__("model_weights/again", h5py.SoftLink("/model_weights")))


@hostile
def h5_groups_in_a_circle(path: Path) -> None:
    model_h5(path, fill=lambda file: file.__setitem__("model_weights/dense/again", file["model_weights"]))


@hostile
def h5_numbers_in_another_file(path: Path) -> None:
    pipe = path.with_name("pipe")  # whoever opens it waits for ever
    if not pipe.exists():
        os.mkfifo(pipe)
    external = [(str(pipe), 0, 32)]
    model_h5(path, fill=lambda file: file.create_dataset("x", (4, 2), np.float32, external=external))


@hostile
def h5_virtual_numbers(path: Path) -> None:
    layout = h5py.VirtualLayout((4, 2), np.float32)
    layout[:] = h5py.VirtualSource(str(path.with_name("pipe")), "x", (4, 2))
    model_h5(path, fill=lambda file: file.create_virtual_dataset("x", layout))


@hostile
def h5_references(path: Path) -> None:
    model_h5(path, fill=lambda file: file.create_dataset("x", data=file.ref, dtype=h5py.ref_dtype))


@hostile
def h5_numbers_of_any_length(path: Path) -> None:
    model_h5(path, fill=lambda file: file.create_dataset("x", (3,), h5py.vlen_dtype(np.float32)))


@hostile
def h5_records(path: Path) -> None:
    model_h5(path, fill=lambda file: file.create_dataset("x", (3,), np.dtype([("a", "f4"), ("b", "S9")])))


@hostile
def h5_other_filter(path: Path) -> None:
    model_h5(path, fill=lambda file: file.create_dataset("x", (64,), np.float32, compression="lzf"))


@hostile
def h5_terabytes_that_are_not_there(path: Path) -> None:
    model_h5(path, fill=lambda file: file.create_dataset("x", (2**20, 2**20), np.float32, chunks=(1024, 1024)))


@hostile
def h5_bomb_in_a_piece(path: Path) -> None:
    def fill(file: Any) -> None:
        del file["model_weights/dense/dense/kernel:0"]
        wide = file.create_dataset(
            "model_weights/dense/dense/kernel:0", (4, 2), np.float32, chunks=(4, 2), compression="gzip"
        )
        wide.id.write_direct_chunk((0, 0), zlib.compress(bytes(300 * 2**20), 1))

    model_h5(path, fill=fill)


@hostile
def h5_word_that_is_named_four_thousand_times(path: Path) -> None:
    words = ["x" * 50_021] + ["y"] * 3_999
    model_h5(path, fill=lambda file: file.attrs.create("names", words, dtype=h5py.string_dtype()))
    data = bytearray(path.read_bytes())
    at = data.index(struct.pack("<I", 50_021))  # where the list begins: length and place of each word, in 16 bytes
    data[at : at + 64_000] = data[at : at + 16] * 4_000
    path.write_bytes(data)


@hostile
def h5_heap_that_goes_in_a_circle(path: Path) -> None:
    model_h5(path)
    data = bytearray(path.read_bytes())
    at = data.index(b"GCOL")
    for place in range(at + 16, len(data) - 16, 16):
        data[place : place + 16] = struct.pack("<HH4xQ", 9, 1, 2**64 - 16)
    path.write_bytes(data)


@hostile
def h5_heaps_within_heaps(path: Path) -> None:
    """Each of 4,000 heaps holds all words of the others, and 40,000 more: in the numbers of an array."""
    many = 4_000
    words = ["x" * 16] * many
    heaps = bytearray()
    for number in range(many):
        length = 32 * (many - number) + 16 * 40_000
        heaps += struct.pack("<4sB3xQ", b"GCOL", 1, length) + struct.pack("<HH4xQ", 2, 1, 16)
    heaps += struct.pack("<HH4xQ", 3, 1, 0) * 40_000

    def fill(file: Any) -> None:
        file.attrs.create("names", words, dtype=h5py.string_dtype())
        file["heaps"] = np.frombuffer(bytes(heaps), np.uint8)

    model_h5(path, fill=fill)
    data = bytearray(path.read_bytes())
    place = data.index(heaps)
    at = next(n for n in range(len(data)) if data[n : n + 4] == data[n + 16 : n + 20] == struct.pack("<I", 16))
    for number in range(many):
        data[at + 16 * number : at + 16 * (number + 1)] = struct.pack("<IQI", 16, place + 32 * number, 2)
    path.write_bytes(data)


@hostile
def h5_many_arrays_that_are_not_there(path: Path) -> None:
    buffer, many = io.BytesIO(), 300
    with h5py.File(buffer, "w") as file:
        for number in range(many):
            place = f"layers/dense_{number}/vars/0" if number else "layers/dense/vars/0"
            file.create_dataset(place, (512, 512), np.float32, chunks=(512, 512))
    rows = [row("Dense", name=f"d{number}", units=512, use_bias=False) for number in range(many)]
    pack(path, members(sequential(*rows, shape=(512,)), buffer.getvalue()))


@hostile
def h5_packed_in_an_archive_and_in_itself(path: Path) -> None:
    buffer, side, many = io.BytesIO(), 2_048, 32
    piece = zlib.compress(bytes(4 * side * side))
    piece += np.random.default_rng(0).bytes(1_500) + bytes(4 * side * side // 99 - len(piece))
    with h5py.File(buffer, "w") as file:
        wide = file.create_dataset(
            "layers/dense/vars/0", (side, many * side), np.float32, chunks=(side, side), compression="gzip"
        )
        for number in range(many):
            wide.id.write_direct_chunk((0, number * side), piece)
    weights = row("Dense", units=many * side, use_bias=False)
    pack(path, members(sequential(weights, shape=(side,)), buffer.getvalue()), zipfile.ZIP_DEFLATED)


@hostile
def h5_thirty_thousand_groups(path: Path) -> None:
    def fill(file: Any) -> None:
        for number in range(30_000):
            file.create_group(f"x/{number}")

    model_h5(path, fill=fill)


@hostile
def h5_groups_nested_deep(path: Path) -> None:
    model_h5(path, fill=lambda file: file.create_group("/".join("x" * 3_000)))


@hostile
def h5_cut_off(path: Path) -> None:
    model_h5(path, fill=lambda file: file.create_dataset("x", data=np.zeros(9_999)))
    path.write_bytes(path.read_bytes()[:-40_000])


@hostile
def h5_layer_of_python_code(path: Path) -> None:
    layers = [{"class_name": "Lambda", "config": {"name": "f", "function": ["4wAAAAAAAAAA", None, None]}}]
    model_h5(path, {"class_name": "Sequential", "config": {"name": "net", "layers": layers}})


@hostile
def h5_weights_of_another_shape(path: Path) -> None:
    def fill(file: Any) -> None:
        del file["model_weights/dense/dense/bias:0"]
        file["model_weights/dense/dense/bias:0"] = np.zeros(3, np.float32)

    model_h5(path, fill=fill)


# TF.js.


@hostile
def tfjs_file_in_parent_folder(path: Path) -> Path:
    (path.with_name("shard.bin")).write_bytes(bytes(40))
    return tfjs(path, paths=["../shard.bin"])


@hostile
def tfjs_file_with_absolute_path(path: Path) -> Path:
    return tfjs(path, paths=[str((path / "shard.bin").absolute())])


@hostile
def tfjs_file_on_the_web(path: Path) -> Path:
    return tfjs(path, paths=["http://127.0.0.1:9/shard.bin"])


@hostile
def tfjs_link_out_of_the_folder(path: Path) -> Path:
    tfjs(path, paths=["link.bin"])
    (path.with_name("outside.bin")).write_bytes(bytes(40))
    (path / "link.bin").symlink_to("../outside.bin")
    return path


@hostile
def tfjs_pipe_for_a_file(path: Path) -> Path:
    tfjs(path, paths=["pipe.bin"])
    os.mkfifo(path / "pipe.bin")
    return path


@hostile
def tfjs_weights_larger_than_the_files(path: Path) -> Path:
    return tfjs(path, kernel={"shape": [2**40, 2**40]})


@hostile
def tfjs_negative_shape(path: Path) -> Path:
    return tfjs(path, kernel={"shape": [-4, -2]})


@hostile
def tfjs_weights_of_text(path: Path) -> Path:
    return tfjs(path, kernel={"dtype": "string"})


@hostile
def tfjs_same_file_a_thousand_times(path: Path) -> Path:
    return tfjs(path, paths=["shard.bin"] * 1_000)


@hostile
def tfjs_same_file_under_many_names(path: Path) -> Path:
    many, side = 300, 512
    layers = [
        {"class_name": "Dense", "config": {"name": f"d{number}", "units": side, "use_bias": False}}
        for number in range(many)
    ]
    layers[0]["config"]["batch_input_shape"] = [None, side]  # type: ignore[index]
    kernels = [{"name": f"d{number}/kernel", "shape": [side, side], "dtype": "float32"} for number in range(many)]
    group = {"paths": ["./" * number + "shard.bin" for number in range(many)], "weights": kernels}
    tfjs(path, layers=layers, weightsManifest=[group])
    (path / "shard.bin").write_bytes(bytes(4 * side * side))
    return path


@hostile
def tfjs_many_names_and_none_for_the_last_layer(path: Path) -> Path:
    one = {"units": 1, "use_bias": False, "batch_input_shape": [None, 1]}
    layers = [{"class_name": "Dense", "config": {"name": f"d{number}", **one}} for number in range(3_000)]
    kernels = [{"name": f"d{number}/kernel", "shape": [1, 0], "dtype": "float32"} for number in range(20_000)]
    kernels[2_999]["name"] = "other/kernel"
    return tfjs(path, layers=layers, weightsManifest=[{"paths": [], "weights": kernels}])


@hostile
def tfjs_graph_of_tensorflow(path: Path) -> Path:
    return tfjs(path, format="graph-model", modelTopology={"node": [{"op": "ReadFile", "name": "/etc/passwd"}]})


@hostile
def tfjs_layer_of_python_code(path: Path) -> Path:
    return tfjs(path, layers=[{"class_name": "Lambda", "config": {"name": "f", "batch_input_shape": [None, 4]}}])


# Others.


@hostile
def pickle_by_itself(path: Path) -> None:
    path.write_bytes(pickle.dumps(Boom()))


@hostile
def pipe_by_itself(path: Path) -> None:
    os.mkfifo(path)


# Layers that scikit-learn fits.


@hostile
def statistics_of_a_billion_bands(path: Path) -> None:
    pack(path, members(sequential(row("Statistics", bands=10**9))))


@hostile
def components_that_the_weights_have_not(path: Path) -> None:
    ours = {"class_name": "PCA", "config": {"name": "dense", "components": 10**12, "bias": [0.0, 0.0]}}
    pack(path, members(sequential({**DENSE, "holdfast": ours})))


@hostile
def components_of_a_quintillion_numbers(path: Path) -> None:
    kernel = {"shape": [10**9, 10**9], "float32": ""}
    ours = {"class_name": "PCA", "config": {"name": "dense", "components": 2, "kernel": kernel}}
    pack(path, members(sequential({**DENSE, "holdfast": ours})))


@hostile
def features_beyond_the_input(path: Path) -> None:
    ours = {"class_name": "SelectFeatures", "config": {"name": "dense", "k": 2, "chosen": [0, 10**15]}}
    pack(path, members(sequential({**DENSE, "holdfast": ours})))
