"""Opens watches of what a deployable looks for. Only a source that is used is connected to, and needs its library."""

from typing import Literal, Protocol

from chassis.consul.settings import ConsulSettings
from chassis.discovery.port import InstanceWatch
from chassis.discovery.target import DiscoveryTarget, parse_target
from chassis.discovery.watch import InstanceSource, Watch
from chassis.settings import SettingsInvalid

LOCAL_AGENT = "consul://127.0.0.1:8500"
"""Where Consul's own tools look for an agent."""
Kind = Literal["consul", "dns"]


class Sources(Protocol):
    """Everything that Consul knows, or DNS."""

    def source(self, target: DiscoveryTarget) -> InstanceSource: ...
    def close(self) -> None: ...


class Discovery:
    """The sources of one process. `dns_server`: HOST:PORT; None: the system's name servers."""

    def __init__(self, consul: ConsulSettings | None = None, dns_server: str | None = None) -> None:
        self._consul = consul or ConsulSettings(LOCAL_AGENT)
        self._dns_server = dns_server
        self._open: dict[Kind, Sources] = {}

    def watch(self, target: str) -> InstanceWatch:
        """Inside the event loop; asks nobody yet. Raises SettingsInvalid."""
        wanted = parse_target(target)
        kind: Kind = "consul" if wanted.source == "consul" else "dns"
        if kind not in self._open:
            self._open[kind] = self._opened(kind)
        try:
            return Watch(target, self._open[kind].source(wanted))
        except ValueError as error:
            raise SettingsInvalid(str(error)) from error

    def close(self) -> None:
        """Ends connections; watches end with their own tasks."""
        for sources in self._open.values():
            sources.close()
        self._open.clear()

    def _opened(self, kind: Kind) -> Sources:
        try:
            return self._consul_sources() if kind == "consul" else self._dns_sources()
        except ModuleNotFoundError as error:
            if error.name != kind:  # both libraries' packages are called like their extras
                raise
            raise SettingsInvalid(f"{kind}:// needs a library: install strangler-gateway[{kind}]") from error
        except ValueError as error:
            raise SettingsInvalid(str(error)) from None  # the cause could show the URL

    def _consul_sources(self) -> Sources:
        from chassis.discovery.consul import ConsulSources  # the library is an extra

        return ConsulSources(self._consul)

    def _dns_sources(self) -> Sources:
        from chassis.discovery.dns import DnsSources  # the library is an extra

        return DnsSources(self._dns_server)
