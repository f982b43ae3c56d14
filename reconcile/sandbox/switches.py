"""What is unknown about a real 3CX, as switches; each is looked at in one place of the sandbox.

A switch belongs here only if the public material leaves the behaviour open and a client must live
with every value. What is certain is built in.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final, Literal, get_args, get_type_hints

if TYPE_CHECKING:
    from collections.abc import Mapping

_VERSION: Final = re.compile(r"(?:[0-9]{1,9}(?:\.[0-9]{1,9})*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """The behaviour of one simulated PBX. Raises ValueError for a value that is none of these.

    Those with named values can be enumerated from their type hints: tests generate from them.
    """

    etags: Literal["weak", "strong", "none"] = "weak"
    """Whether ETags are issued, and of which kind."""
    etag_emit: Literal["both", "body", "header"] = "both"
    """Where: `@odata.etag` in list and entity, the header ETag of a single contact, or both."""
    if_match: Literal["enforced", "ignored", "required", "always_412", "malformed"] = "enforced"
    """What a DELETE's If-Match does: a stale one is refused with 412; nothing; as enforced, and 428
    without one; 412 even for the right one; 400 for any."""
    delete_missing: Literal["404_json", "404_empty", "400", "204"] = "404_json"
    """The answer to a DELETE of an Id that is not there; 400 says WARNINGS.XAPI.NOT_FOUND."""
    get_missing: Literal["404_json", "404_empty", "400"] = "404_json"
    """The answer to a GET of an Id that is not there."""
    skip_orderby: Literal["accepted", "refused"] = "accepted"
    """Whether `$skip` and `$orderby` work on contacts, or are answered with 400."""
    top_limit: Literal["100", "50", "none"] = "100"
    """The greatest `$top` that is not answered with 400."""
    page_cap: Literal["none", "40"] = "none"
    """How many contacts a page has at most, whatever `$top` says."""
    default_page: Literal["all", "50", "100"] = "all"
    """How many contacts are sent when there is no `$top`."""
    next_link: Literal["never", "absolute", "relative", "http", "other_host", "cycle"] = "never"
    """What `@odata.nextLink` is in a page after which more follow: `http` names this PBX by an
    inner address, `cycle` the page that it stands in."""
    order: Literal["id", "last_name", "arbitrary", "unstable"] = "id"
    """The order without `$orderby`; `unstable` differs from request to request."""
    count: Literal["right", "absent", "page_size", "empty_value"] = "right"
    """What `$count=true` brings: the count, nothing, the size of the page, or no contacts."""
    null_style: Literal["stored", "null", "omitted", "empty"] = "stored"
    """How a property without a value is written; `stored` keeps null and "" apart."""
    patch_status: Literal["204", "200"] = "204"
    """The answer to a PATCH; 200 with the contact."""
    delete_status: Literal["204", "200"] = "204"
    """The answer to a DELETE; 200 with a body."""
    list_scope: Literal["company", "all"] = "company"
    """Whether the listing also has the contacts of departments and persons."""
    error_body: Literal["odata", "odata_inner", "empty", "text", "html"] = "odata"
    """The form of every error of /xapi/v1: `odata` spells `innererror`, `odata_inner` spells it
    `innerError` and leaves `code` out."""
    token_error: Literal["401", "400", "500"] = "401"  # noqa: S105 - a status
    """The answer to a wrong client; 500 is the answer to every token request."""
    live_tokens: Literal["one", "many"] = "one"
    """Whether a new token ends the one before."""
    expires_in: Literal["seconds", "minutes"] = "seconds"
    """The unit of the token's lifetime: 3600 since 20.0.9, 60 before."""
    throttle: Literal["never", "429", "429_retry_after", "503", "504", "reset"] = "never"
    """What every `throttle_every`-th request to /xapi/v1 is answered with, unexecuted."""
    forbidden: Literal["never", "empty", "json"] = "never"
    """The body of the 403 that /xapi/v1 answers after `forbidden_after` requests."""
    lost_response: Literal["never", "delete"] = "never"
    """Whether a DELETE is executed and its connection dropped before the answer."""
    id_reuse: Literal["never", "reused"] = "never"
    """Whether a new contact gets the lowest Id that a delete has freed."""
    tls: Literal["none", "valid", "self_signed", "wrong_name"] = "none"
    """The certificate; can't change while the server runs."""
    throttle_every: int = 5
    forbidden_after: int = 0
    restart_after: int = 0
    """Requests until the PBX restarts, once; 0 is never."""
    restart_seconds: float = 30.0
    """How long a restarting PBX refuses connections; its live token is lost."""
    blacklist_after: int = 0
    """Rejected token requests until nothing is answered any more; 0 is never."""
    version: str = "20.0.9.995"
    """The header X-3CX-Version, and which bulk action there is; "" leaves the header out."""
    latency: float = 0.0
    """Seconds from the arrival of a request until its answer leaves; it is handled half-way."""

    def __post_init__(self) -> None:
        for name, kind in get_type_hints(type(self)).items():
            allowed = get_args(kind)
            if allowed and getattr(self, name) not in allowed:
                choice = ", ".join(allowed)
                raise ValueError(f"{name} is one of {choice}; not {getattr(self, name)!r}")
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if not least <= value < math.inf:
                raise ValueError(f"{name} is a number, {least} or more; not {value!r}")
        if not _VERSION.fullmatch(self.version):
            raise ValueError(f"version is made of numbers and dots; not {self.version!r}")

    @classmethod
    def profile(cls, name: str) -> Switches:
        """The switches of a kind of PBX. Raises ValueError for an unknown one."""
        if name not in PROFILES:
            raise ValueError(f"there is no profile {name}; there are {', '.join(PROFILES)}")
        return PROFILES[name]

    @classmethod
    def parse(cls, values: Mapping[str, object]) -> Switches:
        """Read switches from JSON or a command line. Raises ValueError; unknown names too."""
        return cls().turned(values)

    def turned(self, values: Mapping[str, object]) -> Switches:
        """These switches, some of them changed. Raises ValueError as `parse` does."""
        known = {field.name for field in fields(self)}
        if unknown := sorted(set(values) - known):
            raise ValueError(
                f"there is no switch {', '.join(unknown)}; there are {', '.join(sorted(known))}"
            )
        return replace(self, **{name: _value(name, value) for name, value in values.items()})


def _value(name: str, value: object) -> Any:  # noqa: ANN401 - text, or the number it stands for
    kind = {"int": int, "float": float}.get(Switches.__annotations__[name], str)
    try:
        return kind(str(value))
    except ValueError:
        raise ValueError(f"{name} is a number; not {value!r}") from None


_LEAST: Final = {
    "throttle_every": 2,
    "forbidden_after": 0,
    "restart_after": 0,
    "restart_seconds": 0.0,
    "blacklist_after": 0,
    "latency": 0.0,
}

PROFILES: Final[Mapping[str, Switches]] = {
    "20.0.8": Switches(
        version="20.0.8.1109", expires_in="minutes", etags="none", if_match="ignored"
    ),
    "20.0.9+": Switches(version="20.0.9.995", etags="none", if_match="ignored"),
    "ideal": Switches(version="20.0.10.100", etags="strong"),
}
"""`20.0.9+` is the most likely real one: no ETags, and If-Match is not looked at."""
