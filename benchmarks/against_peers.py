"""Ours against what people write themselves, whole processes in turn: `make bench`.

The plain pandas version does what ours does without its guards, its state and its report, and is
compared by processor time, with both sides' bytes on this machine; with the floor of `dry_run.py`,
too, which shows what could be had at most. The plain script compares digits only and is compared by
the clock, at a PBX that takes its time. Both are in `peers/`; neither deletes here, so that every
round sees the same.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import recorded
from sandboxed import sandbox
from small import configured, reconcile
from taking import keep, machine, medians, ratio, script

HERE = Path(__file__).parent
LESS = {100_000: 5.0, 1_000_000: 10.0}
"""Records → so many times less processor time than the plain pandas version."""
LATENCY = 0.02


def main() -> None:
    """Print what each took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pandas", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--script", type=int, nargs="*", default=[10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(f"{machine()}, {options.rounds} rounds")
    found = {f"pandas {size}": _against_pandas(size, options.rounds) for size in options.pandas} | {
        f"script {size}": _against_script(size, options.rounds) for size in options.script
    }
    keep("against_peers", found)


def _against_pandas(size: int, rounds: int) -> dict[str, dict[str, float | bool | None]]:
    print(f"\n{size:,} records, {size:,} contacts, against the plain pandas version")
    with tempfile.TemporaryDirectory() as folder:
        recorded.write(Path(folder), size, size)
        each = []
        for _ in range(rounds):
            ours = script(HERE / "dry_run.py", "--do", "ours", folder)
            plain = script(HERE / "peers" / "plain_pandas.py", *_both_sides(folder))
            if set(ours.pop("unmatched")) != set(plain.pop("orphans")):
                raise SystemExit("the two don't find the same contacts")
            each.append((plain, ours, script(HERE / "dry_run.py", "--do", "floor", folder)))
    plain_cpu, ours_cpu, floor_cpu = (
        medians(some)["process cpu"] for some in zip(*each, strict=True)
    )
    return {
        "ours": ratio("to ours", plain_cpu, ours_cpu, at_least=LESS.get(size, 0.0)),
        "the floor": ratio("to the floor", plain_cpu, floor_cpu),
    }


def _both_sides(folder: str) -> tuple[str, str]:
    return f"{folder}/{recorded.EXPORT}", f"{folder}/{recorded.PAGES}"


def _against_script(size: int, rounds: int) -> dict[str, float | bool | None]:
    print(f"\n{size:,} contacts at {LATENCY * 1000:.0f} ms a request, against the plain script")
    home = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        office = Path(folder)
        export = office / "exports" / "contacts.csv"
        with sandbox(
            f"--contacts={size}", f"--export={export}", f"--with=latency={LATENCY}"
        ) as url:
            os.chdir(office)
            try:
                configured(export, url)
                both = [
                    (
                        reconcile("plan", codes=(0, 10)),
                        script(HERE / "peers" / "plain_script.py", str(export), url, ""),
                    )
                    for _ in range(rounds)
                ]
            finally:
                os.chdir(home)
    ours, plain = medians(p[0] for p in both), medians(p[1] for p in both)
    return ratio("wall", ours["process wall"], plain["process wall"], at_most=1.0)


if __name__ == "__main__":
    main()
