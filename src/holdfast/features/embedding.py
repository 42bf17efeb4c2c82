"""Embeddings: many numbers of a sample as a point in the plane, to be looked at."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

DIRECTIONS = 50  # that t-SNE is given at most
STEPS, NEIGHBOURS = 300, 30  # of t-SNE: a third of the usual number, which places points a little less tidily

Points = NDArray[np.float32]


def principal_plane(values: ArrayLike) -> tuple[Points, float]:
    """The plane in which the samples spread most: (N, 2) points, and the share of the variance that it holds.

    Args:
        values: (N, F), N and F of 2 or more.

    Example:
        >>> points, held = principal_plane([[0.0, 0, 1], [2, 0, 1], [4, 1, 1]])
        >>> points.shape, held > 0.99
        ((3, 2), True)
    """
    from sklearn.decomposition import PCA

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # all samples alike have no variance to share out
        pca = PCA(2, random_state=0).fit(np.asarray(values, np.float64))
        points = pca.transform(np.asarray(values, np.float64))
    return points.astype(np.float32), float(np.nan_to_num(pca.explained_variance_ratio_).sum())


def neighbour_plane(values: ArrayLike, *, seed: int = 0) -> Points:
    """(N, 2) points such that near samples stay near: t-SNE.

    Only who is near whom means something: distances between groups, their sizes and their densities do not.

    Args:
        values: (N, F); from 300 samples on it takes about half a second.
        seed: of what it draws.

    Source: van der Maaten & Hinton 2008, Journal of Machine Learning Research 9:2579-2605; it begins from PCA, as
    Kobak & Berens 2019 advise.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    array: NDArray[Any] = np.asarray(values, np.float64)  # Any: of any number type
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if array.shape[1] > DIRECTIONS:
            array = PCA(min(DIRECTIONS, len(array)), random_state=0).fit_transform(array)
        near = min(NEIGHBOURS, (len(array) - 1) / 3)
        points = TSNE(init="pca", perplexity=near, max_iter=STEPS, random_state=seed).fit_transform(array)
    return np.asarray(points, np.float32)


def like_neighbours(values: ArrayLike, labels: ArrayLike) -> NDArray[np.bool_]:
    """(N,) whether the nearest other sample is of the same class, in all dimensions.

    Example:
        >>> like_neighbours([[0.0], [1.0], [5.0], [6.0]], [0, 0, 1, 0]).tolist()
        [True, True, False, False]
    """
    from sklearn.neighbors import NearestNeighbors

    samples, classes = np.asarray(values), np.asarray(labels)
    nearest = NearestNeighbors(n_neighbors=1).fit(samples).kneighbors(return_distance=False)[:, 0]
    return np.asarray(classes[nearest] == classes)
