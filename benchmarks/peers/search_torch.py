"""Optuna around a PyTorch loop, as its own example has it: TPE and median pruning, which are its defaults.

The space is that of search_keras.py.  The loop is that of PyTorch's tutorials: a DataLoader over a TensorDataset, plain
cross-entropy, batches of 128 pictures, on all processors.

python -m peers.search_torch ASKED
"""

import numpy as np
import optuna
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from .search_told import BATCH, CLASSES, Asked, Teller

Loader = DataLoader[tuple[Tensor, ...]]


def net(trial: optuna.Trial, shape: torch.Size) -> nn.Module:
    """A net of drawn values for pictures (C, H, W)."""
    layers: list[nn.Module] = []
    channels, height, width = shape
    kernel = trial.suggest_categorical("kernel_size", [3, 5])
    for block in range(trial.suggest_int("blocks", 1, 3)):
        filters = trial.suggest_int(f"filters_{block}", 16, 64, step=16)
        layers += [nn.Conv2d(channels, filters, kernel, padding="same"), nn.ReLU(), nn.MaxPool2d(2)]
        channels, height, width = filters, height // 2, width // 2
    units = trial.suggest_int("units", 32, 256, step=32)
    layers += [nn.Flatten(), nn.Linear(channels * height * width, units), nn.ReLU()]
    layers += [nn.Dropout(trial.suggest_float("dropout", 0.0, 0.5, step=0.1)), nn.Linear(units, CLASSES)]
    return nn.Sequential(*layers)


def optimizer_for(trial: optuna.Trial, model: nn.Module) -> torch.optim.Optimizer:
    kinds = {"adam": torch.optim.Adam, "rmsprop": torch.optim.RMSprop, "sgd": torch.optim.SGD}
    kind = trial.suggest_categorical("optimizer", list(kinds))
    rate = trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True)
    optimizer: torch.optim.Optimizer = kinds[kind](model.parameters(), lr=rate)
    return optimizer


def train_epoch(model: nn.Module, loader: Loader, optimizer: torch.optim.Optimizer) -> None:
    criterion = nn.CrossEntropyLoss()
    model.train()
    for images, labels in loader:
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()


@torch.no_grad()
def accuracy(model: nn.Module, loader: Loader) -> float:
    """Share of right answers."""
    model.eval()
    right = seen = 0
    for images, labels in loader:
        right += int((model(images).argmax(1) == labels).sum())
        seen += len(labels)
    return right / seen


def main() -> None:
    """Searches until it is ended."""
    asked = Asked.read()
    found = {name: torch.from_numpy(values) for name, values in np.load(asked.arrays).items()}
    sets = {
        name: TensorDataset(found[name].permute(0, 3, 1, 2).contiguous(), found[f"{name}_labels"])
        for name in ("train", "validation")
    }
    train = DataLoader(sets["train"], batch_size=BATCH, shuffle=True)
    validation = DataLoader(sets["validation"], batch_size=BATCH)
    teller = Teller("optuna", "torch", "numpy")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    torch.manual_seed(asked.seed)

    def objective(trial: optuna.Trial) -> float:
        teller.begin_trial()
        model = net(trial, sets["train"].tensors[0].shape[1:])
        optimizer, value = optimizer_for(trial, model), 0.0
        for epoch in range(asked.epochs):
            train_epoch(model, train, optimizer)
            value = accuracy(model, validation)
            teller.epoch(value)
            trial.report(value, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return value

    teller.begin(asked.seconds)
    optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=asked.seed)).optimize(objective)


if __name__ == "__main__":
    main()
