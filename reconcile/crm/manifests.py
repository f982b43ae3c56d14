"""What came with an export and says what it is: its SHA-256, and how many records it has.

A manifest is a file beside the export, a trailer its last line. Both are promises of whoever wrote
the export, so what they say must hold of the bytes that were read; `docs/sources.md` lists the
forms. Nothing that a manifest names is ever opened.
"""

from __future__ import annotations

from typing import Literal

Asked = Literal["auto", "required", "ignore"]
"""What `crm.manifest` may say: check what is there, refuse what has none, or look at none."""
