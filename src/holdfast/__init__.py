"""holdfast: train convolutional classifiers fast, and believe the score."""
