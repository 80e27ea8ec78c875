"""An exception in words."""

import socket
from pathlib import Path

import pytest

from chassis.error_reason import reason


def test_a_system_error_has_neither_its_number_nor_its_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"\[Errno 2\].*missing") as raised:
        (tmp_path / "missing").read_bytes()
    assert reason(raised.value) == "No such file or directory"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(13, "Permission denied", "/etc/shadow"), "Permission denied"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "Name or service not known"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), "not UTF-8"),
        (OSError("the file is too big"), "the file is too big"),
        (ValueError("no JSON"), "no JSON"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_other_errors_say_what_they_have(error: Exception, said: str) -> None:
    assert reason(error) == said
