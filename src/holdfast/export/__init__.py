"""Export: models as Keras, TF.js and ONNX have them, each verified against the model before it is handed over."""

from .form import Form
from .keras import export_keras
from .onnx import export_onnx
from .tfjs import export_tfjs
from .verify import Parity, verify

__all__ = [
    "Form",
    "Parity",
    "export_keras",
    "export_onnx",
    "export_tfjs",
    "verify",
]
