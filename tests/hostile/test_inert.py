"""Whatever stands in a name, nothing that is written of it acts on whoever looks at it."""

from __future__ import annotations

import gzip
import io
import json
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

import builders as b
import pytest
from amounts import amount, note
from hostile import texts
from hostile.pbx_servers import hostile, window
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconcile import schedule
from reconcile.cli import main, show
from reconcile.crm.read import Reading
from reconcile.doctor import Check
from reconcile.errors import Problem
from reconcile.model import (
    Acceptance,
    DeleteGuard,
    EtagKind,
    Exit,
    ExportColumn,
    IfMatch,
    Level,
    Outcome,
    ProtectionKind,
    ProtectionRecord,
    RunRecord,
    Status,
    Verdict,
)
from reconcile.notify import ping
from reconcile.ownership import Adoption
from reconcile.pbx.client import Connection, PbxReader
from reconcile.pbx.trace import Trace
from reconcile.report import evidence, explain, mask
from reconcile.report import text as terminal
from reconcile.report.inert import json_text, printable
from reconcile.report.lines import line
from reconcile.report.model import (
    ContactPart,
    CountsPart,
    DriftPart,
    DuplicatePart,
    FindingPart,
    MissingPart,
    PbxPart,
    ProbePart,
    Report,
    RunPart,
    SourcePart,
)
from reconcile.restoring import Drill, Restored
from reconcile.store.migrate import CheckResult

EXAMPLES = amount(check=25, prove=3000)
TEXTS = amount(check=100, prove=20_000)
many = settings(max_examples=EXAMPLES)
any_text = st.one_of(texts.text, st.sampled_from(texts.SURROGATES), st.text(max_size=40))


def every_literal(test):
    """The list of texts as examples of their own, whatever else is tried."""
    for literal in texts.LITERAL:
        test = example(literal)(test)
    return test


# ---------------------------------------------------------------------------- the two ways


@every_literal
@given(any_text)
@settings(max_examples=TEXTS)
def test_27_a_text_for_a_terminal_is_one_line_on_which_nothing_acts(text):
    shown = printable(text)
    assert texts.acts(shown) == []
    assert len(shown.splitlines()) <= 1
    assert shown.isprintable() or not text.isprintable()
    note("texts for a terminal and for JSON", f"{TEXTS:,} examples each")


@pytest.mark.parametrize(
    "text", ["Jo Doe", "Zoë Ångström-Łuczak", "李 小龍", "محمد", "😀", "a=b|c"]
)
def test_27_a_text_that_does_not_act_is_shown_as_it_is(text):
    assert printable(text) == text
    assert json_text(json.dumps(text, ensure_ascii=False)) == f'"{text}"'


@given(st.recursive(any_text, lambda inner: st.lists(inner) | st.dictionaries(any_text, inner)))
@settings(max_examples=TEXTS)
@pytest.mark.parametrize("indent", [None, 2])
def test_27_json_says_the_same_and_nothing_in_it_acts(indent, value):
    document = json_text(json.dumps(value, ensure_ascii=False, indent=indent))
    assert json.loads(document) == value
    assert texts.acts(document) == []
    assert len(document.splitlines()) == len(document.split("\n"))
    assert indent or "\n" not in document


# ---------------------------------------------------------------------------- the report


def part(text: str, contact_id: int = 7, **changes) -> ContactPart:
    """A contact that is called like this throughout."""
    values = {
        "id": contact_id,
        "verdict": Verdict.DELETE,
        "reason": text,
        "evidence": (text, f"CRM record 7 ({text})", f"number {text} belongs to nobody"),
        "name": text,
        "company": text,
        "numbers": (text, f"+49 30 {text}"),
        "email": text,
        "crm_id": text,
        "first_absent": b.NOW,
        "due": b.NOW,
        **changes,
    }
    return ContactPart(**values)


def report(text: str, **changes) -> Report:
    """A report in which this stands wherever a text from outside may stand."""
    tried = {"outcome": Outcome.CHANGED, "outcome_detail": text, "guard": DeleteGuard.COMPARE}
    others = [v for v in Verdict if v is not Verdict.DELETE]
    values = {
        "run": RunPart(
            id=3, command="plan", mode="review", started_at=b.NOW, finished_at=b.NOW, version="0"
        ),
        "status": Status.BLOCKED,
        "exit_code": Exit.WAITING,
        "digest": "0" * 64,
        "approve_until": b.NOW,
        "headline": text,
        "source": SourcePart(
            name=text,
            format=text,
            encoding=text,
            sha256="a" * 64,
            size=1,
            rows=3,
            records=3,
            rejected=0,
            gone=0,
            generated_at=b.NOW,
            columns=({"header": text, "reads_as": "phone", "why": text},),
        ),
        "pbx": PbxPart(
            url="https://pbx.example.com",
            version=text,
            contacts=3,
            delete_guard=DeleteGuard.COMPARE,
            etags=EtagKind.NONE,
            if_match=IfMatch.UNPROVEN,
            probe=ProbePart(
                probed_at=b.NOW,
                etags_in="list",
                right_etag=Acceptance.ACCEPTED,
                without_etag=Acceptance.ACCEPTED,
                paging="skip",
                page_cap=100,
                missing="404",
                detail=text,
            ),
        ),
        "counts": CountsPart(pbx={"read": 3}, crm={"read": 3}),
        "findings": tuple(
            FindingPart(
                code="some", level=level, observed=text, limit=text, message=text, hint=text
            )
            for level in Level
        ),
        "contacts": (
            part(text),
            part(text, 8, **tried),
            *(part(text, 10 + n, verdict=v) for n, v in enumerate(others)),
        ),
        "drift": (DriftPart(id=7, crm_id=text, field="name", crm=text, pbx=text),),
        "missing": (MissingPart(crm_id=text, row=7, name=text, company=text),),
        "duplicates": (DuplicatePart(crm_id=text, name=text, ids=(1, 2)),),
        **changes,
    }
    return Report(**values)


def rendered(found: Report, *, full: bool = True) -> str:
    file = io.StringIO()
    terminal.render(found, file, full=full)
    return file.getvalue()


@every_literal
@given(texts.text)
@many
def test_27_the_report_on_a_terminal_is_inert(text):
    for found in (report(text), mask.masked(report(text))):
        assert texts.acts(rendered(found)) == []
    note("renderers", f"{EXAMPLES:,} hostile texts through each")


def test_27_a_name_of_ten_thousand_characters_fills_no_screen():
    assert rendered(report("x" * 10_000)).count("\n") < 40 * rendered(report("x")).count("\n")
    assert "x" * 10 in rendered(report("x" * 10_000))


LINE_ENDS = ["\n", "\r\n", "\r", "\u2028", "\u2029", "\x85", "\x0b", "\x1c"]


@pytest.mark.parametrize("line_end", LINE_ENDS)
def test_27_nobody_forges_a_line_of_a_report(line_end):
    forged = f"Jo{line_end}BLOCK export_empty: forged{line_end}  Next: rm -rf{line_end}| 7 | x |"
    lines = rendered(report(forged)).splitlines()
    assert not [line for line in lines if line.startswith("BLOCK export_empty")]
    assert not [line for line in lines if line.lstrip().startswith("| 7")]


def test_27_markup_of_the_terminal_library_is_text():
    shown = rendered(report("[red]Jo[/red] :smile:"))
    assert "[red]Jo[/red] :smile:" in shown


@every_literal
@given(texts.text)
@many
def test_27_report_json_is_inert_and_read_back_the_same(text):
    for found in (report(text), mask.masked(report(text))):
        document = found.to_json()
        assert texts.acts(document) == []
        assert Report.model_validate_json(document) == found
        assert len(document.splitlines()) == document.count("\n")


@every_literal
@given(texts.text)
@many
def test_27_the_evidence_is_a_line_for_each_contact_and_read_back_the_same(text):
    parts = [part(text, 1), part(text, 2)]
    with TemporaryDirectory() as folder:
        (Path(folder) / "run-000003").mkdir()
        path = evidence.write(map(line, parts), Path(folder), 3)
        lines = gzip.decompress(path.read_bytes()).decode()
        assert list(evidence.read(Path(folder), 3)) == parts
    assert len(lines.splitlines()) == 2
    assert texts.acts(lines) == []


# ---------------------------------------------------------------------------- what commands show


def shown(text: str) -> dict[str, tuple[object, str, int]]:
    """Renderer → the value, how it is shown, and how many lines that has."""
    problem = Problem(code="x", message=text, file=text, row=1, column=text)
    runs = [
        RunRecord(
            id=1,
            command="plan",
            mode="review",
            started_at=b.NOW,
            finished_at=b.NOW,
            status=Status.CLEAN,
            exit_code=0,
            digest="",
            headline=text,
        )
    ]
    checks = [Check(name=text, state="fail", said=text, mend=text)]
    restored = [Restored(contact_id=1, label=text, new_id=2, done=text, ok=True)]
    contact = b.contact(1, FirstName=text, PhoneNumber=text, Mobile=text)
    adoption = Adoption(contacts=(contact,), refused=(text,))
    protections = [
        ProtectionRecord(
            kind=ProtectionKind.NAME, value=text, created_by=text, created_at=b.NOW, reason=text
        )
    ]
    drill = Drill(ok=True, said=text, hint=text, exit_code=Exit.CONVERGED)
    state = CheckResult(
        state="state.db",
        state_id="1",
        pbx_url=text,
        revision="0004",
        journal="wal",
        claims=1,
        runs=1,
        unresolved=0,
        problems=(problem,),
    )
    reading = Reading(
        name=text,
        format=text,
        encoding=text,
        header_row=1,
        looks_like=text,
        parts=(text,),
        columns=(ExportColumn(header=text, reads_as="phone", why=text),),
        ignored={text: 1},
        samples=({"name": text},),
        fill={text: 1.0},
        notes=(text,),
        problems=(problem,),
        hint=text,
    )
    found = explain.Explanation(
        run=1,
        command="plan",
        started_at=b.NOW,
        complete=True,
        masked=False,
        contacts=(explain.Explained(found_by=text, contact=part(text), next=text),),
    )
    return {
        "history": (runs, show.history(runs, None, encoding="utf-8"), 2),
        "doctor": (checks, show.checks(checks), 3 if text else 2),
        "restore": (restored, show.restored(restored), 2),
        "adopt": (adoption, show.adoption(adoption), 1),
        "adopted": (adoption, show.adopted(adoption, done=True), 3),
        "protect": (protections, show.protections(protections), 1),
        "drill": (drill, show.drill(drill), 2),
        "db check": (state, show.state(state), 5),
        "columns": (reading, show.reading(reading), 20 if text else 0),
        "explain": (found, show.explained(found), 0),
    }


@every_literal
@given(texts.text)
@many
def test_27_what_commands_show_is_inert_and_a_record_has_its_line(text):
    for what, (value, said, lines) in shown(text).items():
        assert texts.acts(said) == [], what
        assert len(said.splitlines()) == said.count("\n") + 1, what
        assert lines in (0, said.count("\n") + 1), (what, said)
        document = show.as_json(value)
        assert texts.acts(document) == [], what
        assert "\n" not in document, what
        json.loads(document)


@every_literal
@given(texts.text)
@many
def test_27_a_contact_as_json_says_what_3cx_has(text):
    contact = b.contact(1, FirstName=text, CompanyName=text, PhoneNumber=text)
    fields = json.loads(show.as_json(contact))["fields"]
    assert fields["FirstName"] == fields["CompanyName"] == fields["PhoneNumber"] == text


HOSTILE_NAMES = [t for t in texts.LITERAL if "\0" not in t and len(t.encode()) < 200]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_27_an_error_message_is_inert(tmp_path, name):
    """Of files that are called like this, and that are not there."""
    said = io.StringIO()
    for args in (["columns", f"{tmp_path}/{name}"], ["--config", f"{tmp_path}/{name}", "plan"]):
        with redirect_stderr(said), redirect_stdout(said), pytest.raises(SystemExit) as left:
            main(args)
        assert left.value.code in {2, 3}
    assert texts.acts(said.getvalue()) == []


@every_literal
@given(texts.text)
@many
def test_27_a_line_of_the_log_of_nights_is_one_line(text):
    said = io.StringIO()
    with redirect_stderr(said):
        schedule._say(text)  # noqa: SLF001 - the one way by which `schedule` says anything
    assert said.getvalue().count("\n") == 1
    assert texts.acts(said.getvalue()) == []


def test_27_the_body_of_a_ping_is_one_line():
    said = ping.summary(report("a\r\nb\x1b[2J"))
    assert said == "exit 10: a\\u000d\\u000ab\\u001b[2J"


# ---------------------------------------------------------------------------- the request log


@pytest.mark.parametrize("text", [*texts.LITERAL[:-4], "Jo's | <b> \x1b[31m", "''", "x'x''"])
def test_27_the_request_log_has_a_line_for_each_request_and_no_text_of_a_filter(tmp_path, text):
    path = tmp_path / "trace.jsonl"
    trace = Trace(path, clock=lambda: b.NOW)

    def answer(asked) -> None:
        asked.say({"@odata.count": 0, "value": window([], asked)}, **{"X-3CX-Version": "20\x9b1"})

    with hostile(answer) as pbx:
        connection = Connection(url=pbx.url, client_id="me", client_secret="canary-secret-7Q")
        with PbxReader(connection, trace=trace) as reader:
            reader.find("LastName", text)
    trace.close()
    lines = path.read_text("utf-8").splitlines()
    assert len(lines) == len(pbx.seen)
    assert texts.acts("\n".join(lines)) == []
    assert all("LastName eq '…'" in json.loads(line)["path"] for line in lines[1:])


# ---------------------------------------------------------------------------- what is masked


LONG = ["CRM record (", "the record in row 7 (", "number 9 ", "@", "a@", "+1 (", "company x: 1 of "]


@pytest.mark.parametrize("piece", LONG)
def test_a_name_that_looks_like_a_sentence_is_masked_in_no_time(piece):
    """A pattern that tries every pair of its parts would take hours for one cell."""
    assert mask.sentence(f"CRM record 1 ({piece * (64_000 // len(piece))})", {})


@pytest.mark.parametrize("between", ["\n", "\r\n", "\u2028"])
def test_71_a_name_over_two_lines_is_masked_like_any_other(between):
    name = f"Jo{between}Doe"
    assert "Doe" not in mask.sentence(f"number +49 30 1 belongs to CRM record 7 ({name})", {})
    found = report("x", findings=(finding(f"company {name}: 5 of 5 (100 %)"),))
    assert "Doe" not in mask.masked(found).findings[0].observed


def finding(observed: str) -> FindingPart:
    return FindingPart(
        code="group_lost", level=Level.APPROVE, observed=observed, limit="", message="", hint=""
    )
