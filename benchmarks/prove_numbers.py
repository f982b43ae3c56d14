"""Columns of numbers against one call each, for more than a million cells of all regions.

`make prove`: takes a few minutes, prints what it compared, and fails at the first difference.
"""

from __future__ import annotations

import argparse
from random import Random

import pyarrow as pa
from typed_numbers import REGIONS, typed

from reconcile.core import phone_columns, phones


def main() -> None:
    """Compare, region by region."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=1_050_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    random = Random(options.seed)  # noqa: S311 - the same cells again for the same seed
    each = -(-options.cells // len(REGIONS))
    compared = keyed = 0
    for region in REGIONS:
        prefix = random.choice(["", "", "0", "9"])
        cells = [typed(random, region) for _ in range(each)]
        table = phone_columns.keys_or_text(pa.array(cells), region, outside_prefix=prefix)
        expected = [phones.keys_or_text(c, region, outside_prefix=prefix) for c in cells]
        flat = [(at, key) for at, keys in enumerate(expected) for key in keys]
        found = list(zip(table["cell"].to_pylist(), table["key"].to_pylist(), strict=True))
        if found != flat:
            wrong = min(set(found) ^ set(flat))
            raise SystemExit(f"{region}: {cells[wrong[0]]!r} differs: {wrong[1]}")
        compared, keyed = compared + len(cells), keyed + len(flat)
    print(f"{compared:,} cells of {len(REGIONS)} regions, {keyed:,} keys: the same in both ways")


if __name__ == "__main__":
    main()
