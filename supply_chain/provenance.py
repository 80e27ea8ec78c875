"""`make provenance`: what an artefact was built from, as an in-toto statement with SLSA's provenance (both v1).

It attests what this machine saw: the commit, whether files had changed since, the locks and the recipe, by digest. It
does not attest that the machine was honest: for that a builder of your own has to sign (`--key`, DSSE, ECDSA P-256).
The key of a gateway does not belong on a machine that builds, so its signatures are not used here.
"""

import argparse
import base64
import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from supply_chain.locks import ROOT

FOLDER = ROOT / "build/provenance"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
PAYLOAD = "application/vnd.in-toto+json"
BUILD_TYPE = "urn:strangler-gateway:build:{}:v1"
OF_WHEEL = ("pyproject.toml", "hatch_build.py", "deploy/build.lock")


class ProvenanceFailed(Exception):
    """The message says what was seen and what to do."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = options_of("python -m supply_chain.provenance", __doc__)
    parser.add_argument("wheels", nargs="*", type=Path, metavar="WHEEL", help="default: dist/*.whl")
    options = parser.parse_args(arguments)
    try:
        wheels = options.wheels or sorted((ROOT / "dist").glob("*.whl"))
        if not wheels:
            raise ProvenanceFailed("there is no wheel in dist/; run make wheel")
        for wheel in wheels:
            digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
            compiled = not wheel.name.endswith("-none-any.whl")
            made = statement(wheel.name, digest, "wheel", {"compiled": compiled}, OF_WHEEL, options)
            write(made, wheel.name, options.key)
    except (ProvenanceFailed, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def options_of(prog: str, description: str | None) -> argparse.ArgumentParser:
    """The options of whatever is built."""
    parser = argparse.ArgumentParser(prog=prog, description=description)
    parser.add_argument("--builder", default="urn:strangler-gateway:builder:unknown", help="URI of who builds")
    parser.add_argument("--source", default="urn:strangler-gateway:source", help="URI of the repository")
    parser.add_argument("--key", type=Path, help="PEM file with a P-256 key that signs; beside each file a .dsse.json")
    return parser


def statement(
    name: str, sha256: str, kind: str, parameters: dict[str, Any], files: Sequence[str], options: argparse.Namespace
) -> dict[str, Any]:
    """Of one artefact. `files`: the locks and recipes that it was built by. Raises ProvenanceFailed."""
    commit, changed = _git("rev-parse", "HEAD"), _git("status", "--porcelain")
    materials = [{"uri": options.source, "digest": {"gitCommit": commit}}]
    materials += [{"uri": f"file:{path}", "digest": {"sha256": _sha256(ROOT / path)}} for path in files]
    return {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": sha256}}],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE.format(kind),
                "externalParameters": parameters,
                "internalParameters": {"python": sys.version.split()[0], "changed_since_commit": bool(changed)},
                "resolvedDependencies": materials,
            },
            "runDetails": {"builder": {"id": options.builder}},
        },
    }


def write(made: dict[str, Any], name: str, key: Path | None) -> None:
    """As build/provenance/NAME.intoto.json, and signed beside it. Raises ProvenanceFailed."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{name}.intoto.json"
    path.write_text(json.dumps(made, indent=1, sort_keys=True) + "\n")
    print(f"{path.relative_to(ROOT)}: {'signed' if key else 'not signed'}", flush=True)
    if key:
        envelope = signed(path.read_bytes(), _private(key))
        path.with_name(f"{name}.dsse.json").write_text(json.dumps(envelope, indent=1) + "\n")


def signed(payload: bytes, key: EllipticCurvePrivateKey) -> dict[str, Any]:
    """A DSSE envelope (v1)."""
    signature = key.sign(_pae(payload), ECDSA(hashes.SHA256()))
    encoded, mark = (base64.b64encode(one).decode() for one in (payload, signature))
    return {"payloadType": PAYLOAD, "payload": encoded, "signatures": [{"sig": mark}]}


def verified(envelope: dict[str, Any], key: EllipticCurvePublicKey) -> bytes:
    """The payload of an envelope that this key has signed. Raises ProvenanceFailed."""
    try:
        payload = base64.b64decode(envelope["payload"], validate=True)
        key.verify(base64.b64decode(envelope["signatures"][0]["sig"]), _pae(payload), ECDSA(hashes.SHA256()))
    except (InvalidSignature, KeyError, IndexError, ValueError) as error:
        raise ProvenanceFailed("the signature does not fit: another key, or the statement was changed") from error
    if envelope["payloadType"] != PAYLOAD:
        raise ProvenanceFailed(f"the payload is {envelope['payloadType']}, not a statement")
    return payload


def _pae(payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD), PAYLOAD.encode(), len(payload), payload)


def _private(path: Path) -> EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        raise ProvenanceFailed(f"{path} is no PEM file with a private key that has no password") from error
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise ProvenanceFailed(f"{path} has no key of the curve P-256")
    return key


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603, S607  # our own command
    if done.returncode:
        raise ProvenanceFailed(f"git {' '.join(words)} failed: {done.stderr.strip()}; provenance names the commit")
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
