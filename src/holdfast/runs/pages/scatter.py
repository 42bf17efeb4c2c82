"""Samples as points in planes, by class, as geometry.  sections/embedding.html.j2 makes it SVG."""

from collections.abc import Iterator

import numpy as np

from .told import Embedded, Plane

SIDE, EDGE = 300, 10  # of a plane, and the margin within it, in SVG's units
COLOURS = 8  # in colours.css
SHAPES = ("circle", "square", "triangle")
NAMED = COLOURS * len(SHAPES)  # classes that can be told apart


class Scatter:
    """Planes of points, coloured by class; of more classes than there are signs, those with most mistakes.

    Attributes:
        classes: (number of the sign, name, points) of those that are shown in colour.
        others: how many classes are grey.
    """

    side = SIDE
    shapes = SHAPES

    def __init__(self, embedded: Embedded, classes: tuple[str, ...]) -> None:
        self.embedded = embedded
        self.names = classes
        counts = np.bincount(embedded.labels, minlength=len(classes))
        wrong = np.bincount(embedded.labels, embedded.said != embedded.labels, len(classes))
        order = np.argsort(-(wrong * (len(embedded.labels) + 1) + counts), kind="stable")
        few = len(classes) <= NAMED
        chosen = range(len(classes)) if few else sorted(map(int, order[:COLOURS]))
        self.sign = {place: number for number, place in enumerate(chosen)}
        self.classes = [(number, classes[place], int(counts[place])) for place, number in self.sign.items()]
        self.others = len(classes) - len(self.sign)

    def points(self, plane: Plane) -> Iterator[tuple[float, float, int | None, bool, str]]:
        """x, y, the sign, whether the answer is right, and what to say there; wrong ones last, on top."""
        low, high = plane.points.min(0), plane.points.max(0)
        reach = float((high - low).max()) or 1.0
        places = EDGE + (SIDE - 2 * EDGE) * ((plane.points - (low + high) / 2) / reach + 0.5)
        its = self.embedded
        right = its.said == its.labels
        for index in np.argsort(~right, kind="stable"):
            truth, said = int(its.labels[index]), int(its.said[index])
            answer = "" if right[index] else f", predicted {self.names[said]}"
            x, y = map(float, places[index])
            text = f"{self.names[truth]}{answer}: {its.names[index]}"
            yield x, SIDE - y, self.sign.get(truth), bool(right[index]), text
