"""Makes log_mel.npz: what real librosa makes of sounds, in float64.

Made with python 3.11.7, librosa 0.11.0, numpy 2.4.6, scipy 1.17.1, in an environment of its own:

    python3.11 -m venv .venv-librosa
    .venv-librosa/bin/pip install librosa==0.11.0 numpy==2.4.6 scipy==1.17.1
    .venv-librosa/bin/python tests/golden/make_log_mel.py
"""

from pathlib import Path

import librosa
import numpy as np

SAMPLES = 4000
SETTINGS = {  # rate, transform, stride, length, window, mels, lowest, highest
    "narrow": (8000, 256, 80, 256, "hann", 40, 0.0, 4000.0),
    "wide": (16000, 512, 160, 400, "hann", 64, 20.0, 7600.0),
    "hamming": (22050, 1024, 512, 800, "hamming", 80, 50.0, 11025.0),
}


def sound() -> np.ndarray:
    """Noise that swells, and a tone over the middle of it; the end is silent."""
    wave = 0.1 * np.random.default_rng(0).normal(size=SAMPLES) * np.linspace(0.05, 1, SAMPLES)
    wave[1000:3000] += 0.3 * np.sin(2 * np.pi * 440 * np.arange(2000) / 8000)
    wave[3600:] = 0
    return wave.astype(np.float32)


def main() -> None:
    wave, made = sound(), {}
    for name, (rate, fft, stride, length, window, mels, lowest, highest) in SETTINGS.items():
        made[f"{name}/filters"] = librosa.filters.mel(sr=rate, n_fft=fft, n_mels=mels, fmin=lowest, fmax=highest)
        powers = librosa.feature.melspectrogram(
            y=wave.astype(np.float64),
            sr=rate,
            n_fft=fft,
            hop_length=stride,
            win_length=length,
            window=window,
            n_mels=mels,
            fmin=lowest,
            fmax=highest,
        )
        made[f"{name}/powers"] = powers
        made[f"{name}/decibels"] = librosa.power_to_db(powers)
        made[f"{name}/no_floor"] = librosa.power_to_db(powers, top_db=None)
        made[f"{name}/relative"] = librosa.power_to_db(powers, ref=np.max, top_db=60)
    arrays = {key: value.astype(np.float32) for key, value in made.items()}
    np.savez_compressed(Path(__file__).parent / "log_mel.npz", allow_pickle=False, sound=wave, **arrays)


if __name__ == "__main__":
    main()
