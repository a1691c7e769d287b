"""The smallest PNG pictures, with what may be in one beside its pixels."""

import struct
import zlib


def png(*further: tuple[bytes, bytes], behind: bytes = b"") -> bytes:
    """One black pixel.

    Args:
        *further: Kind and content of chunks before the pixel.
        behind: What follows the end.
    """
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)),
        *further,
        (b"IDAT", zlib.compress(b"\0\0")),
        (b"IEND", b""),
    ]
    parts = (
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + behind
