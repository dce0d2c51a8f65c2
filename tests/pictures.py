"""Pictures that nobody looks at: the figures are made, and drawing them is left out."""

import struct
import zlib
from typing import IO, Any

import pytest
from matplotlib.figure import Figure


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


BLANK = b"".join(
    [
        b"\x89PNG\r\n\x1a\n",
        _chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)),
        _chunk(b"IDAT", zlib.compress(b"\x00\xff")),
        _chunk(b"IEND", b""),
    ]
)
"""A picture of one white pixel."""


def leave_blank(patch: pytest.MonkeyPatch) -> None:
    """Until the patch ends, figures are saved as one white pixel.

    Layout and drawing by matplotlib are half of what a run of the chain costs on a small log. The
    code that makes the figures still runs.
    """

    def save(_figure: Figure, target: IO[bytes], *, format: str, **_options: Any) -> None:  # noqa: A002, ANN401 - matplotlib's
        assert format == "png"
        target.write(BLANK)

    patch.setattr(Figure, "savefig", save)
