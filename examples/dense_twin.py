"""What are convolutions worth?  A convnet beside the dense net with as many parameters; and how these are counted.

On digits of 8x8 pixels, nothing that 539 samples could show: the intervals overlap.  On MNIST, two points and more.

python examples/dense_twin.py
"""

import holdfast
from holdfast.layers import Conv2D, Dense, Flatten


def count() -> None:
    """Two 3x3 convolutions on a grey 10x10 picture, and the dense map from 100 pixels to 100."""
    convolutions = holdfast.Sequential([holdfast.Input((10, 10, 1)), Conv2D(9, 3), Conv2D(1, 3)])
    # Each filter sees all channels below it, so the second has 3 * 3 * 9 weights, not 3 * 3.
    first, second = 9 * (3 * 3 * 1 + 1), 1 * (3 * 3 * 9 + 1)
    assert convolutions.count_params() == first + second == 172
    dense = holdfast.Sequential([holdfast.Input((10, 10, 1)), Flatten(), Dense(100)])
    assert dense.count_params() == 100 * 100 + 100 == 10_100
    print(convolutions.summary(), dense.summary(), sep="\n\n", end="\n\n")


def compare() -> None:
    """The same data, optimizer, batches and epochs for both; judged on validation, with intervals."""
    data = holdfast.data.load("digits", validation=0.3, test=0.15)
    convnet = holdfast.convnet(data.shape, len(data.classes))
    twin = holdfast.dense_twin(convnet)
    for model in (convnet, twin):
        model.compile("adam", metrics=["accuracy"])
        history = model.fit(data, batch_size=32, epochs=15, verbose=0)
        labels = data.validation.labels.numpy()
        report = holdfast.evaluate.score(labels, model.predict(data.validation), part="validation", looks=15)
        print(f"{model.name}: {model.count_params():,} parameters, train {history.measured['accuracy']:.1%}")
        print(f"  {report.accuracy}")

    mnist = holdfast.convnet((28, 28, 1), 10)
    print(f"for MNIST: {mnist.count_params():,} and {holdfast.dense_twin(mnist).count_params():,} parameters")


if __name__ == "__main__":
    count()
    compare()
