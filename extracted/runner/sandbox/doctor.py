"""Examines this machine: which backends work, what each lacks, and which one the runner takes."""

from dataclasses import asdict, dataclass
from typing import Any

from extracted.runner.sandbox import protections
from extracted.runner.sandbox.link import SpawnerLink
from extracted.runner.sandbox.opening import GVISOR_REFUSAL, SandboxChoice, chosen, setup_of, trial
from extracted.runner.sandbox.port import RunStatus, SandboxUnavailable
from extracted.runner.sandbox.protections import Protection
from extracted.runner.sandbox.spawner import gvisor


@dataclass(frozen=True, slots=True)
class BackendState:
    """`failure`: why a trial run failed, empty if it worked."""

    name: str
    failure: str
    protections: list[Protection]


@dataclass(frozen=True, slots=True)
class Examination:
    """`taken`: the backend that the runner takes, or None and `refusal`."""

    taken: str | None
    refusal: str
    weak: bool
    """A protection is missing that the backend relies on; the setting allows it."""
    backends: list[BackendState]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


async def examine(choice: SandboxChoice) -> Examination:
    """Raises SandboxUnavailable if there is not even a spawner."""
    link = await SpawnerLink.started(setup_of(choice))
    try:
        states = [await _state(link, name) for name in protections.BACKENDS]
        if gvisor.program() is None:
            states.append(BackendState("gvisor", GVISOR_REFUSAL, []))
        else:
            states += [await _state(link, name) for name in gvisor.PLATFORMS]
        try:
            taken, refusal = await chosen(link, choice), ""
        except SandboxUnavailable as error:
            taken, refusal = None, str(error)
    finally:
        await link.aclose()
    weak = taken is not None and bool(protections.missing(link.facts, taken))
    return Examination(taken, refusal, weak, states)


async def _state(link: SpawnerLink, backend: str) -> BackendState:
    outcome = await trial(link, backend)
    failure = "" if outcome.status is RunStatus.OK else outcome.detail or outcome.stderr.decode(errors="replace")
    return BackendState(backend, failure.strip(), protections.protections(link.facts, backend))


def text(examination: Examination) -> str:
    """For a terminal."""
    lines = []
    for backend in examination.backends:
        mark = "taken" if backend.name == examination.taken else "works" if not backend.failure else "does not work"
        lines.append(f"{backend.name}: {mark}" + (f" ({backend.failure})" if backend.failure else ""))
        if not backend.failure:
            lines += [_line(one) for one in backend.protections]
    if examination.refusal:
        lines.append(f"The runner refuses to start: {examination.refusal}")
    elif examination.weak:
        lines.append("WEAK: a protection is missing that this sandbox relies on; RUNNER_ALLOW_WEAK is set.")
    return "\n".join(lines)


def _line(one: Protection) -> str:
    if one.active:
        return f"  yes  {one.name}: {one.detail}"
    return f"  {'NO ' if one.required else 'no '}  {one.name}: {one.detail}; without it a program can {one.without}"
