"""Claim: on each generated example the net that `holdfast train` takes is far better than one blind to its kind.

Sounds, series and volumes: the convnet against its dense twin of as many parameters.  The table: the dense net against
the run's logistic regression, which is told for all.  A turn is a seed of split, weights and order, all other settings
are those of `holdfast.train`; judged on validation parts of a quarter, pooled over the seeds; intervals are Wilson's.

    python benchmarks/demos.py                                        # six minutes
"""

import time

from common import Spread, parser_for, write

from holdfast.data import load
from holdfast.evaluate import wilson
from holdfast.runs.baseline import logistic_regression
from holdfast.runs.plan import How, fitted

MODELS = {
    "demo:series": ("convnet", "dense"),
    "demo:sounds": ("convnet", "convnet1d", "dense"),
    "demo:table": ("dense",),
    "demo:volumes": ("convnet", "dense"),
}
SHARE = 0.25  # of the samples, to judge on


def main() -> None:
    """Trains, judges, prints and writes."""
    parser = parser_for(__doc__, turns=3)
    parser.add_argument("--names", nargs="*", default=list(MODELS), help="of the examples")
    parser.add_argument("--epochs", type=int, help="by default what holdfast.train takes")
    given = parser.parse_args()
    points = []
    for name in given.names:
        for model in (*MODELS[name], "logistic regression"):
            right, judged, seconds = 0, 0, []
            for seed in range(given.turns):
                data = load(name, validation=SHARE, seed=seed)
                began = time.perf_counter()
                if model == "logistic regression":
                    share = logistic_regression(data, seed=seed)["value"]
                else:
                    how = How(seed=seed, device="cpu", epochs=given.epochs)
                    answers = fitted(data, model, how).predict(data.validation.images).argmax(1)
                    share = float((answers == data.validation.labels.numpy()).mean())
                seconds.append(time.perf_counter() - began)
                judged += len(data.validation)
                right += round(share * len(data.validation))
            low, high = wilson(right, judged)
            points.append({"data": name, "model": model, "right": right, "judged": judged, "seconds": seconds})
            accuracy = f"{100 * right / judged:.1f} % [{100 * low:.1f}, {100 * high:.1f}] n={judged}"
            print(f"{name}, {model}: {accuracy}, {Spread.of(seconds).text('.1f')} s", flush=True)
    write(given.out, "demos", points=points)


if __name__ == "__main__":
    main()
