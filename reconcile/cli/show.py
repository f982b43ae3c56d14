"""Values as text or JSON for people and pipes; the report has its own renderers."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from reconcile.report.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reconcile.byhand import Adoption, Restored
    from reconcile.crm import Reading
    from reconcile.doctor import Check
    from reconcile.model import RunRecord
    from reconcile.store.migrate import CheckResult
    from reconcile.store.purging import PurgeResult


def as_json(value: Any) -> str:  # noqa: ANN401 - any of our frozen dataclasses, or several
    """One JSON document; times in ISO 8601."""
    return json.dumps(_plain(value), ensure_ascii=False, default=str)


def _plain(value: Any) -> Any:  # noqa: ANN401 - as above
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value.isoformat() if hasattr(value, "isoformat") else value


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(printable(line) for line in lines)


def checks(results: Sequence[Check]) -> str:
    """A line each, and the mend of what is not right."""
    lines = []
    for check in results:
        lines.append(f"{check.state.upper():<5} {check.name}: {check.said}")
        if check.mend:
            lines.append(f"      → {check.mend}")
    return _lines(lines)


def history(runs: Sequence[RunRecord]) -> str:
    """Past runs in a table of text."""
    if not runs:
        return "There was no run yet. Next: reconcile plan"
    rows = [
        f"{r.id:>6}  {r.started_at:%Y-%m-%d %H:%M}  {r.command:<14} {r.status or 'died':<15}"
        f" {'' if r.exit_code is None else r.exit_code:>3}  {r.digest[:12]:<12}  {r.headline}"
        for r in runs
    ]
    title = f"{'run':>6}  {'started (UTC)':<16}  {'command':<14} {'status':<15} {'exit':>3}"
    return _lines([f"{title} {'digest':<12}  headline", *rows])


def state(result: CheckResult) -> str:
    """What `db check` found."""
    lines = [
        f"state {result.path}, schema {result.revision}, journal {result.journal_mode}",
        f"of {result.pbx_url or 'no PBX yet'}: {result.claims} claims, {result.runs} runs",
        f"{result.unresolved} unresolved intents",
    ]
    lines += [f"  - {problem}" for problem in result.problems]
    return _lines([*lines, "The state is sound." if result.ok else "The state is not sound."])


def purged(result: PurgeResult) -> str:
    """What `db purge` removed."""
    return (
        f"Removed: {result.tombstones} tombstones, the names of {result.claims} claims,"
        f" {result.runs} runs. Kept because a run died over them: {result.kept}."
    )


def restored(done: Sequence[Restored]) -> str:
    """What became of each tombstone."""
    ids = (f" as contact {r.new_id}" if r.new_id is not None else "" for r in done)
    return _lines(
        f"{r.label} (was contact {r.contact_id}): {r.done}{i}"
        for r, i in zip(done, ids, strict=True)
    )


def adoption(offered: Adoption) -> str:
    """Who would be claimed."""
    return _lines(
        f"{c.id:>8}  {c.label}, {', '.join(c.numbers) or 'no number'}" for c in offered.contacts
    )


def adopted(offered: Adoption, *, done: bool) -> str:
    """What came of it, and the next command."""
    lines = [f"not adopted: {why}" for why in offered.refused]
    if done:
        lines.append(
            f"{len(offered.contacts)} contacts are claimed. Nothing was deleted."
            " Next: reconcile plan --now, read the report, reconcile apply DIGEST"
        )
    else:
        lines.append("No contact was claimed.")
    return _lines(lines)


def reading(read: Reading) -> str:
    """How an export would be read."""
    lines = [
        f"{read.name}: {read.format}, {read.encoding}, header in row {read.header_row}",
        *(f"  {c.header!r:<32} → {c.reads_as or '(ignored)':<14} {c.why}" for c in read.columns),
    ]
    return _lines(lines)
