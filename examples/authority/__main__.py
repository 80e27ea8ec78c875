"""`python -m examples.authority --routes routes.yaml`: answers Envoy's ext_authz and nginx's auth_request."""

import argparse
import logging
import os
from pathlib import Path

import uvicorn

from examples.authority.app import application
from strangler_gateway.config.file import load
from strangler_gateway.identity.authority import Authority
from strangler_gateway.identity.signer import open_signer
from strangler_gateway.table.matcher import Matcher
from strangler_gateway.telemetry.log_throttle import LogThrottle


def main() -> None:
    """Serves until it is told to end. The key: STRANGLER_SIGNING_KEY, else a file in the state directory."""
    parser = argparse.ArgumentParser(prog="python -m examples.authority", description=__doc__)
    parser.add_argument("--routes", type=Path, default=Path("routes.yaml"))
    parser.add_argument("--state-dir", type=Path, default=Path("state"))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--asked-by", choices=("envoy", "nginx"), default="envoy", help="nginx names the request")
    given = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    table = load(given.routes.read_text(encoding="utf-8"), os.environ)
    signer = open_signer(os.environ.get("STRANGLER_SIGNING_KEY"), given.state_dir)
    authority = Authority(table.identity, signer, LogThrottle())
    app = application(Matcher(table), authority, signer, named=given.asked_by == "nginx")
    uvicorn.run(app, host=given.host, port=given.port, log_level="warning")


if __name__ == "__main__":
    main()
