"""The certificate of a simulated PBX, made anew at every start."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Literal

_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "valid": ("127.0.0.1", "localhost"),
    "self_signed": ("127.0.0.1", "localhost"),
    "wrong_name": ("pbx.other.example",),
}
"""The value of the switch `tls` → whom the certificate names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Files in PEM."""

    chain_file: Path | None = None
    """The key, and the chain of certificates; None without tls."""
    ca_file: Path | None = None
    """The authority that a client has to trust; None if there is none that it could."""


@contextmanager
def made(
    tls: Literal["none", "valid", "self_signed", "wrong_name"],
) -> Iterator[Certificate]:
    """The files, in a directory that only this user can read and that goes away.

    The certificate is issued by an authority of its own, whose key is in no file.
    """
    if tls == "none":
        yield Certificate()
        return
    import trustme

    authority = trustme.CA()
    issued = authority.issue_cert(*_NAMES[tls])
    with TemporaryDirectory(prefix="reconcile-sandbox-") as directory:
        chain_file, ca_file = Path(directory, "pbx.pem"), Path(directory, "ca.pem")
        issued.private_key_and_cert_chain_pem.write_to_path(chain_file)
        authority.cert_pem.write_to_path(ca_file)
        yield Certificate(chain_file=chain_file, ca_file=None if tls == "self_signed" else ca_file)
