"""`holdfast bases`."""

from .app import app


@app.command()
def bases() -> None:
    """List the models that --base knows by name.

    What each is, what it takes to fetch it, and where it lies.  Their weights were learned from ImageNet's photos.
    """
    from ..runs.formats import size
    from ..transfer.registry import bases as known

    rows = [("name", "what", "weights", "to fetch", "where")]
    for one in known():
        place = str(one.path) if one.path.is_file() else "to be fetched"
        rows.append((one.name, one.about, f"{one.parameters:,}", size(one.size), place))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    print(f"\nlicence  {known()[0].licence}")
