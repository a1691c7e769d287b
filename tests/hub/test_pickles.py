"""What is a pickle and what is none, by content; files that are published are never taken for one."""

import pickle
import struct

import pytest
import torch
from safetensors.torch import save_file

from modeling_empathy.hub.pickles import is_pickle


class Runs:
    """What calls something when it is unpickled."""

    def __reduce__(self):
        return print, ("run",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("value", [{"weights": 1}, [1.5, "a", None], Runs()])
def test_pickles_of_every_protocol_are_known_by_their_content(tmp_path, protocol, value):
    path = tmp_path / "data.json"
    path.write_bytes(pickle.dumps(value, protocol=protocol))
    assert is_pickle(path)
    path.write_bytes(path.read_bytes() + b"behind its end")
    assert is_pickle(path)


@pytest.mark.parametrize(
    "text",
    [
        "id,seeker_post,response_post\n1,I feel alone.,Why?\n",
        "import os\nimport sys\n\nprint(1)\n",
        "# Title\n\nText.\n",
        '{"a": [1, 2]}',
        "[1, 2]\n",
        "I am here.\nNobody is.\n",
        "Very well\nso\n",
        "",
    ],
)
def test_texts_are_none(tmp_path, text):
    (tmp_path / "file").write_text(text)
    assert not is_pickle(tmp_path / "file")


def test_weights_are_none_whatever_byte_they_begin_with(tmp_path):
    path = tmp_path / "model.safetensors"
    save_file({"weights": torch.rand(600_000)}, path)
    content = path.read_bytes()
    assert len(content) > 2**20 and not is_pickle(path)
    (size,) = struct.unpack_from("<Q", content)
    header = content[8 : 8 + size]
    # The header may be padded with spaces, and its length is what a file begins with.
    for first in range(256):
        padded = header + b" " * ((first - size) % 256)
        path.write_bytes(struct.pack("<Q", len(padded)) + padded + content[8 + size :])
        # Not those two bytes, a protocol and its number, by which a pickle is known: no header is that short.
        assert path.read_bytes()[0] == first and not is_pickle(path), first
