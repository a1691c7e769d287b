"""Unpacks zstd: any number of frames, windows up to 2 GB, and an error where the file ends too early."""

from __future__ import annotations

import io
from typing import BinaryIO

from ..errors import InputError


try:
    import zstandard
except ImportError:
    zstandard = None  # type: ignore[assignment]

ZSTD_ERRORS: tuple[type[Exception], ...] = () if zstandard is None else (zstandard.ZstdError,)
# Public dumps are packed with `zstd --long=31`.
_LARGEST_WINDOW = 2**31
# Packed bytes that are unpacked at once. As few, because what they become is held in memory: of a file that was made
# to harm, 30 thousand times as much.
_BYTES_AT_ONCE = 2**11


def open_zstd(file: BinaryIO) -> ZstdStream:
    """The unpacked bytes of an open file.

    Raises:
        InputError: If the package zstandard is not installed.
    """
    if zstandard is None:
        raise InputError("Files that zstd packed are read with the package zstandard: pip install zstandard.")
    return ZstdStream(file)


class ZstdStream(io.RawIOBase):
    """The unpacked bytes of a file of zstd frames.

    zstandard's own reader ends in silence where a file was cut short, and unpacks the first frame alone.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._unpacked = file, memoryview(b"")
        self._frame = self._new_frame()
        self._is_in_frame = False

    @staticmethod
    def _new_frame() -> zstandard.ZstdDecompressionObj:
        return zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW).decompressobj()

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fills a buffer, as far as there is something.

        Raises:
            EOFError: If the last frame is not whole.
            ZstdError: If the file is damaged, or none of zstd.
        """
        while not self._unpacked:
            packed = self._frame.unused_data if self._frame.eof else b""
            if self._frame.eof:
                self._frame, self._is_in_frame = self._new_frame(), False
            packed = packed or self._file.read(_BYTES_AT_ONCE)
            if not packed:
                if self._is_in_frame:
                    raise EOFError("the last frame is not whole")
                return 0
            self._is_in_frame = True
            self._unpacked = memoryview(self._frame.decompress(packed))
        count = min(len(buffer), len(self._unpacked))
        buffer[:count] = self._unpacked[:count]
        self._unpacked = self._unpacked[count:]
        return count
