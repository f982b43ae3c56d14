"""What Python's own modules raise for an archive that is not as it should be."""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from typing import Final

UNPACKABLE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    IndexError,
    RuntimeError,  # NotImplementedError: a method of compression that nobody has
    ValueError,  # offsets that point out of the file
)
