"""Writes the tables of benchmarks/README.md from the raw results beside it.

python benchmarks/tables.py                # after a benchmark
python benchmarks/tables.py --check        # fails when README.md says something else than the results
"""

import argparse
import json
import math
import statistics
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeAlias

from common import RESULTS, Spread, ratios

README = Path(__file__).parent / "README.md"
NONE = "Not measured yet."

Found: TypeAlias = dict[str, Any]  # a file of results
Cells: TypeAlias = Iterable[Iterable[object]]


def table(head: str, rows: Cells) -> str:
    """A Markdown table; `head` has the titles with bars between them.  All but the first are numbers."""
    titles = [title.strip() for title in head.split("|")]
    marks = ["-", *["-:"] * (len(titles) - 1)]
    lines = [titles, marks, *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def about(found: Found) -> str:
    """The line under a table: which program, on what, with what."""
    peers = {
        f"{name} {number}" for peer in found.get("peers", {}).values() for name, number in peer["versions"].items()
    }
    versions = peers or {f"{name} {number}" for name, number in found["versions"].items()}
    machine = found["machine"]
    return (
        f"`{found['program']}`, {found['date']}; {machine['processors']} x {machine['processor']} "
        f"({', '.join(machine['flags'])}), {machine['platform']}; {', '.join(sorted(versions))}."
    )


def throughput(files: list[Found]) -> str:
    """A table for each model and kind of data."""
    order = ("dense", "small", "big", "resnet8")
    return "\n\n".join(_duels(found) for found in sorted(files, key=lambda f: (order.index(f["model"]), f["data"])))


def _duels(found: Found) -> str:
    duels = found["duels"]
    speeds = {duel["peer"]: Spread.of(_rates(duel["theirs"])) for duel in duels}
    fastest = max(speeds, key=lambda name: speeds[name].median, default=None)
    rows = []
    for duel in sorted(duels, key=lambda each: speeds[each["peer"]].median, reverse=True):
        ours, theirs = _rates(duel["ours"]), _rates(duel["theirs"])
        calls = ratios(_rates(duel["ours"], "call"), _rates(duel["theirs"], "call"))
        name = f"**{duel['peer']}**, the fastest" if duel["peer"] == fastest else duel["peer"]
        rows.append(
            (
                name,
                len(ours),
                speeds[duel["peer"]].text(),
                Spread.of(ours).text(),
                ratios(ours, theirs).text(".2f"),
                calls.text(".2f"),
            )
        )
    head = "peer | n | peer, images/s | holdfast, images/s | holdfast / peer | the calls as a whole"
    parameters = next(iter(found["peers"].values()))["parameters"]
    title = (
        f"### `{found['model']}`, {'MNIST' if found['data'] == 'mnist' else 'random data'}\n\n"
        f"{parameters:,} parameters, batches of {found['batch_size']}, {found['images']:,} images an epoch, "
        f"turns of {found['epochs']['holdfast']} epochs for holdfast."
    )
    return f"{title}\n\n{table(head, rows)}\n\n{about(found)}"


def _rates(turns: list[dict[str, float]], what: str = "epochs") -> list[float]:
    return [turn[what] for turn in turns]


def time_to_accuracy(files: list[Found]) -> str:
    """What each recipe reaches, and in what share of the time of Keras on TensorFlow."""
    (found,) = files
    classic = {
        name: {p["seed"]: p["seconds"] for p in _points(found, name, found["classic_epochs"])}
        for name in found["points"]
    }
    judges = [name for name in ("keras-tf", "keras-tf-bf16") if classic.get(name)]
    groups = [("holdfast", epochs) for epochs in sorted({p["epochs"] for p in found["points"]["holdfast"]})]
    groups += [(name, found["classic_epochs"]) for name in found["points"] if name != "holdfast"]
    rows = []
    for name, epochs in groups:
        points = _points(found, name, epochs)
        test = [100 * p["test"] for p in points]
        shares = [_share(points, classic[judge]) for judge in judges]
        validation = statistics.mean(100 * p["validation"] for p in points)
        spread = f"± {statistics.stdev(test):.2f}" if len(test) > 1 else ""
        calls = Spread.of([p["call_s"] for p in points]).text(".2f")
        seconds = Spread.of([p["seconds"] for p in points]).text(".2f")
        rows.append(
            (
                name,
                epochs,
                len(points),
                seconds,
                calls,
                f"{validation:.2f}",
                f"{statistics.mean(test):.2f} {spread}",
                *shares,
            )
        )
    head = " | ".join(
        [
            "who",
            "epochs",
            "seeds",
            "seconds",
            "the calls, s",
            "validation, %",
            "test, %",
            *(f"share of {judge}'s time" for judge in judges),
        ]
    )
    looks = max((p["looks"] for p in found["points"]["holdfast"]), default=0)
    note = f"The ledger of that machine had the test part opened {looks} times when this ended."
    return f"{table(head, rows)}\n\n{about(found)} {note}"


def _points(found: Found, name: str, epochs: int) -> list[dict[str, Any]]:
    return [point for point in found["points"][name] if point["epochs"] == epochs]


def _share(points: list[dict[str, Any]], judge: dict[int, float]) -> str:
    """Of a judge's time for the same seed: as a fraction of one."""
    common = [point for point in points if point["seed"] in judge]
    times = ratios([judge[point["seed"]] for point in common], [point["seconds"] for point in common])
    return f"1/{times.median:.1f} (1/{times.high:.1f} to 1/{times.low:.1f})"


def predict(files: list[Found]) -> str:
    """Milliseconds a call."""
    (found,) = files
    ours = {asked["images"]: asked["seconds"] for asked in found["asked"] if asked["peer"] == "holdfast"}
    rows = [
        (
            asked["peer"],
            f"{asked['images']:,}",
            len(asked["seconds"]),
            _ms(asked["seconds"]),
            _ms(ours[asked["images"]]),
            ratios(asked["seconds"], ours[asked["images"]]).text(".1f"),
            asked["batch_size"] or "its default",
        )
        for asked in found["asked"]
        if asked["peer"] != "holdfast"
    ]
    head = "peer | images a call | n | peer, ms | holdfast, ms | holdfast is so many times as fast | its batch size"
    return f"{table(head, rows)}\n\n{about(found)}"


def _ms(seconds: list[float]) -> str:
    return Spread.of([1e3 * second for second in seconds]).text(".2f")


def startup(files: list[Found]) -> str:
    """Seconds until something happens."""
    (found,) = files
    rows = [(what, len(seconds), Spread.of(seconds).text(".3f")) for what, seconds in found["seconds"].items()]
    return f"{table('what | n | Seconds', rows)}\n\n{about(found)}"


def decode(files: list[Found]) -> str:
    """Pictures a second from files to arrays, beside Keras's."""
    (found,) = files
    rows: list[tuple[object, ...]] = []
    for size in found["sizes"]:
        keras = [turn["keras"] for turn in size["turns"] if turn["keras"]]
        if keras:
            rows.append((f"keras-tf, {size['size']} px", len(keras), _rate(keras), "", ""))
        for what in size["turns"][0]["ours"]:
            ours = [turn["ours"][what] for turn in size["turns"]]
            cells = ("", "")
            if keras:
                rate = ratios([each["rate"] for each in ours], [each["rate"] for each in keras])
                work = ratios([each["processors_ms"] for each in keras], [each["processors_ms"] for each in ours])
                cells = (rate.text(".2f"), work.text(".2f"))
            rows.append((f"holdfast, {size['size']} px: {what}", len(ours), _rate(ours), *cells))
    head = "what | n | pictures/s | holdfast / keras-tf | the same by milliseconds of processors"
    return f"{table(head, rows)}\n\n{about(found)}"


def _rate(passes: list[Found]) -> str:
    return Spread.of([each["rate"] for each in passes]).text()


def memory(files: list[Found]) -> str:
    """The peak of a training, and what many leave behind."""
    (found,) = files
    peaks, resident = found["peaks"], found["loop"]["resident"]
    above = Spread.of([(each["peak"] - each["imported"]) / 1e6 for each in peaks])
    rows = (
        ("peak above the import, MB", above.n, above.text()),
        ("of that the data, MB", above.n, f"{peaks[0]['data'] / 1e6:.0f}"),
        ("after the imports, MB", above.n, Spread.of([each["imported"] / 1e6 for each in peaks]).text()),
        ("after the first of many fits, MB", 1, f"{resident[0] / 1e6:.0f}"),
        (f"after fit {len(resident)}, MB", 1, f"{resident[-1] / 1e6:.0f}"),
        ("growth, %", 1, f"{100 * (resident[-1] / resident[0] - 1):.1f}"),
    )
    return f"{table('what | n | measured', rows)}\n\n{about(found)}"


def limit(files: list[Found]) -> str:
    """Shares of the machine's arithmetic."""
    (found,) = files
    size = found["size"]
    lines = [f"A product of two {size} x {size} matrices:"]
    lines += [
        f"{Spread.of([x / 1e9 for x in rates]).text()} GFLOP/s in {name}." for name, rates in found["products"].items()
    ]
    rows = []
    for model, rates in found["images_per_s"].items():
        flops, speed = found["flops"][model], Spread.of(rates)
        limits = [Spread.of(products).median / flops for products in found["products"].values()]
        shares = [f"{bound:,.0f} | {speed.median / bound:.1%}" for bound in limits]
        rows.append((model, speed.n, f"{flops / 1e6:.2f}", speed.text(), *shares))
    bounds = " | ".join(f"limit in {name}, images/s | reached" for name in found["products"])
    head = f"model | n | MFLOP an image | holdfast, images/s | {bounds}"
    return f"{' '.join(lines)}\n\n{table(head, rows)}\n\n{about(found)}"


def loop_cost(files: list[Found]) -> str:
    """Microseconds a step beside those of a loop by hand."""
    (found,) = files
    rows = [
        (
            one["name"],
            len(one["holdfast_us"]),
            Spread.of(one["holdfast_us"]).text(),
            Spread.of(one["by_hand_us"]).text(),
            ratios(one["holdfast_us"], one["by_hand_us"]).text(".3f"),
        )
        for one in found["results"]
    ]
    return f"{table('net | n | holdfast, µs a step | by hand, µs a step | holdfast / by hand', rows)}\n\n{about(found)}"


def stacked(files: list[Found]) -> str:
    """Microseconds that a step of one model takes: one model after another, together, and by torch's vmap."""
    return "\n\n".join(_stacked(found) for found in files)


def _stacked(found: Found) -> str:
    rows = [
        (
            one["name"],
            f"{one['parameters']:,}",
            len(one["alone_us"]),
            one["at_once"],
            *(Spread.of(one[f"{way}_us"]).text() for way in ("alone", "together", "vmap")),
            ratios(one["alone_us"], one["together_us"]).text(".2f"),
        )
        for one in found["results"]
    ]
    head = "net | weights | n | at once | one by one, µs | together, µs | vmap, µs | one by one / together"
    return f"On {found['device']}:\n\n{table(head, rows)}\n\n{about(found)}"


def unknown(files: list[Found]) -> str:
    """What share of each kind of pictures a net that learned MNIST answers with "unknown"."""
    (found,) = files
    points = found["points"]
    kinds = {"MNIST, test part": (found["samples"], [100 - 100 * point["answered"] for point in points])}
    for name, count in found["pictures"].items():
        kinds[name] = count, [100 * point["unknown"][name] for point in points]
    rows = [
        (name, f"{count:,}", Spread.of(shares).text(".1f"), f"{min(shares):.1f}", f"{max(shares):.1f}")
        for name, (count, shares) in kinds.items()
    ]
    accuracies = Spread.of([100 * point["accuracy_of_answered"] for point in points]).text(".2f")
    said = f"n={len(points)} seeds.  Of MNIST's answered pictures {accuracies} % are answered rightly."
    head = "pictures | how many | unknown, % | least | most"
    return f"{table(head, rows)}\n\n{said}\n\n{about(found)}"


def gpu(files: list[Found]) -> str:
    """What a GPU does."""
    (found,) = files
    rows = [
        (
            "MNIST, default recipe",
            f"{one['epochs']} epochs",
            len(one["seconds"]),
            Spread.of(one["seconds"]).text(".3f"),
            f"{statistics.mean(one['test']):.2%}",
        )
        for one in found["mnist"]
    ]
    resnet = found["resnet"]
    rows.append(
        (
            "`resnet8`, holdfast / CUDA graph by hand, images/s",
            "",
            len(resnet["holdfast"]),
            "",
            ratios(resnet["holdfast"], resnet["by_hand"]).text(".3f"),
        )
    )
    return f"{found['device']}.\n\n{table('what | trained | n | seconds | found', rows)}\n\n{about(found)}"


def precision(files: list[Found]) -> str:
    """Accuracy by precision of training."""
    (found,) = files
    rows = []
    for name in dict.fromkeys(point["precision"] for point in found["points"]):
        test = [100 * point["accuracy"] for point in found["points"] if point["precision"] == name]
        seconds = [point["seconds"] for point in found["points"] if point["precision"] == name]
        rows.append((name, len(test), Spread.of(seconds).text(".2f"), f"{statistics.mean(test):.3f}", _sd(test)))
    head = "trained in | seeds | seconds of the call | test accuracy, mean % | sd"
    return f"{found['epochs']} epochs.\n\n{table(head, rows)}\n\n{about(found)}"


def _sd(values: list[float]) -> str:
    return f"{statistics.stdev(values):.3f}" if len(values) > 1 else ""


def digits(files: list[Found]) -> str:
    """Accuracy on the second half, and how long the training took."""
    (found,) = files
    test = [100 * point["test"] for point in found["points"]]
    row = (len(test), Spread.of([point["seconds"] for point in found["points"]]).text(".2f"))
    head = "who | seeds | seconds of training | test accuracy, mean % | sd | least"
    rows = [("`holdfast.train`", *row, f"{statistics.mean(test):.2f}", _sd(test), f"{min(test):.2f}")]
    return f"{table(head, rows)}\n\nn={found['samples']} pictures each. {about(found)}"


def small_net(files: list[Found]) -> str:
    """Accuracy on either part."""
    (found,) = files
    rows = [(part, found[part]["n"], found[part]["mean"], found[part]["sd"]) for part in ("validation", "test")]
    head = "judged on | seeds | accuracy, mean % | sd"
    note = f"{found['parameters']:,} parameters, {found['epochs']} epochs, on {found['machine']['processor']}."
    return f"{table(head, rows)}\n\n{note}"


def recipe(files: list[Found]) -> str:
    """Validation accuracy with each setting changed alone."""
    (found,) = files
    kinds = list(found)
    rows = []
    for change in found[kinds[0]]["validation"]:
        each = [found[kind]["validation"].get(change) for kind in kinds]
        cells = [f"{one['accuracy_mean']:.2f} ± {one['accuracy_sd']:.2f} ({one['n']})" if one else "" for one in each]
        rows.append((change, *cells))
    titles = [f"{kind}, {found[kind]['epochs']} epochs" for kind in kinds]
    return table(" | ".join(["changed alone", *titles]), rows)


def tune(files: list[Found]) -> str:
    """After what share of the time holdfast's search has what another has in the end, a table a set."""
    (found,) = files
    names = list(dict.fromkeys(each["set"] for each in found["searched"]))
    note = about(found | {"peers": {each["system"]: each for each in found["searched"]}})
    return "\n\n".join([*(_raced(found, name) for name in names), note])


def _raced(found: Found, name: str) -> str:
    by_system: dict[str, dict[int, Found]] = {}
    for each in found["searched"]:
        if each["set"] == name:
            by_system.setdefault(each["system"], {})[each["seed"]] = each
    ours, rows = by_system.get("holdfast", {}), []
    for system, theirs in by_system.items():
        last = Spread.of([100 * _final(each) for each in theirs.values()]).text(".2f")
        trials = Spread.of([each["trials"] for each in theirs.values()]).text(".0f")
        times = [_reached(ours[seed], _final(each)) for seed, each in theirs.items() if seed in ours]
        cells = ("", "") if system == "holdfast" or not times else _shares(times, found["seconds"])
        rows.append((system, len(theirs), trials, last, *cells))
    head = "search | n | trials | best validation accuracy in the end, % | holdfast has it after, s | share of the time"
    return f"### {name}, {found['seconds']:.0f} s\n\n{table(head, rows)}"


def _shares(times: list[float], seconds: float) -> tuple[str, str]:
    late = sum(math.isinf(time) for time in times)
    known = [min(time, seconds) for time in times]
    note = f"; {late} of {len(times)} not at all" if late else ""
    return Spread.of(known).text(".1f"), f"{Spread.of([time / seconds for time in known]).text('.3f')}{note}"


def _final(searched: Found) -> float:
    return float(searched["best"][-1][1]) if searched["best"] else 0.0


def _reached(searched: Found, accuracy: float) -> float:
    return next((float(at) for at, value in searched["best"] if value >= accuracy), math.inf)


TABLES: dict[str, Callable[[list[Found]], str]] = {
    "throughput": throughput,
    "time_to_accuracy": time_to_accuracy,
    "precision": precision,
    "mnist_small_net": small_net,
    "digits": digits,
    "recipe": recipe,
    "predict": predict,
    "startup": startup,
    "decode": decode,
    "memory": memory,
    "limit": limit,
    "loop_cost": loop_cost,
    "stacked": stacked,
    "unknown": unknown,
    "tune": tune,
    "gpu": gpu,
}


def filled(text: str, results: Path = RESULTS) -> str:
    """A page with what stands between `<!-- name -->` and `<!-- end -->` made anew for each table."""
    for name, make in TABLES.items():
        paths = sorted({*results.glob(f"{name}.json"), *results.glob(f"{name}-*.json")})
        made = make([json.loads(path.read_text(encoding="utf-8")) for path in paths]) if paths else NONE
        before, begin, rest = text.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition("\n<!-- end -->")
        if not end:
            raise SystemExit(f"{README.name}: has no place <!-- {name} --> ... <!-- end -->.")
        text = before + begin + made + end + after
    return text


def main() -> None:
    """Fills in the tables, or says that they are not what the results say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    old = README.read_text(encoding="utf-8")
    new = filled(old)
    if not given.check:
        README.write_text(new, encoding="utf-8")
    elif new != old:
        sys.exit("benchmarks/README.md is not what its results say; run: python benchmarks/tables.py")


if __name__ == "__main__":
    main()
