"""cron/windows-task.xml: read as Task Scheduler's schema has it; the line in it is executed.

Not executed: Windows, and WSL. The schema is no part of any package, so what it says of the
elements in use stands here: learn.microsoft.com, "Task Scheduler Schema Complex Types".
"""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).parents[2]
FILE = ROOT / "cron" / "windows-task.xml"
NAMESPACE = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"

ANY, ORDER = "xs:all", "xs:sequence"
CHILDREN = {
    "Task": (
        ANY,
        ("RegistrationInfo", "Triggers", "Settings", "Data", "Principals", "Actions"),
        {"Actions"},
    ),
    "RegistrationInfo": (ANY, ("URI", "Author", "Version", "Date", "Description"), set()),
    "Triggers": (ANY, ("CalendarTrigger",), set()),
    "CalendarTrigger": (
        ORDER,
        (
            *("Enabled", "StartBoundary", "EndBoundary", "Repetition", "ExecutionTimeLimit"),
            *("RandomDelay", "ScheduleByDay"),
        ),
        {"StartBoundary", "ScheduleByDay"},
    ),
    "ScheduleByDay": (ORDER, ("DaysInterval",), set()),
    "Principals": (ORDER, ("Principal",), {"Principal"}),
    "Principal": (ANY, ("UserId", "LogonType", "GroupId", "DisplayName", "RunLevel"), set()),
    "Settings": (
        ANY,
        (
            *("AllowStartOnDemand", "RestartOnFailure", "MultipleInstancesPolicy"),
            *("DisallowStartIfOnBatteries", "StopIfGoingOnBatteries", "AllowHardTerminate"),
            *("StartWhenAvailable", "RunOnlyIfNetworkAvailable", "WakeToRun", "Enabled"),
            *("Hidden", "DeleteExpiredTaskAfter", "IdleSettings", "ExecutionTimeLimit"),
            *("Priority", "RunOnlyIfIdle"),
        ),
        set(),
    ),
    "Actions": (ORDER, ("Exec",), {"Exec"}),
    "Exec": (ANY, ("Command", "Arguments", "WorkingDirectory"), {"Command"}),
}
"""Element → how its children stand, which they can be, and which must be there."""
BOOLEAN = r"true|false"
DURATION = r"PT\d+[HMS]"
VALUES = {
    "StartBoundary": r"\d{4}-\d\d-\d\dT04:30:00",
    "DaysInterval": "1",
    "LogonType": "S4U|Password|InteractiveToken|InteractiveTokenOrPassword",
    "RunLevel": "LeastPrivilege|HighestAvailable",
    "MultipleInstancesPolicy": "Parallel|Queue|IgnoreNew|StopExisting",
    "ExecutionTimeLimit": DURATION,
    **dict.fromkeys(
        (
            *("AllowStartOnDemand", "DisallowStartIfOnBatteries", "StopIfGoingOnBatteries"),
            *("AllowHardTerminate", "StartWhenAvailable", "RunOnlyIfNetworkAvailable", "Enabled"),
        ),
        BOOLEAN,
    ),
}


def task() -> ET.Element:
    return ET.fromstring(FILE.read_bytes())  # noqa: S314 - a file of ours


def problems(element: ET.Element) -> list[str]:
    """What the schema would say of an element and all below it."""
    name = element.tag.removeprefix(NAMESPACE)
    children = [child.tag.removeprefix(NAMESPACE) for child in element]
    if name not in CHILDREN:
        fits = re.fullmatch(VALUES.get(name, ".+"), element.text or "", re.DOTALL)
        return [] if fits and not children else [f"{name}: {element.text!r}, {children}"]
    standing, known, needed = CHILDREN[name]
    found = [f"{name}: unknown {child}" for child in children if child not in known]
    found += [f"{name}: no {child}" for child in sorted(needed - set(children))]
    if len(set(children)) < len(children):
        found.append(f"{name}: one twice")
    if standing == ORDER and not found and children != sorted(children, key=known.index):
        found.append(f"{name}: not in order")
    return found + [problem for child in element for problem in problems(child)]


def text_of(path: str) -> str:
    found = task().findtext("/".join(NAMESPACE + name for name in path.split("/")))
    assert found is not None
    return found


def test_the_schema_has_nothing_to_say():
    assert task().tag == f"{NAMESPACE}Task"
    assert problems(task()) == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("<DaysInterval>1", "<DaysInterval>daily", "DaysInterval"),
        ("<Enabled>true", "<Enabled>yes", "Enabled"),
        ("RunLevel>", "Level>", "Principal: unknown Level"),
        ("Command>", "Program>", "Exec: no Command"),
        ("</ScheduleByDay>", "</ScheduleByDay><RandomDelay>PT5M</RandomDelay>", "not in order"),
    ],
)
def test_the_schema_knows_what_is_wrong(old, new, problem):
    text = FILE.read_text("utf-8").replace(old, new)
    found = problems(ET.fromstring(text))  # noqa: S314 - a file of ours
    assert any(problem in each for each in found)


def test_any_program_reads_it_in_any_encoding():
    """Plain ASCII without a named encoding: schtasks and PowerShell each want another one."""
    text = FILE.read_bytes().decode("ascii")
    assert text.startswith('<?xml version="1.0"?>\n')


def test_the_context_is_a_principal_and_asks_for_no_rights():
    principal = task().find(f"{NAMESPACE}Principals/{NAMESPACE}Principal")
    actions = task().find(f"{NAMESPACE}Actions")
    assert principal is not None
    assert actions is not None
    assert principal.get("id") == actions.get("Context")
    assert text_of("Principals/Principal/RunLevel") == "LeastPrivilege"


def test_one_night_at_a_time_and_nothing_kills_it():
    assert text_of("Settings/MultipleInstancesPolicy") == "IgnoreNew"
    assert text_of("Settings/StartWhenAvailable") == "true"
    assert text_of("Settings/AllowHardTerminate") == "false"
    assert text_of("Settings/ExecutionTimeLimit") == "PT0S"


def test_it_runs_in_wsl_what_cron_would_run(installed):
    assert text_of("Actions/Exec/Command") == r"C:\Program Files\WSL\wsl.exe"
    words = shlex.split(text_of("Actions/Exec/Arguments"))
    program = words.index("--exec") + 1
    assert words[:program] == ["--distribution", "Debian", "--user", "reconcile", "--exec"]
    crontab = (FILE.parent / "crontab").read_text("utf-8").splitlines()[-1]
    assert words[program:] == ["/bin/sh", "-c", crontab.split(maxsplit=5)[5]]

    installed.due()
    done = installed.run(*(installed.placed(word) for word in words[program:]))
    assert (done.returncode, done.stdout, done.stderr) == (10, "", "")
    assert installed.report["exit_code"] == 10
    assert "1 of 40 phone-system contacts would be deleted" in installed.log.read_text("utf-8")


def test_on_windows_itself_it_would_not_even_start():
    """Which is why the manual says WSL: a module of POSIX is loaded by every command."""
    tree = ast.parse((ROOT / "reconcile" / "cli" / "__init__.py").read_text("utf-8"))
    loaded = {a.name for node in tree.body if isinstance(node, ast.Import) for a in node.names}
    assert "resource" in loaded
