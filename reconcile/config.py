"""config.toml → a typed, validated Config; every problem at once, each with its TOML path.

Unknown keys, wrong types and impossible values are errors. Nothing is coerced: "20" is no number.
Secrets are named here, never written here: they come from the environment or from a file.

A `defaults.toml` makes its folder one of jobs: each other file in it is laid over the defaults, and
its relative paths start from a folder of its own, so that no two jobs share a state by accident.
"""

from __future__ import annotations

import re
import stat
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple, Self, TypedDict
from urllib.parse import unquote_plus, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from reconcile import secrecy
from reconcile.core import locations, phones, policy
from reconcile.core.guards import Limits
from reconcile.core.plan import Protection, Rules
from reconcile.core.text import name_key
from reconcile.errors import ConfigError, Problem, UsageError
from reconcile.model import DeleteGuard, Mode, ProtectionKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pydantic_core import ErrorDetails

    from reconcile.model import ProtectionRecord

CONTACT_TYPES: Final = ("3CX", "CRM", "Google", "M365")

DEFAULTS: Final = "defaults.toml"
"""What the jobs of a folder have in common."""
NO_VARIABLE: Final = (
    "must be the name of an environment variable; the secret itself stays out of here"
)
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def is_variable(name: str) -> bool:
    """Whether an environment variable can be called so; a secret can be, but mostly is not."""
    return bool(_VARIABLE.fullmatch(name))


def _variable(name: str) -> str:
    if name and not is_variable(name):
        raise ValueError(NO_VARIABLE)
    return name


Variable = Annotated[str, AfterValidator(_variable)]
Percent = Annotated[float, Field(ge=0, le=100)]
Count = Annotated[int, Field(ge=0)]
Days = Annotated[int, Field(ge=1)]


class _Section(BaseModel):
    """What all sections have in common."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Crm(_Section):
    """`[crm]`: where the export is and how it is read."""

    source: str = ""
    source_env: Variable = ""
    url: str = ""
    sql: str = ""
    auth: Literal["none", "bearer", "basic"] = "none"
    user: str = ""
    secret_env: Variable = ""
    secret_file: str = ""
    options: dict[str, str | int | bool] = Field(default_factory=dict)
    ca_file: str = ""
    timeout_seconds: float = Field(default=60, gt=0, le=3600)
    format: Literal["auto", "csv", "xlsx", "json", "vcard", "parquet"] = "auto"
    region: str
    max_age_hours: float = Field(default=26, gt=0, le=8760)
    inactive: Literal["keep", "gone"] = "keep"
    manifest: Literal["auto", "required", "ignore"] = "auto"
    sentinels: list[Annotated[str, Field(pattern=r"\S")]] = []
    columns: dict[str, str] = Field(default_factory=dict)

    @field_validator("region")
    @classmethod
    def _is_a_region(cls, region: str) -> str:
        if region not in phonenumbers.SUPPORTED_REGIONS:
            raise ValueError('must be a country code of two capital letters, such as "DE"')
        return region


class Pbx(_Section):
    """`[pbx]`: the phone system and how it is asked."""

    url: str = Field(min_length=1)
    client_id: str = Field(min_length=1)
    client_secret_env: Variable = ""
    client_secret_file: str = ""
    delete_guard: DeleteGuard = Field(default=DeleteGuard.ETAG, strict=False)
    contact_types: list[str] = Field(default=["3CX"], min_length=1)
    outside_prefix: str = Field(default="", pattern="^[0-9]{0,4}$")
    concurrency: int = Field(default=4, ge=1, le=32)
    timeout_seconds: float = Field(default=30, gt=0, le=600)
    ca_file: str = ""

    @field_validator("contact_types")
    @classmethod
    def _are_known(cls, types: list[str]) -> list[str]:
        unknown = [t for t in types if t not in CONTACT_TYPES]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is none of {', '.join(CONTACT_TYPES)}")
        return types


class Protect(_Section):
    """`policy.protect`: contacts that are never deleted."""

    ids: list[int] = []
    tags: list[str] = []
    numbers: list[str] = []
    names: list[str] = []

    @model_validator(mode="after")
    def _protect_somebody(self) -> Self:
        """An entry that no contact can ever fit would protect nobody, silently."""
        empty = [
            *(repr(n) for n in self.numbers if not phones.keys_or_text(n, "")),
            *(repr(n) for n in self.names if not name_key(n)),
            *(repr(t) for t in self.tags if not t.strip()),
        ]
        if empty:
            raise ValueError(f"has entries that fit no contact: {', '.join(empty)}")
        return self

    def entries(self) -> tuple[tuple[ProtectionKind, str], ...]:
        """What is named, an entry each, as the state keeps it."""
        return (
            *((ProtectionKind.ID, str(i)) for i in self.ids),
            *((ProtectionKind.TAG, t.strip()) for t in self.tags),
            *((ProtectionKind.NUMBER, n.strip()) for n in self.numbers),
            *((ProtectionKind.NAME, n.strip()) for n in self.names),
        )

    @classmethod
    def typed(cls, **named: Sequence[int | str]) -> Self:
        """From a command line. Raises UsageError for entries that fit no contact."""
        try:
            return cls.model_validate({key: list(values) for key, values in named.items()})
        except ValidationError as error:
            words = "; ".join(_words(e) for e in error.errors(include_url=False))
            raise UsageError(f"What is to be protected {words}.") from None


class Policy(_Section):
    """`[policy]`: ownership, grace and limits."""

    owner_tag: str = ""
    grace_exports: int = Field(default=2, ge=1)
    grace_hours: float = Field(default=20, ge=0, le=8760)
    max_deletes: Count = 20
    max_delete_percent: Percent = 2.0
    max_weekly_percent: Percent = 5.0
    max_shrink_percent: Percent = 2.0
    min_matched_percent: Percent = 95.0
    protect: Protect = Protect()


_SERVERS: Final = ("postgresql+psycopg://", "postgresql://", "postgres://")


class State(_Section):
    """`[state]`: the database."""

    url: str = "sqlite:///state/reconcile.db"
    keep_days: Days = 90

    @field_validator("url")
    @classmethod
    def _is_a_database(cls, url: str) -> str:
        """The rest of the address is looked at where it is used."""
        if not url.startswith(("sqlite:///", *_SERVERS)):
            raise ValueError(
                'must be "sqlite:///" and the path of a file, or'
                ' "postgresql+psycopg://user@host/database"'
            )
        user, query = url.partition("://")[2].rpartition("@")[0], url.partition("?")[2]
        if url.startswith(_SERVERS) and (":" in user or "password" in query.lower()):
            raise ValueError(
                "must hold no password: it is taken from PGPASSWORD, PGPASSFILE or ~/.pgpass"
            )
        return url


class Report(_Section):
    """`[report]`: where reports go."""

    directory: str = Field(default="reports", min_length=1)
    keep_days: Days = 90
    mask: bool = False


class Schedule(_Section):
    """`[schedule]`: when `reconcile schedule` runs."""

    cron: str = "30 2 * * *"
    timezone: str = "Europe/Berlin"

    @field_validator("cron")
    @classmethod
    def _has_five_fields(cls, cron: str) -> str:
        if len(cron.split()) != 5:  # noqa: PLR2004 - minute, hour, day, month, weekday
            raise ValueError("must have five fields: minute hour day month weekday")
        return cron

    @field_validator("timezone")
    @classmethod
    def _is_a_timezone(cls, timezone: str) -> str:
        try:
            ZoneInfo(timezone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError('must be a time zone such as "Europe/Berlin"') from error
        return timezone


class Log(_Section):
    """`[log]`: a log of runs, for machines that collect logs."""

    file: str = ""
    format: Literal["text", "json"] = "text"


class Notify(_Section):
    """`[notify]`: who is told."""

    healthcheck_url: str = ""
    urls: list[str] = []
    urls_env: Variable = ""
    urls_file: str = ""
    timeout_seconds: float = Field(default=30, gt=0, le=600)
    digest: Literal[
        "", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"
    ] = "monday"
    metrics_file: str = ""

    @field_validator("healthcheck_url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        if url and not url.startswith(("https://", "http://")):
            raise ValueError("must begin with https:// or http://")
        return url

    @field_validator("urls")
    @classmethod
    def _hold_no_secret(cls, urls: list[str]) -> list[str]:
        """Most receivers' addresses are secrets themselves; these schemas need hold none."""
        for number, url in enumerate(urls, 1):
            if not _is_public(url):
                raise ValueError(
                    f"number {number} may hold a password or a token: only mailto://, json://,"
                    " xml:// and form:// (or with s: jsons://) without any stand here; put it into"
                    " the variable that notify.urls_env names, or into notify.urls_file"
                )
        return urls

    @field_validator("metrics_file")
    @classmethod
    def _is_collected(cls, name: str) -> str:
        if name and not name.endswith(".prom"):
            raise ValueError("must end in .prom, or node_exporter doesn't read it")
        return name

    @model_validator(mode="after")
    def _names_one_place(self) -> Self:
        if self.urls_env and self.urls_file:
            raise ValueError("takes one of urls_env and urls_file")
        return self


_PUBLIC: Final = re.compile(
    r"(?:mailtos?://(?:[^:/?#@]*@)?|(?:json|xml|form)s?://)"
    r"(?:[^:/?#@\[]*|\[[0-9a-f:]+\])(?::\d+)?(?:[/?#]|$)",
    re.IGNORECASE,
)
"""A host with its port, and for mail a user: behind any other colon a password may stand, whatever
characters it holds."""
_SECRETIVE: Final = re.compile(r"pass|pwd|token|secret|key|auth|cookie|sig", re.IGNORECASE)


def _is_public(url: str) -> bool:
    """Whether nothing in an address of messages looks like a secret."""
    public = _PUBLIC.match(url)
    try:
        query = urlsplit(url).query
    except ValueError:
        return False
    names = (unquote_plus(pair.partition("=")[0]) for pair in query.split("&"))
    return bool(public) and not any(map(_SECRETIVE.search, names))


class Document(_Section):
    """The whole file."""

    mode: Mode = Field(strict=False)
    crm: Crm
    pbx: Pbx
    policy: Policy = Policy()
    state: State = State()
    report: Report = Report()
    schedule: Schedule = Schedule()
    notify: Notify = Notify()
    log: Log = Log()


class Config(Document):
    """A validated configuration, and the folder that its relative paths start from."""

    base: Path
    jobs: Path | None = None
    """The folder of jobs that it is one of."""

    def rules(self, protections: Iterable[ProtectionRecord] = (), *, immediate: bool) -> Rules:
        """What the decision table needs; `protections` are those that the state keeps."""
        kept = ((record.kind, record.value) for record in protections)
        return Rules(
            contact_types=frozenset(self.pbx.contact_types),
            protection=Protection.of_entries(
                (*self.policy.protect.entries(), *kept), self.crm.region
            ),
            owner_tag=self.policy.owner_tag,
            grace_exports=self.policy.grace_exports,
            grace_hours=self.policy.grace_hours,
            region=self.crm.region,
            outside_prefix=self.pbx.outside_prefix,
            immediate=immediate,
        )

    def limits(self) -> Limits:
        """What the guards need."""
        policy = self.policy
        return Limits(
            max_deletes=policy.max_deletes,
            max_delete_percent=policy.max_delete_percent,
            max_weekly_percent=policy.max_weekly_percent,
            max_shrink_percent=policy.max_shrink_percent,
            min_matched_percent=policy.min_matched_percent,
        )

    def allowed(self) -> str:
        """All that lets more or fewer contacts be deleted, for `core.policy` to compare."""
        numbers = self.policy.model_dump(exclude={"protect"})
        more = {
            "delete_guard": self.pbx.delete_guard.value,
            "manifest": self.crm.manifest,
            "sentinels": sorted(self.crm.sentinels),
        }
        return policy.written(numbers | more)

    def client_secret(self, environ: Mapping[str, str]) -> str:
        """The client secret of 3CX, from where the configuration names.

        Raises ConfigError if neither place, or both, are named, or if the place is empty.
        """
        env, file = self.pbx.client_secret_env, self.pbx.client_secret_file
        named = _Secret("The client secret of the 3CX API", "pbx.client_secret", env, file)
        if bool(env) == bool(file):
            what = f"name one of {named.key}_env and {named.key}_file"
            raise named.missing(what, hint="edit the configuration, then: reconcile doctor")
        return named.read(environ, self.base)

    def source_secret(self, environ: Mapping[str, str]) -> str:
        """What the export is asked for with; "" if no place for it is named.

        Raises ConfigError if the place is empty.
        """
        env, file = self.crm.secret_env, self.crm.secret_file
        named = _Secret("The secret of the CRM export", "crm.secret", env, file)
        return named.read(environ, self.base) if env or file else ""

    def source_location(self, environ: Mapping[str, str]) -> str:
        """`crm.source`, or the address in the variable that `crm.source_env` names.

        Raises ConfigError if there is none, or none that can be fetched.
        """
        name = self.crm.source_env
        if not name:
            return self.crm.source
        named = _Secret("The address of the CRM export", "crm.source", name, "")
        address = named.read(environ, self.base)
        if not locations.is_web(address):
            raise named.missing(
                f"{name} holds no https:// address", hint=f"export {name}=https://…"
            )
        if fault := locations.source_fault(address, signed=True):
            raise named.missing(f"the address in {name} {fault}", hint=f"export {name}=https://…")
        return address

    def receivers(self, environ: Mapping[str, str]) -> tuple[str, ...]:
        """The addresses that messages go to, wherever they stand.

        Raises ConfigError if the variable or the file that is named for them is empty.
        """
        env, file = self.notify.urls_env, self.notify.urls_file
        named = _Secret("The address of a receiver", "notify.urls", env, file)
        hidden = named.read(environ, self.base).split() if env or file else []
        for url in hidden:
            secrecy.keep(url)
        return (*self.notify.urls, *hidden)

    def said(self) -> dict[str, Any]:
        """The document again, as it was read, with what the defaults said."""
        return self.model_dump(mode="json", exclude_unset=True, exclude={"base", "jobs"})

    def variables(self) -> frozenset[str]:
        """The environment variables that it names as places of secrets."""
        crm, pbx, notify = self.crm, self.pbx, self.notify
        named = (crm.source_env, crm.secret_env, pbx.client_secret_env, notify.urls_env)
        return frozenset(filter(None, named))

    def path(self, name: str) -> Path:
        """A path of the configuration, relative to the configuration's own folder.

        Raises ConfigError for the home of a user whom this machine doesn't know.
        """
        try:
            return self.base / Path(name).expanduser()
        except RuntimeError as error:
            raise ConfigError(
                f"{name} can't be found: this machine knows no such user.",
                hint="edit the configuration, then: reconcile doctor",
            ) from error


class _Secret(NamedTuple):
    """Where a secret is: an environment variable, or a file that only its owner can read."""

    what: str
    key: str
    """The configuration's key for it, without _env and _file."""
    env: str
    file: str

    def read(self, environ: Mapping[str, str], base: Path) -> str:
        """The secret; raises ConfigError if there is none, or if others can read the file."""
        secret = environ.get(self.env, "") if self.env else self._in_file(base)
        if not secret.strip():
            place = f"the environment variable {self.env}" if self.env else f"the file {self.file}"
            mend = f"export {self.env}=…" if self.env else f"put the secret into {self.file}"
            raise self.missing(f"{place} is missing or empty", hint=mend)
        return secret.strip()

    def _in_file(self, base: Path) -> str:
        path = base / Path(self.file).expanduser()
        try:
            mode = path.stat().st_mode
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            return ""
        if stat.S_IMODE(mode) & 0o077:
            mend = f"chmod 600 {path.name}"
            raise self.missing(f"{path.name} can be read by others; {mend}", hint=mend)
        return text

    def missing(self, what: str, *, hint: str) -> ConfigError:
        """The error that says why it can't be had."""
        problem = Problem(code="config", message=what)
        return ConfigError(f"{self.what} is not available.", problems=[problem], hint=hint)


def load(path: Path) -> Config:
    """Read and validate config.toml, or a job; raises ConfigError with every problem in it."""
    if path.name == DEFAULTS:
        raise ConfigError(
            f"{path} is what the jobs beside it have in common, and no job itself.",
            hint=f"name one of them: reconcile --config {path.with_name('NAME.toml')} doctor",
        )
    return validate(_read(path), path)


def _read(path: Path) -> dict[str, Any]:
    """A TOML file as it stands; raises ConfigError."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"There is no configuration at {path}.", hint="reconcile init") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} can't be read: {error}.", hint="reconcile init") from error
    except tomllib.TOMLDecodeError as error:
        problem = Problem(code="config", message=str(error), file=path.name)
        raise ConfigError(
            f"{path} is not valid TOML.", problems=[problem], hint=f"edit {path}"
        ) from error


class HowRead(TypedDict):
    """What `[crm]` says of how an export is read, in the words of `crm.describe`."""

    mapping: dict[str, str]
    inactive: Literal["keep", "gone"]
    manifest: Literal["auto", "required", "ignore"]
    format: str


def how_read(path: Path, *, format: str | None = None) -> HowRead:  # noqa: A002 - the key's name
    """As the configuration says, or with the defaults if there is none yet; `format` goes first."""
    if not path.exists():
        return HowRead(mapping={}, inactive="keep", manifest="auto", format=format or "auto")
    crm = load(path).crm
    return HowRead(
        mapping=dict(crm.columns),
        inactive=crm.inactive,
        manifest=crm.manifest,
        format=format or crm.format,
    )


def validate(document: dict[str, Any], path: Path) -> Config:
    """Validate a document that was read from `path`, over the defaults if it is a job.

    The folder of a job is made, 0700, unless it is there.
    """
    shared = path.with_name(DEFAULTS)
    defaults = _read(shared) if shared.exists() else None
    merged = document if defaults is None else _over(defaults, document)
    found = _inconsistencies(merged)
    try:
        checked = Document.model_validate(merged)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
        found = [*((_dotted(e["loc"]), _words(e)) for e in errors), *found]
    if found:
        problems = [
            Problem(
                code="config",
                file=DEFAULTS if _stands_in_defaults(where, document, defaults) else path.name,
                column=where,
                message=words,
            )
            for where, words in found
        ]
        raise _impossible(problems, path)
    if defaults is None:
        return Config(base=path.resolve().parent, **dict(checked))
    folder = path.parent.resolve()
    return Config(base=_own_folder(folder / path.stem), jobs=folder, **dict(checked))


def _over(defaults: Mapping[str, Any], job: Mapping[str, Any]) -> dict[str, Any]:
    """The job's document laid over the defaults, table by table; a list replaces a list.

    But those of `protect` add up: what is protected for all must not be lost by protecting more.
    """
    merged = dict(defaults)
    for key, value in job.items():
        below = defaults.get(key)
        if not (isinstance(value, dict) and isinstance(below, dict)):
            merged[key] = value
        else:
            merged[key] = _added(below, value) if key == "protect" else _over(below, value)
    return merged


def _added(lists: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Both, where both are lists; what is none is the job's, for the validation to refuse."""
    both = {
        key: [*lists[key], *value]
        for key, value in more.items()
        if isinstance(value, list) and isinstance(lists.get(key), list)
    }
    return {**lists, **more, **both}


def _own_folder(folder: Path) -> Path:
    """Where a job's relative paths start."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"The folder {folder} of this job can't be made: {error.strerror or error}.",
            hint=f"let this user make folders in {folder.parent}",
        ) from error
    return folder


def _stands_in_defaults(
    where: str, document: Mapping[str, Any], defaults: Mapping[str, Any] | None
) -> bool:
    """Whether a problem is to be mended there; what stands nowhere is missing in the job."""
    return defaults is not None and not _holds(document, where) and _holds(defaults, where)


def _holds(document: Any, where: str) -> bool:  # noqa: ANN401 - whatever TOML holds
    """Whether the key, or a list that it is in, stands in the document."""
    for key in where.split("."):
        if not isinstance(document, dict):
            return True
        if key not in document:
            return False
        document = document[key]
    return True


def _inconsistencies(document: dict[str, Any]) -> list[tuple[str, str]]:
    crm = document.get("crm")
    if not isinstance(crm, dict):
        return []
    return [(f"crm.{key}", words) for key, words in locations.faults(crm)]


def _impossible(problems: Sequence[Problem], path: Path) -> ConfigError:
    return ConfigError(
        f"{path} has {len(problems)} problem{'s' if len(problems) > 1 else ''}.",
        problems=problems,
        hint=f"edit {path}, then: reconcile doctor",
    )


def _dotted(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location)


_TYPES: Final = {
    "missing": "is required and has no default",
    "extra_forbidden": "is not a key of the configuration",
    "string_type": "must be a text in quotes",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "list_type": "must be a list in brackets",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "string_too_short": "must not be empty",
    "string_pattern_mismatch": "must be up to four digits",
}


def _words(error: ErrorDetails) -> str:
    """One problem in words; the value itself is never repeated, it may be a secret."""
    if known := _TYPES.get(error["type"]):
        return known
    return error["msg"].removeprefix("Value error, ").removeprefix("Input ")
