"""`reconcile init`: a configuration from answers, its folders, and an empty state.

Never overwrites anything that is there.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reconcile import config as configuration
from reconcile.errors import ConfigError, Problem, StateError, UsageError
from reconcile.pbx.connection import origin
from reconcile.store import migrate
from reconcile.store.lock import RunLock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from reconcile.config import Config

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What `init` asks for, and a good answer."""

    text: str
    default: str


QUESTIONS: Final[Mapping[str, Question]] = {
    "mode": Question(text="Mode: review (a person applies) or auto", default="review"),
    "source": Question(text="CRM export (path, glob or address)", default="exports/*.csv"),
    "region": Question(text="Country code for numbers without one", default="DE"),
    "pbx_url": Question(text="Address of the 3CX", default="https://pbx.example.com"),
    "client_id": Question(text="Client id of the 3CX API", default="reconcile"),
    "secret_env": Question(
        text="Environment variable with the client secret", default="RECONCILE_3CX_SECRET"
    ),
    "delete_guard": Question(text="Delete guard: etag or compare", default="etag"),
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
        yield str(migrate.upgrade(url, base=base, now=now))
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
        if not said.isprintable():
            yield Problem(code="config", column=name, message="holds what can't be printed")
    try:
        origin(answers["pbx_url"])
    except ConfigError as error:
        yield Problem(code="config", column="pbx.url", message=f"{error.message} {error.hint}")
    if not _VARIABLE.fullmatch(answers["secret_env"]):
        # Somebody may have typed the secret itself.
        message = "must be the name of an environment variable; the secret itself stays out of here"
        yield Problem(code="config", column="pbx.client_secret_env", message=message)


def _write_new(path: Path, text: str) -> None:
    """Create the file, for its owner only; never over one that came meanwhile."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
