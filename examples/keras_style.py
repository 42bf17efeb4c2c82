"""Keras's way: compile, fit, evaluate, predict, save.  On scikit-learn's handwritten digits, without network.

python examples/keras_style.py       # writes history.png and digits.keras
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits

import holdfast
from holdfast.layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D


def main() -> None:
    digits = load_digits()
    images, labels = digits.images[..., None] / 16, digits.target  # (1797, 8, 8, 1) in [0, 1]; 0 to 9
    train_data, train_labels = images[:1500], labels[:1500]
    new_data, new_labels = images[1500:], labels[1500:]

    model = holdfast.Sequential(
        [
            holdfast.Input((8, 8, 1)),
            Conv2D(16, 3, padding="same", activation="relu"),
            MaxPooling2D(2),
            Conv2D(32, 3, padding="same", activation="relu", kernel_initializer="heNormal"),
            Flatten(),
            Dropout(0.25),
            Dense(10, activation="softmax"),
        ]
    )
    print(model.summary())
    model.compile(optimizer="rmsprop", loss="categoricalCrossentropy", metrics=["accuracy"])

    # A fifth of each class is held out at random; Keras would take the last fifth as it lies.
    history = model.fit(train_data, train_labels, validation_split=0.2, batch_size=32, epochs=10)
    plt.plot(history.history["loss"], label="train")
    plt.plot(history.history["val_loss"], label="validation")
    plt.legend()
    plt.savefig("history.png")  # history.plot("history.png") draws accuracy, too

    # During an epoch the weights change and dropout is on; `measured` is one model on both parts, dropout off.
    print("accuracy on train", round(history.measured["accuracy"], 3))
    print("accuracy on validation", round(history.measured["val_accuracy"], 3))
    # Harder, it seems by other writers: in a random split both sides have the same writers, so validation flatters.
    print("on the last 297 digits", model.evaluate(new_data, new_labels, return_dict=True))

    model.save("digits.keras")  # real Keras 3 opens it, too
    loaded = holdfast.load("digits.keras")
    print("the first three are", loaded.predict(new_data[:3]).argmax(1), "truly", new_labels[:3])


if __name__ == "__main__":
    main()
