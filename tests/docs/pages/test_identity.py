"""The commands of docs/identity.md, on a real Keycloak."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from parts.servers import keycloak
from tests.docs.commands import ROOT, boxes
from tests.support.connected import fresh_realm

pytestmark = pytest.mark.connected


def test_the_realm_is_set_up_as_the_page_says(tmp_path: Path) -> None:
    (box,) = boxes("docs/identity.md")
    server = fresh_realm()
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    (tmp_path / "keycloak-admin-password").write_text(server.password)
    own = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "POLYCODE_KEYCLOAK_REALM": server.realm}
    assert "http://127.0.0.1:18480" in box
    script = box.replace("http://127.0.0.1:18480", server.url)
    done = subprocess.run(
        ["sh", "-eu", "-c", script], cwd=tmp_path, env=own, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("clients polycode-shop") == 2
    assert done.stdout.endswith("nothing to change\n")
    assert keycloak.PASSWORD_FILE == "keycloak-admin-password"
