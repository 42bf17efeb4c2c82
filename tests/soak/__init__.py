"""Long campaigns: `make soak`."""
