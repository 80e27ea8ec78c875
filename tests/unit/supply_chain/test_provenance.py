"""The statement about a wheel: in-toto's and SLSA's shape, digests that hold, and the signature."""

import base64
import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from images.build import GATEWAY, IMAGES
from images.provenance import recipe
from supply_chain import provenance
from supply_chain.locks import LOCKS, ROOT
from supply_chain.provenance import ProvenanceFailed

WHEEL = "strangler_gateway-0.1.0-py3-none-any.whl"


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with one commit."""
    (tmp_path / "deploy").mkdir()
    for name in (*provenance.OF_WHEEL, ".gitignore"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "a commit"]):
        subprocess.run([*git, *words], cwd=tmp_path, check=True)
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    monkeypatch.setattr(provenance, "FOLDER", tmp_path / "build")
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / WHEEL).write_bytes(b"the wheel")
    return tmp_path


def key_file(folder: Path, key: ec.EllipticCurvePrivateKey) -> str:
    pem = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "build.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *pem))
    return str(folder / "build.pem")


def written(repository: Path) -> Any:
    return json.loads((repository / f"build/{WHEEL}.intoto.json").read_text())


def test_a_statement_has_the_shape_of_in_toto_and_slsa_and_digests_that_hold(repository: Path) -> None:
    assert provenance.main(["--source", "https://example.org/code", "--builder", "https://example.org/ci"]) == 0
    made = written(repository)
    assert (made["_type"], made["predicateType"]) == (provenance.STATEMENT, provenance.PREDICATE)
    assert made["subject"] == [{"name": WHEEL, "digest": {"sha256": hashlib.sha256(b"the wheel").hexdigest()}}]
    build, run = made["predicate"]["buildDefinition"], made["predicate"]["runDetails"]
    assert run["builder"]["id"] == "https://example.org/ci"
    assert {"buildType", "externalParameters", "internalParameters", "resolvedDependencies"} == build.keys()
    source, *files = build["resolvedDependencies"]
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=repository, capture_output=True, text=True, check=True)
    assert source == {"uri": "https://example.org/code", "digest": {"gitCommit": head.stdout.strip()}}
    assert {one["uri"] for one in files} == {f"file:{name}" for name in provenance.OF_WHEEL}
    for one in files:
        content = (repository / one["uri"].removeprefix("file:")).read_bytes()
        assert one["digest"] == {"sha256": hashlib.sha256(content).hexdigest()}


def test_files_that_have_changed_since_the_commit_are_told(repository: Path) -> None:
    def changed() -> Any:
        assert provenance.main([]) == 0
        return written(repository)["predicate"]["buildDefinition"]["internalParameters"]["changed_since_commit"]

    (repository / "dist" / WHEEL).write_bytes(b"what is built is no change")
    assert changed() is False
    (repository / "hatch_build.py").write_text("")
    assert changed() is True


def test_a_signed_statement_is_verified_by_its_key_and_no_other(repository: Path) -> None:
    key, other = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    assert provenance.main(["--key", key_file(repository, key)]) == 0
    envelope = json.loads((repository / f"build/{WHEEL}.dsse.json").read_text())
    assert json.loads(provenance.verified(envelope, key.public_key())) == written(repository)
    changed = envelope | {"payload": base64.b64encode(b"{}").decode()}
    for one, by in ((envelope, other), (changed, key), ({}, key), (envelope | {"signatures": []}, key)):
        with pytest.raises(ProvenanceFailed, match="does not fit"):
            provenance.verified(one, by.public_key())


def test_what_is_missing_is_told(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = key_file(repository, ec.generate_private_key(ec.SECP384R1()))
    assert provenance.main(["--key", wrong]) == 1
    (repository / "dist" / WHEEL).unlink()
    assert provenance.main([]) == 1
    assert "P-256" in (told := capsys.readouterr().err)
    assert "run make wheel" in told


def test_the_recipe_of_every_image_is_its_dockerfile_and_the_locks_that_it_copies() -> None:
    locks = {lock.path for lock in LOCKS}
    recipes = {image.name: recipe(image) for image in IMAGES}
    assert recipes[GATEWAY.name] == ["Dockerfile", "deploy/build.lock", "deploy/gateway.lock", "deploy/plugin.lock"]
    assert [name for name, files in recipes.items() if not set(files[1:]) or not set(files[1:]) <= locks] == []
