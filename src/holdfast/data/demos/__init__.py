"""Generated examples of each kind of data, always the same: `holdfast train demo:table` and its like."""
