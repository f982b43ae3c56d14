"""Values as text or JSON for people and pipes; the report has its own renderers."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any, Final

from reconcile.report.inert import json_text, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from reconcile.crm import Known, Reading
    from reconcile.doctor import Check
    from reconcile.model import ProtectionRecord, RunRecord
    from reconcile.ownership import Adoption
    from reconcile.report.diff import Changed, Difference
    from reconcile.report.explain import Chapter, Explained, Explanation
    from reconcile.report.model import ContactPart, Report, TrendPart
    from reconcile.restoring import Drill, Restored
    from reconcile.store.migrate import CheckResult
    from reconcile.store.purging import PurgeResult


_TREND: Final = 2
"""From so many runs on there is a trend."""
_TREND_NAMES: Final = {"delete": "to delete"}
_BLOCKS: Final = "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"
_ASCII: Final = "_.:-=+*#"
_LISTED: Final = 20
"""So many contacts of a kind of change are shown, unless all are asked for."""


def as_json(value: Any) -> str:  # noqa: ANN401 - any of our frozen dataclasses, or several
    """One JSON document; times in ISO 8601."""
    return json_text(json.dumps(_plain(value), ensure_ascii=False, default=str))


def _plain(value: Any) -> Any:  # noqa: ANN401 - as above
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value.isoformat() if hasattr(value, "isoformat") else value


def lines(said: Iterable[str]) -> str:
    """Sentences, a line each."""
    return _lines(line for part in said for line in part.splitlines())


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(printable(line) for line in lines)


def checks(results: Sequence[Check]) -> str:
    """A line each, and the mend of what is not right."""
    lines: list[str] = []
    for check in results:
        lines.append(f"{check.state.upper():<5} {check.name}: {check.said}")
        if check.mend:
            lines.append(f"      → {check.mend}")
    failed = any(check.state == "fail" for check in results)
    last = "Next: mend what says FAIL, then: reconcile doctor" if failed else "Next: reconcile plan"
    return _lines([*lines, last])


def history(runs: Sequence[RunRecord], latest: Report | None, *, encoding: str) -> str:
    """Past runs in a table of text, and the trend of those that left a report."""
    if not runs:
        return "There was no run yet. Next: reconcile plan"
    rows = [
        f"{r.id:>6}  {r.started_at:%Y-%m-%d %H:%M}  {r.command:<14} {r.status or 'died':<15}"
        f" {'' if r.exit_code is None else r.exit_code:>3}  {r.digest[:12]:<12}  {r.headline}"
        for r in runs
    ]
    title = f"{'run':>6}  {'started (UTC)':<16}  {'command':<14} {'status':<15} {'exit':>3}"
    trend = _trend(latest.trend if latest else (), _drawn(encoding))
    return _lines([f"{title} {'digest':<12}  headline", *rows, *trend])


def _trend(parts: Sequence[TrendPart], drawn: str) -> list[str]:
    """A line for each number, the oldest run first; one run alone has no trend."""
    if len(parts) < _TREND:
        return []
    lines = ["", f"the last {len(parts)} runs with a report, to run {parts[-1].run}"]
    for name in ("matched", "waiting", "review", "delete", "deleted"):
        values = [getattr(part, name) for part in parts]
        most = max(values)
        bars = "".join(drawn[value * (len(drawn) - 1) // (most or 1)] for value in values)
        lines.append(
            f"{_TREND_NAMES.get(name, name):>10}  {bars}  {values[-1]:,}, at most {most:,}"
        )
    return lines


def _drawn(encoding: str) -> str:
    """From nothing to the most, in characters that the output has."""
    try:
        _BLOCKS.encode(encoding)
    except UnicodeEncodeError:
        return _ASCII
    return _BLOCKS


def difference(found: Difference, *, full: bool) -> str:
    """What became of the contacts, by what they are from and to."""
    from reconcile.report.diff import kinds

    same = f"{found.unchanged:,} contacts are as they were."
    lines = [f"From run {found.before} to run {found.now}: {len(found.changed):,} changed, {same}"]
    for was, became, changes in kinds(found):
        lines += ["", f"{_verdict(was)} → {_verdict(became)} ({len(changes):,})"]
        shown = changes if full else changes[:_LISTED]
        lines += [f"{c.id:>8}  {_who(c)}{f': {c.reason}' if c.reason else ''}" for c in shown]
        if len(changes) > len(shown):
            lines.append(f"          … and {len(changes) - len(shown):,} more; all of them: --full")
    return _lines(lines)


def _verdict(name: str) -> str:
    return name.replace("_", " ") or "not there"


def _who(change: Changed) -> str:
    return ", ".join(filter(None, (change.name, change.company))) or "no name"


def state(result: CheckResult) -> str:
    """What `db check` found."""
    lines = [
        f"state {result.state}, schema {result.revision}, journal {result.journal}",
        f"of {result.pbx_url or 'no PBX yet'}: {result.claims} claims, {result.runs} runs",
        f"{result.unresolved} unresolved intents",
    ]
    lines += [f"  - {problem}" for problem in result.problems]
    sound = "The state is sound. Next: reconcile plan"
    mend = (
        "The state is not sound. Next: mend that, or put a backup in its place, "
        "then: reconcile db check"
    )
    return _lines([*lines, sound if result.ok else mend])


def purged(result: PurgeResult) -> str:
    """What `db purge` removed."""
    return (
        f"Removed: {result.tombstones} tombstones, the names of {result.claims} claims,"
        f" {result.runs} runs, what {result.reports} reports told of it."
        f" Kept because a run died over them: {result.kept}."
    )


def restored(done: Sequence[Restored]) -> str:
    """What became of each tombstone."""
    lines = [
        f"{r.label} (was contact {r.contact_id}): {r.done}"
        + ("" if r.new_id is None else f" as contact {r.new_id}")
        for r in done
    ]
    if not all(r.ok for r in done):
        lines.append("Not everything is back; the same command again tries the rest.")
    return _lines([*lines, "Next: reconcile plan"])


def drill(practised: Drill) -> str:
    """What the drill showed, and the next command."""
    return _lines([practised.said, f"Next: {practised.hint}"])


def protections(kept: Sequence[ProtectionRecord]) -> str:
    """Who is never deleted, since when and why."""
    if not kept:
        return "Nobody is protected. Next: reconcile protect --help"
    return _lines(
        f"{p.kind:<7} {p.value}  (by {p.created_by}, {p.created_at:%Y-%m-%d}"
        f"{f': {p.reason}' if p.reason else ''})"
        for p in kept
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
        lines += [
            f"Claimed: {len(offered.contacts)}. Nothing was deleted.",
            "Next: reconcile plan --now, read its report, then reconcile apply DIGEST",
        ]
    else:
        lines.append("No contact was claimed. Next: reconcile plan")
    return _lines(lines)


def explained(found: Explanation) -> str:
    """Each contact with its verdict, all that was found out about it, and the next command."""
    from reconcile.report import explain

    lines = [f"run {found.run}, {found.command}, {_moment(found.started_at)}"]
    lines += [] if found.complete else [explain.INCOMPLETE]
    lines += [explain.MASKED] if found.masked else []
    return _lines([*lines, *(line for each in found.contacts for line in _explained(each))])


def _explained(found: Explained) -> list[str]:
    part = found.contact
    told = ", ".join(filter(None, (part.name, part.company))) or "no name"
    exports = f"{part.absent_exports} export{'' if part.absent_exports == 1 else 's'}"
    rows = [
        ("numbers", ", ".join(part.numbers)),
        ("e-mail", part.email),
        (part.verdict.value, part.reason),
        *(("evidence", sentence) for sentence in part.evidence if sentence != part.reason),
        ("CRM record", part.crm_id),
        ("absent", part.first_absent and f"since {_moment(part.first_absent)}, in {exports}"),
        ("due", part.due and f"from {_moment(part.due)}"),
        ("outcome", _outcome(part)),
        ("next", found.next),
    ]
    by = _FOUND_BY.get(found.found_by, found.found_by)
    title = f"contact {part.id}: {told} (found by its {by})"
    lines = (f"  {name}: {said}" for name, said in rows if said)
    return ["", title, *lines, *_story(found)]


def _story(found: Explained) -> list[str]:
    """What the nights before said, if it was anything else."""
    if len(found.story) < _TREND:
        return []
    return ["  the nights:", *(f"    {_chapter(each, found)}" for each in found.story)]


def _chapter(each: Chapter, found: Explained) -> str:
    runs = f"run {each.first}" if each.first == each.last else f"runs {each.first} to {each.last}"
    since = f", {_moment(each.since)}" if each.since else ""
    if not each.said:
        return f"{runs}{since}: not in 3CX"
    whose = f" ({each.name or 'no name'})" if each.name != found.contact.name else ""
    return f"{runs}{since}: {each.said.replace('_', ' ')}{whose}: {each.reason}"


_FOUND_BY: Final = {"id": "Id", "crm_id": "CRM id", "email": "e-mail address"}


def _outcome(part: ContactPart) -> str:
    if part.outcome is None:
        return ""
    return f"{part.outcome} ({part.outcome_detail or 'no detail'}; guard {part.guard})"


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M UTC}" if moment else ""


def formats(known: Known) -> str:
    """The formats by the names that the configuration knows, and the CRMs."""
    names = (f"  {name:<8}  {what}" for name, what in known.formats.items())
    crms = (f"  {crm}" for crm in known.crms)
    packed = "Each may lie in a ZIP archive or be packed with gzip, and may be split into parts."
    return _lines(["formats:", *names, "", packed, "", "CRMs whose headers are known:", *crms])


def reading(read: Reading) -> str:
    """How an export would be read, what stands against it, and the next command."""
    parts = (_form(read), _columns(read), _content(read), _against(read), _next(read))
    return _lines(line for part in parts for line in part)


def _form(read: Reading) -> list[str]:
    if not read.format:
        return [f"{read.name}: it could not be read as a table."]
    lines = [f"{read.name}: {read.format}, {read.encoding}, header in row {read.header_row}"]
    lines += [f"  looks like: {read.looks_like}"] if read.looks_like else []
    lines += [f"  read from: {part}" for part in read.parts]
    lines += [f"  {n:,} lines are ignored: {why}" for why, n in read.ignored.items()]
    return lines


def _columns(read: Reading) -> list[str]:
    if not read.columns:
        return []
    width = max(len(c.header) for c in read.columns)
    rows = (
        f"  {c.header:<{width}}  →  {c.reads_as or '(ignored)':<15}  {c.why}" for c in read.columns
    )
    return ["", "columns:", *(row.rstrip() for row in rows)]


def _content(read: Reading) -> list[str]:
    """Only there if the columns could be read."""
    if not read.samples:
        return []
    filled = (f"  {share:>6.1%}  {name}" for name, share in read.fill.items())
    samples = (
        "  " + ", ".join(f"{name} {value}" for name, value in sample.items())
        for sample in read.samples
    )
    return [
        "",
        f"{read.records:,} records, {read.gone:,} of them flagged deleted, archived or merged away",
        "",
        "records with a value:",
        *filled,
        "",
        "the first records, masked:",
        *samples,
    ]


def _against(read: Reading) -> list[str]:
    notes = [f"note: {note}" for note in read.notes]
    problems = [f"  - {problem}" for problem in read.problems]
    title = ["", "This export can't be used:"] if problems else []
    return [*notes, *title, *problems]


def _next(read: Reading) -> list[str]:
    if not read.problems:
        return ["", "Nothing stands against this export. Next: reconcile doctor"]
    if not read.toml:
        return [f"Next: {read.hint}"]
    return [
        "",
        "Next: write this under [crm] of the configuration, and look again:",
        f"  {read.toml}",
    ]
