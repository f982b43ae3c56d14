"""The domain: what is read, judged, planned and done. Frozen values; imports nothing of ours.

Words are those of the design and have no synonyms. Times are aware and in UTC. Text is never None:
3CX uses null, "" and "absent" for the same thing, so an empty value is always "".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime  # noqa: TC003 - pydantic reads what a slot's run is made of
from enum import IntEnum, StrEnum
from functools import cached_property
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, ClassVar, Final, overload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import pandas as pd
    import pyarrow as pa

NUMBER_FIELDS: Final = (
    "PhoneNumber",
    "Mobile2",
    "Home",
    "Business",
    "Business2",
    "Other",
    "Pager",
)
"""The properties of Pbx.Contact that hold a number; BusinessFax is read, but never matched on."""


class Exit(IntEnum):
    """The exit codes of section 7 of the design."""

    CONVERGED = 0
    BUG = 1
    USAGE = 2
    EXPORT = 3
    APPROVAL = 4
    PARTIAL = 5
    PBX = 6
    LOCKED = 7
    STATE = 8
    WAITING = 10
    INTERRUPTED = 130
    TERMINATED = 143


class Mode(StrEnum):
    """Whether a run may apply its own plan."""

    REVIEW = "review"
    AUTO = "auto"


class Verdict(StrEnum):
    """What the plan says of one contact."""

    OUT_OF_SCOPE = "out_of_scope"
    MATCHED = "matched"
    REVIEW = "review"
    PROTECTED = "protected"
    UNMANAGED = "unmanaged"
    WAITING = "waiting"
    DELETE = "delete"


class Level(StrEnum):
    """What a finding asks for."""

    INFO = "info"
    APPROVE = "approve"
    BLOCK = "block"


class Subject(StrEnum):
    """What a finding is about; only doubts about the first three keep an export from counting."""

    EXPORT = "export"
    PBX = "pbx"
    STATE = "state"
    DELETES = "deletes"


class Status(StrEnum):
    """How a run ended, in one word."""

    CLEAN = "clean"
    WAITING = "waiting"
    NEEDS_APPROVAL = "needs_approval"
    BLOCKED = "blocked"
    APPLIED = "applied"
    PARTIAL = "partial"
    INTERRUPTED = "interrupted"


class Outcome(StrEnum):
    """What became of one planned delete."""

    DELETED = "deleted"
    ALREADY_GONE = "already_gone"
    CHANGED = "changed"
    REFUSED = "refused"
    UNCONFIRMED = "unconfirmed"
    NOT_ATTEMPTED = "not_attempted"


class DeleteGuard(StrEnum):
    """Which precondition a delete must carry (config `pbx.delete_guard`)."""

    ETAG = "etag"
    COMPARE = "compare"


class EtagKind(StrEnum):
    """What kind of ETag the PBX issues for contacts."""

    NONE = "none"
    WEAK = "weak"
    STRONG = "strong"


class IfMatch(StrEnum):
    """What the PBX does with a stale If-Match, as the probe proved it."""

    ENFORCED = "enforced"
    IGNORED = "ignored"
    UNPROVEN = "unproven"


class Acceptance(StrEnum):
    """Whether the PBX does a DELETE that is made in a certain way, as the probe proved it."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNPROVEN = "unproven"


class Strength(IntEnum):
    """How far a proof goes: a strong one keeps a contact, a weak one asks for a person."""

    WEAK = 1
    STRONG = 2


class ClaimOrigin(StrEnum):
    """How a claim came to be."""

    MATCH = "match"
    ADOPT = "adopt"
    TAG = "tag"


# ---------------------------------------------------------------------------- the PBX side


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """One 3CX contact: every property with a value, as text, under its OData name."""

    id: int
    fields: Mapping[str, str]
    """Property name → text; empty ones left out; without Id and without OData annotations."""
    etag: str = ""
    """The tag exactly as the server issued it, or "" if it issued none."""

    def field(self, name: str) -> str:
        """The text of one property; "" if it has no value."""
        return self.fields.get(name, "")

    @property
    def name(self) -> str:
        """First and last name as one text."""
        return " ".join(filter(None, (self.field("FirstName"), self.field("LastName"))))

    @property
    def label(self) -> str:
        """What a person calls this contact: its name, or its company, or its Id."""
        return self.name or self.field("CompanyName") or f"contact {self.id}"

    @property
    def numbers(self) -> tuple[str, ...]:
        """The numbers as stored, in the order of `NUMBER_FIELDS`, without the fax."""
        return tuple(self.fields[name] for name in NUMBER_FIELDS if name in self.fields)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the whole content; the ETag and the Id are no part of it."""
        return fingerprint(self.fields.items())


def fingerprint(fields: Iterable[tuple[str, str]]) -> str:
    """SHA-256 over the (property, text) pairs that have a value, in the order of their names."""
    pairs = sorted(filter(itemgetter(1), fields))
    text = "\x1e".join(map("\x1f".join, pairs))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, kw_only=True)
class PbxSnapshot:
    """A *complete* read of the PBX's contacts, by column.

    Only `pbx.client` builds one, and only when the ids are unique and proved to be all: by the
    server's counts before and after, or by two readings that agree. All sequences have one entry
    per contact, in ascending order of Id.
    """

    url: str
    version: str
    """As in the header X-3CX-Version; "" if the server didn't say."""
    read_at: datetime
    ids: Sequence[int]
    etags: Sequence[str]
    columns: Mapping[str, Sequence[str]]
    """Property name → one text per contact."""
    single_etag: str = ""
    """The ETag of one contact read by itself, where the listing shows none: it may be a header."""

    def __len__(self) -> int:
        return len(self.ids)

    def column(self, name: str) -> Sequence[str]:
        """One property of every contact; all "" if no contact has it."""
        return self.columns.get(name) or ("",) * len(self.ids)

    @cached_property
    def texts(self) -> Mapping[str, pa.Array]:
        """The columns as Arrow has them, made once: every step of a run looks at them."""
        import pyarrow as pa

        return {name: pa.array(texts, pa.large_string()) for name, texts in self.columns.items()}

    def text(self, name: str) -> pa.Array:
        """What `column` gives, as Arrow has it."""
        import pyarrow as pa

        found = self.texts.get(name)
        return pa.array(self.column(name), pa.large_string()) if found is None else found

    @property
    def names(self) -> Sequence[str]:
        """What `Contact.name` is of every contact."""
        pairs = zip(self.column("FirstName"), self.column("LastName"), strict=True)
        return [f"{first} {last}" if first and last else first or last for first, last in pairs]

    @cached_property
    def fingerprints(self) -> Sequence[str]:
        """What `Contact.fingerprint` is of every contact."""
        import pyarrow as pa
        import pyarrow.compute as pc

        none, between, within = (pa.scalar(c, pa.large_string()) for c in (None, "\x1e", "\x1f"))
        # Arrow leaves out a row of which every part is null, so each begins with one that is not.
        pairs = [pa.array([""] * len(self), pa.large_string())]
        for name, text in sorted(self.texts.items()):
            pair = pc.binary_join_element_wise(pa.scalar(name, pa.large_string()), text, within)
            pairs.append(pc.if_else(pc.equal(text, ""), none, pair))
        content = pc.binary_join_element_wise(*pairs, between, null_handling="skip")
        texts = content.cast(pa.large_binary()).to_pylist()
        return [hashlib.sha256(text[1:]).hexdigest() for text in texts]

    def contact(self, position: int) -> Contact:
        """The contact at a position of the listing."""
        return Contact(
            id=self.ids[position],
            fields={n: values[position] for n, values in self.columns.items() if values[position]},
            etag=self.etags[position],
        )

    @property
    def etag_kind(self) -> EtagKind:
        """What was seen of ETags: strong only if every tag is, none only if none is."""
        tags = (*self.etags, self.single_etag)
        if not any(tags):
            return EtagKind.NONE
        weak = any(tag.startswith("W/") for tag in tags)
        return EtagKind.WEAK if weak else EtagKind.STRONG


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What was proved about one PBX of one version, on a contact of our own."""

    pbx_url: str
    pbx_version: str
    probed_at: datetime
    etags: EtagKind
    etags_in: str = ""
    """Where they are issued, of `list`, `entity` (in the body) and `header`: `list, entity`."""
    if_match: IfMatch
    """What a stale ETag does; `enforced` only if the right one was accepted, too."""
    right_etag: Acceptance = Acceptance.UNPROVEN
    """A DELETE with the contact's own, fresh ETag."""
    without_etag: Acceptance = Acceptance.UNPROVEN
    """A DELETE without If-Match; `refused` is what 428 means."""
    paging: str = ""
    """How the listing is read: by `skip` or by `key`; "" if it was not."""
    page_cap: int = 0
    """Contacts that a page has at most; 0 if no limit was met."""
    missing: str = ""
    """What the PBX answers for an Id that is not there: `404, empty`; "" if it wasn't seen."""
    detail: str = ""
    """The verdict in a sentence, and what could not be proved, and why."""


# ---------------------------------------------------------------------------- the CRM side


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportColumn:
    """How one column of the export is read."""

    header: str
    reads_as: str
    """A canonical name (`id`, `first_name`, `phone`, …) or "" when the column is ignored."""
    why: str = ""
    """`synonym`, `config`, or the reason for ignoring it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSource:
    """The evidence of one export: where it came from and what it is."""

    name: str
    """The file's name without its folder."""
    format: str
    """The format's name with its details, such as `csv; delimiter ","`."""
    encoding: str
    sha256: str
    """Of the bytes, as they came."""
    content: str
    """SHA-256 of headers and cells: the same evidence, however it is packed or saved anew."""
    size: int
    generated_at: datetime
    rows: int
    """Data rows in the file, the header not counted."""
    columns: tuple[ExportColumn, ...] = ()
    rejected: int = 0
    gone: int = 0
    """Records that are in the file but flagged deleted, archived or merged away."""
    numbers: int = 0
    """Cells with a phone number."""
    lossy: int = 0
    """Of them those in scientific notation, whose last digits are lost (`4.91512E+11`)."""
    manifest: str = ""
    """What a manifest or trailer proved: `rows`, `sha256`, or both with a space between."""

    @property
    def records(self) -> int:
        """Rows that became records."""
        return self.rows - self.rejected


@dataclass(frozen=True, slots=True, kw_only=True)
class CrmSnapshot:
    """A *complete* read of the export. Only `crm.read` builds one.

    `records` is a frame of text, one row per record, never None or NaN, with the columns `row`
    (int, the line of the file where the record starts), `part` (the file's name if the export has
    several, else ""), `id`, `first_name`, `last_name`, `full_name`, `company`, `country`,
    `company_country` (of the company, for a record without its own), `merged_into` (all of them
    always there, "" where the export has no such column), `gone` (bool), and one column for each
    multiple one, named `phone:HEADER`, `shared_phone:HEADER` (a company's main number),
    `email:HEADER`.
    """

    source: ExportSource
    records: pd.DataFrame
    text: str = ""
    """The decoded text of the whole export, for the veto."""


# ---------------------------------------------------------------------------- the ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Our proof that a 3CX contact came from the CRM, and since when it is absent there."""

    contact_id: int
    crm_id: str
    """The CRM record it last matched; "" if the export has no ids, or it was adopted."""
    name: str
    """The contact's own name when last seen, to notice that an Id was given to somebody else."""
    fingerprint: str
    """Of the contact when last seen matched, adopted, or found edited."""
    origin: ClaimOrigin = ClaimOrigin.MATCH
    claimed_by: str = ""
    first_absent: datetime | None = None
    """Since when it has not matched; the hours of grace count only while `absent_exports` does."""
    absent_exports: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Claims(Sequence[Claim]):
    """Many claims as rows; one is made where it is asked for, as there may be a million."""

    rows: Sequence[tuple[Any, ...]]
    """The values of each, in the order of the fields of `Claim`."""

    NAMES: ClassVar = tuple(each.name for each in fields(Claim))
    row: ClassVar = attrgetter(*NAMES)
    """The row that a claim is."""

    @classmethod
    def value(cls, name: str) -> Callable[[Any], Any]:
        """What takes the value of a field out of a row."""
        return itemgetter(cls.NAMES.index(name))

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Claim: ...
    @overload
    def __getitem__(self, index: slice) -> Claims: ...
    def __getitem__(self, index: int | slice) -> Claim | Claims:
        if isinstance(index, slice):
            return Claims(self.rows[index])
        return Claim(**dict(zip(self.NAMES, self.rows[index], strict=True)))

    def __eq__(self, other: object) -> bool:
        """As any sequence of the same claims."""
        return isinstance(other, Sequence) and [*self] == [*other]

    __hash__ = None  # type: ignore[assignment] # what equals a list of its rows has none


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedExport:
    """An export that counted as evidence, with what later ones are compared with."""

    run_id: int
    sha256: str
    """Of its content, as in `ExportSource.content`."""
    name: str
    generated_at: datetime
    accepted_at: datetime
    records: int
    fill: Mapping[str, float]
    """Canonical column → share of records that have a value, 0 to 1."""
    rules: str
    """Fingerprint of what decides a match: configuration, column mapping, matcher version."""
    history: bool = False
    """An older export fed by hand: it made claims and nothing else."""
    vetoes: int = 0
    """Contacts that the veto kept; only more of them are news."""
    manifest: str = ""
    """As in `ExportSource.manifest`."""
    policy: str = ""
    """The policy that was accepted with it, as `core.policy` writes it; "" if it isn't known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One line of the journal: a delete that was intended, and what became of it."""

    id: int
    run_id: int
    contact_id: int
    tombstone_id: int
    guard: DeleteGuard
    intended_at: datetime
    fingerprint: str
    outcome: Outcome | None = None
    """None: the intent stands alone; the run that wrote it died before it knew."""
    detail: str = ""
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """A whole contact as it was, kept before its DELETE left, so that it can be put back."""

    id: int
    run_id: int
    contact_id: int
    entity: Mapping[str, Any]
    """The entity as the server sent it, annotations left out."""
    reason: str
    crm_id: str
    created_at: datetime
    outcome: Outcome | None = None
    restored_as: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One past run, as `history` shows it."""

    id: int
    command: str
    mode: str
    started_at: datetime
    finished_at: datetime | None
    status: Status | None
    exit_code: int | None
    digest: str
    headline: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A moment at which the schedule says that a run is due, and the run that has it."""

    moment: datetime
    run_id: int
    """0 as long as it has no number yet."""
    pid: int
    host: str
    """The process of the run, and its machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotHad:
    """A slot for which a run has come to its end; so no other is due for it."""

    moment: datetime
    run: RunRecord
    pid: int | None
    """None if the run was none for a slot, but one by hand after it."""
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPlan:
    """A plan as it waits for its approval."""

    run_id: int
    digest: str
    created_at: datetime
    canonical: str
    """The canonical JSON whose SHA-256 the digest is."""
    used_by_run: int | None = None


class ProtectionKind(StrEnum):
    """What a protection by hand names."""

    ID = "id"
    TAG = "tag"
    NUMBER = "number"
    NAME = "name"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectionRecord:
    """One protection made by hand."""

    kind: ProtectionKind
    value: str
    created_by: str
    created_at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """Until when nothing is deleted, whatever the plans say."""

    until: datetime
    frozen_by: str
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerView:
    """The frozen read model of the ledger that enters the core."""

    claims: Mapping[int, Claim] = field(default_factory=dict)
    last_accepted: AcceptedExport | None = None
    """The newest that is no history; what shrinking, filling and rules are compared with."""
    newest_generated_at: datetime | None = None
    """Of the last accepted export, or of history that was fed since."""
    contents: Mapping[str, int] = field(default_factory=dict)
    """What exports were accepted, history left out: content → the last run that accepted it."""
    most_records: int = 0
    """Of an accepted export of the last seven days, since a person last approved one."""
    deleted_last_week: int = 0
    unresolved: tuple[Action, ...] = ()
    manifests: frozenset[str] = frozenset()
    """What the manifests of accepted exports have proved so far; asked for ever after."""
    freeze: Freeze | None = None
    protections: tuple[ProtectionRecord, ...] = ()

    def run_with(self, content: str) -> int | None:
        """The last run that accepted exactly this content; None if it is new evidence."""
        if self.last_accepted is not None and self.last_accepted.sha256 == content:
            return self.last_accepted.run_id
        return self.contents.get(content)


# ---------------------------------------------------------------------------- judging


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """One reason to believe that a contact is somebody in the CRM; `core.words` says it."""

    kind: str
    """`claim`, `crm_id`, `email`, `number`, `name_company`, `short` (a number as text), `name`."""
    strength: Strength
    key: str
    crm_id: str
    crm_row: int
    """The line of the export; 0 if the key belongs to several people and to none with this name."""
    crm_part: str = ""
    """The file of that line, if the export has several."""
    crm_name: str
    why: str
    """The end of the sentence: what makes it strong, or what is wrong with it."""
    shared: bool = False
    """Several people carry the key."""
    owns: bool = False
    """Good enough to claim the contact by it: the names agree too, or the same company's do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the match found out about one contact; the input of the decision table."""

    contact_id: int
    proofs: tuple[Proof, ...] = ()
    """The strongest first."""
    has_key: bool = True
    """False if the contact has no number, address, or name with company to compare."""
    unseen: tuple[str, ...] = ()
    """Its numbers and addresses that the reader found nowhere in the export: the veto's task."""
    same_person: bool = True
    """False if the claim's name and the contact's name contradict each other: an Id reused."""

    @property
    def strength(self) -> Strength | None:
        """The best proof's strength, or None without any."""
        return self.proofs[0].strength if self.proofs else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One field in which a matched contact and its CRM record differ."""

    contact_id: int
    crm_id: str
    field: str
    crm: str
    pbx: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingRecord:
    """A CRM record with a number that no contact stands for."""

    crm_id: str
    row: int
    name: str
    company: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """One person with several contacts."""

    crm_id: str
    name: str
    contact_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """The diff: evidence for every contact, in the order of the listing, and the CRM's side."""

    evidence: Sequence[Evidence]
    """`core.evidence` gives it as columns."""
    counts_crm: Mapping[str, int]
    """`read`, `matched`, `missing`, `gone`, `without_number`; the last four add up to the first."""
    missing: Sequence[MissingRecord] = ()
    duplicates: tuple[Duplicate, ...] = ()
    drift: tuple[Drift, ...] = ()
    fill: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The verdict on one contact and why."""

    contact: Contact
    verdict: Verdict
    reason: str
    evidence: Evidence
    crm_id: str = ""
    first_absent: datetime | None = None
    absent_exports: int = 0
    due: datetime | None = None
    """For `waiting`: the earliest moment at which the hours of grace are over."""
    vetoed: str = ""
    """The number or address for which the veto keeps it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a guard says of the whole plan."""

    code: str
    level: Level
    subject: Subject
    observed: str
    limit: str
    message: str
    hint: str
    exit_code: Exit = Exit.APPROVAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What a guard saw, whether or not it is a finding."""

    code: str
    observed: str
    limit: str
    level: Level | None
    """Of the finding; None where the value is within its limit."""


PLAN_SCHEMA: Final = "reconcile-plan/2"
"""Of a plan's canonical JSON; a plan that another version has stored isn't understood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Every contact's verdict, and what makes this plan this one."""

    pbx_url: str
    immediate: bool
    """Made with `--now`: without grace, and only ever applied by its digest."""
    rules: str
    state_id: str
    source_sha256: str
    guard: DeleteGuard
    decisions: tuple[Decision, ...]
    matched: int
    policy: str = ""
    """What the configuration allows, as `core.policy` writes it."""
    doubts: tuple[str, ...] = ()
    """Codes of the findings about the reads that a person approves with this plan, sorted."""

    @property
    def deletes(self) -> tuple[Decision, ...]:
        """What would be deleted, in ascending order of Id."""
        return tuple(d for d in self.decisions if d.verdict is Verdict.DELETE)

    @property
    def counts(self) -> dict[str, int]:
        """Verdict → number of contacts, with their sum as `read`."""
        counts = dict.fromkeys((v.value for v in Verdict), 0)
        for decision in self.decisions:
            counts[decision.verdict.value] += 1
        counts[Verdict.MATCHED.value] += self.matched
        return {"read": sum(counts.values()), **counts}

    @property
    def canonical(self) -> str:
        """Canonical JSON without personal data: the same inputs give the same bytes."""
        deletes = [
            {"id": d.contact.id, "fingerprint": d.contact.fingerprint, "crm_id": d.crm_id}
            for d in self.deletes
        ]
        document = {
            "schema": PLAN_SCHEMA,
            "pbx": self.pbx_url,
            "immediate": self.immediate,
            "rules": self.rules,
            "state": self.state_id,
            "source": self.source_sha256,
            "guard": self.guard,
            "policy": self.policy,
            "doubts": self.doubts,
            "deletes": deletes,
        }
        return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON; approving a plan is naming its digest."""
        return hashlib.sha256(self.canonical.encode("ascii")).hexdigest()


# ---------------------------------------------------------------------------- deleting


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerEtag:
    """Delete only if the server still has the content that it issued this tag for."""

    tag: str

    def __post_init__(self) -> None:
        """Refuse what would switch the guard off: RFC 9110 13.1.1 gives `*` the meaning "any"."""
        if not self.tag.strip() or self.tag.strip() == "*" or not self.tag.isprintable():
            raise ValueError("an ETag must be one that the server issued, never empty and never *")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentMatch:
    """Delete because the re-read moments ago gave exactly the planned content."""

    fingerprint: str


Precondition = ServerEtag | ContentMatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back for one request that changes something."""

    status: int | None
    """The HTTP status, or None when the connection gave no whole answer."""
    detail: str = ""
    """What the body or the failure said, in words, at most a few hundred characters."""
    retry_after: float | None = None
    """Seconds that the server asks to wait, if it asked."""
    not_found: bool = False
    """The server said in so many words that there is no such contact (404, 410, XAPI.NOT_FOUND)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Why a run may not delete now, or not any more."""

    why: str
    exit_code: Exit


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactOutcome:
    """What became of one planned delete, and which guard held."""

    contact_id: int
    outcome: Outcome
    guard: DeleteGuard
    detail: str = ""
