"""Keras out: the .keras archive, which real Keras 3 opens; `models` has its table."""

from pathlib import Path

from ..models import BaseModel, save_keras


def export_keras(model: BaseModel, path: Path | str) -> tuple[Path, ...]:
    """Writes a model as a .keras archive; whole or not at all.

    Returns:
        The file.

    Raises:
        BadValue: a layer or setting that the format has no word for; the message names both.
        BadFile: the file cannot be written.
    """
    save_keras(model, path)
    return (Path(path),)
