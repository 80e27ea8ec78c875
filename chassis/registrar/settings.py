"""The settings of a registrar: REGISTRAR_* of the environment."""

import os
from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from chassis.consul.settings import ConsulSettings
from chassis.settings import ServiceSettings, revealed


class RegistrarSettings(ServiceSettings):
    """What its command line does not say."""

    model_config = SettingsConfigDict(env_prefix="REGISTRAR_")

    consul_url: str = "consul://127.0.0.1:8500"
    """consul://HOST:PORT or consul+https://HOST:PORT: the agent on this host."""
    consul_token: SecretStr | None = None
    """The ACL token for it. The file in REGISTRAR_CONSUL_TOKEN_FILE is read again when it changes."""
    consul_ca_file: Path | None = None
    """PEM file with which the agent's certificate is verified. None: the system's own authorities."""

    @property
    def consul(self) -> ConsulSettings:
        """How to reach the agent."""
        file = os.environ.get("REGISTRAR_CONSUL_TOKEN_FILE")
        path = Path(file) if file else None
        return ConsulSettings(self.consul_url, revealed(self.consul_token), path, self.consul_ca_file, timeout_s=5)
