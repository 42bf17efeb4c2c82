"""`demo:table`: fields with their soil and weather, and how good their harvest is; no column tells alone."""

import numpy as np

from ..csv_kind import Grid
from ..options import Reading
from ..source import Source
from ..table import table_source

ROWS, SEED = 3000, 6
NAMES = ("field", "temperature", "rain", "slope", "ph", "exposure", "soil", "harvest")
BEST = {"sand": (17.0, 900.0), "loam": (14.0, 650.0), "clay": (11.0, 450.0)}  # temperature in °C, rain in mm
WARMTH = {"north": -1.0, "east": 0.0, "south": 1.0, "west": 0.0}  # which way a slope changes the temperature
MISSING = 0.08  # of the values of ph
NOISE = 0.15


def read_demo_table() -> Source:
    """3,000 rows of numbers and words, some of them missing, in 3 classes of equal size.

    The harvest is good near the temperature and rain that suit the soil, where a slope to the south warms a field and
    one to the north cools it, and where the soil is not sour: products and circles, which no linear model has.
    """
    random = np.random.default_rng(SEED)
    soils, exposures = random.choice(list(BEST), ROWS), random.choice(list(WARMTH), ROWS)
    best = np.array([BEST[soil] for soil in soils])
    temperature, rain = random.normal(14, 4, ROWS), random.normal(670, 250, ROWS).clip(50)
    slope, ph = random.exponential(10, ROWS).clip(0, 40), random.normal(6.3, 0.8, ROWS)
    felt = temperature + 0.25 * slope * np.array([WARMTH[exposure] for exposure in exposures])
    distance = np.hypot((felt - best[:, 0]) / 4, (rain - best[:, 1]) / 250) + 0.6 * np.abs(ph - 6.5)
    distance += random.normal(0, NOISE, ROWS)
    harvest = np.array(["good", "fair", "poor"])[np.digitize(distance, np.quantile(distance, [1 / 3, 2 / 3]))]
    written = np.where(random.random(ROWS) < MISSING, "", np.char.mod("%.1f", ph))
    columns = (
        [f"field {number}" for number in range(ROWS)],
        np.char.mod("%.1f", temperature),
        np.char.mod("%.0f", rain),
        np.char.mod("%.0f", slope),
        written,
        exposures,
        soils,
        harvest,
    )
    rows = [list(map(str, row)) for row in zip(*columns, strict=True)]
    return table_source(Grid(NAMES, rows, list(range(2, ROWS + 2))), "demo:table", Reading(label_by="harvest"))
