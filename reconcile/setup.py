"""`reconcile init`: a configuration from answers, its folders, and an empty state.

Never overwrites anything that is there.
"""

from __future__ import annotations

import json
import os
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reconcile import config as configuration
from reconcile.errors import ConfigError, Problem, StateError, UsageError
from reconcile.pbx.connection import origin
from reconcile.report import files
from reconcile.store import migrate
from reconcile.store.lock import RunLock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from reconcile.config import Config


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What `init` asks for, and a good answer."""

    key: str
    """What becomes of the answer, in the configuration."""
    text: str
    default: str
    choices: tuple[str, ...] = ()
    """The only answers; none: any."""


QUESTIONS: Final[Mapping[str, Question]] = {
    "mode": Question(
        key="mode",
        text="Mode: review (a person applies) or auto (a run applies its own plan)",
        default="review",
        choices=("review", "auto"),
    ),
    "source": Question(
        key="crm.source", text="CRM export (path, glob or address)", default="exports/*.csv"
    ),
    "region": Question(key="crm.region", text="Country code for numbers without one", default="DE"),
    "pbx_url": Question(
        key="pbx.url", text="Address of the 3CX, with its port", default="https://pbx.example.com"
    ),
    "client_id": Question(
        key="pbx.client_id", text="Client id of the 3CX API", default="reconcile"
    ),
    "secret_env": Question(
        key="pbx.client_secret_env",
        text="Environment variable with the client secret",
        default="RECONCILE_3CX_SECRET",
    ),
    "delete_guard": Question(
        key="pbx.delete_guard",
        text="Delete guard: etag, or compare for a 3CX without ETags",
        default="etag",
        choices=("etag", "compare"),
    ),
}

_TEMPLATE: Final = """\
# Written by `reconcile init`. Every key is explained in docs/configuration.md.
mode = {mode}                     # "review": a person applies; "auto": a run applies its own plan

[crm]
source = {source}
region = {region}                       # for numbers without a country code
max_age_hours = 26

[pbx]
url = {pbx_url}
client_id = {client_id}
client_secret_env = {secret_env}
delete_guard = {delete_guard}               # or "compare", for a 3CX without ETags
contact_types = ["3CX"]

[policy]
grace_exports = 2
grace_hours = 20
max_deletes = 20
max_delete_percent = 2.0
max_weekly_percent = 5.0
max_shrink_percent = 2.0
min_matched_percent = 95.0
protect = {{ ids = [], tags = [], numbers = [], names = [] }}

[state]
url = "sqlite:///state/reconcile.db"
keep_days = 90

[report]
directory = "reports"
keep_days = 90
"""


def init_once(path: Path, answers: Mapping[str, str], *, now: datetime) -> Iterator[str]:
    """Write the configuration and create folders and state; yields what was done, a line each.

    Raises UsageError if there is a configuration already, ConfigError if an answer is impossible;
    then nothing is written.
    """
    refuse_existing(path)
    text, config = _checked(path, answers)
    try:
        _write_new(path, text)
        reports = config.path(config.report.directory)
        reports.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StateError(
            f"{error.filename or path} can't be written: {error.strerror}.",
            hint="mend the folder's rights or make room, then: reconcile init",
        ) from error
    yield f"Wrote {path}."
    yield f"Reports go to {reports}."
    url, base = config.state.url, config.base
    with RunLock(url, base=base, command="init", now=now):
        last_run = max(files.run_ids(reports), default=0)
        yield str(migrate.upgrade(url, base=base, now=now, last_run=last_run))
    yield f"Next: put the client secret into {config.pbx.client_secret_env}, then: reconcile doctor"


def refuse_existing(path: Path) -> None:
    """Raise UsageError if anything of this name is there: it is never overwritten."""
    if os.path.lexists(path):
        raise UsageError(
            f"There is a configuration at {path} already; it is left as it is.",
            hint="reconcile doctor; or name another file: reconcile --config FILE init",
        )


def _checked(path: Path, answers: Mapping[str, str]) -> tuple[str, Config]:
    """The configuration's text, and itself; ConfigError lists every impossible answer."""
    problems = list(_impossible(answers))
    if not problems:
        # TOML's strings escape as JSON's do, but know no surrogate pairs.
        quoted = {name: json.dumps(said, ensure_ascii=False) for name, said in answers.items()}
        text = _TEMPLATE.format(**quoted)
        try:
            return text, configuration.validate(tomllib.loads(text), path)
        except ConfigError as error:
            problems = list(error.problems)
    raise ConfigError(
        "No configuration can be made of these answers.",
        problems=problems,
        hint="the same command with other answers: reconcile init --help",
    )


def _impossible(answers: Mapping[str, str]) -> Iterator[Problem]:
    """What a file could hold and no run could use; an answer is never repeated, see below."""
    for name, said in answers.items():
        if why := fault(name, said):
            yield Problem(code="config", column=QUESTIONS[name].key, message=why)


def fault(name: str, said: str) -> str:
    """Why this can't be the answer to a question; "" if it may be."""
    if not said.isprintable():
        return "holds what can't be printed"
    if (choices := QUESTIONS[name].choices) and said not in choices:
        return f"must be {' or '.join(choices)}"
    if name == "secret_env" and not configuration.is_variable(said):
        return configuration.NO_VARIABLE  # somebody may have typed the secret itself
    if name == "pbx_url":
        try:
            origin(said)
        except ConfigError as error:
            return f"{error.message} {error.hint}"
    return ""


def _write_new(path: Path, text: str) -> None:
    """Create the file, for its owner only; never over one that came meanwhile."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
