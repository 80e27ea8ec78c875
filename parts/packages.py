"""Installs system packages if a part's program is missing."""

import os
import shutil

from parts.place import PartFailed
from parts.process import run

# policy-rc.d stops the package's own service, which would use memory and ports. Another installation may be under way.
INSTALL = """
policy=/usr/sbin/policy-rc.d
[ -e $policy ] || { trap "rm -f $policy" EXIT; printf '#!/bin/sh\\nexit 101\\n' >$policy; chmod 755 $policy; }
DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -o DPkg::Lock::Timeout=300 install -qq -y --no-install-recommends $1
"""


def install(package: str, wanted_for: str) -> None:
    """`package` may name several, with spaces between. With apt, as root or with sudo without a password.

    Raises PartFailed, which says what to do by hand.
    """
    by_hand = f"{wanted_for} is missing; install the package {package}, then repeat"
    if shutil.which("apt-get") is None:
        raise PartFailed(f"{by_hand} (apt-get is not available here)")
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    try:
        run([*as_root, "apt-get", "update", "-qq"])
        run([*as_root, "sh", "-c", INSTALL, "sh", package])
    except PartFailed as error:
        raise PartFailed(f"{by_hand} (tried: {error})") from error
