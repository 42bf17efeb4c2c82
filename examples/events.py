"""Training as an iterator of events: in a plain loop of your own, and beside an event loop that stays alive.

python examples/events.py
"""

import asyncio

import holdfast
from holdfast.data import Batch, Batches
from holdfast.metrics import Accuracy
from holdfast.training import Adam, EpochEnd, Head, Program, SparseCategoricalCrossentropy, State, StepEnd, train


def plain_loop() -> None:
    """The core knows torch modules only; whoever leaves the loop ends the training."""
    data = holdfast.data.load("digits")
    module = holdfast.convnet(data.shape, len(data.classes)).module  # any nn.Module does
    head = Head(SparseCategoricalCrossentropy(), metrics=(Accuracy(),))
    program = Program(Adam(0.002), (head,))
    state = State.start(module, program)
    batches = Batches(Batch((data.train.images,), (data.train.labels,)), batch_size=32, shuffle=True)
    validation = Batches(Batch((data.validation.images,), (data.validation.labels,)), batch_size=256)

    for event in train(state, program, batches, epochs=20, validation=validation):
        if isinstance(event, StepEnd) and event.epoch == 0 and event.step % 10 == 0:
            print(f"  step {event.step}: loss {event.running()['loss']:.3f}")
        if isinstance(event, EpochEnd):
            print(f"epoch {event.epoch + 1}: validation accuracy {event.logs['val_accuracy']:.3f}")
            if event.logs["val_accuracy"] > 0.9:
                break
    print(f"left after {state.step} steps; the state may be saved, or trained on\n")


async def beside_others() -> None:
    """Training runs in a thread; the event loop serves others meanwhile."""
    data = holdfast.data.load("digits")
    model = holdfast.convnet(data.shape, len(data.classes)).compile("adam", metrics=["accuracy"])
    ticks = 0

    async def clock() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticking = asyncio.create_task(clock())
    async for event in model.train_async(data, epochs=3, verbose=0):
        if isinstance(event, EpochEnd):
            print(f"epoch {event.epoch + 1}: loss {event.logs['loss']:.3f}, the clock has ticked {ticks} times")
    history = await model.fit_async(data, epochs=1, verbose=0)  # the same without looking on; goes on where it was
    ticking.cancel()
    print(f"and one more: loss {history.history['loss'][0]:.3f}")
    assert ticks > 0


if __name__ == "__main__":
    plain_loop()
    asyncio.run(beside_others())
