"""Rounds of measurements to one JSON object: medians of figures, and medians of the ratios of each round."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmarks.common.load import Load

TARGETS: dict[str, tuple[str, float]] = {
    "vs_naive": ("at least", 60.0),
    "vs_envoy": ("at least", 1.1),
    "vs_nginx": ("at least", 0.4),
    "p99_vs_envoy": ("at most", 1.0),
    "varied_vs_envoy": ("at least", 1.0),
    "varied_p99_vs_envoy": ("at most", 1.0),
    "compiled_vs_envoy": ("at least", 2.0),
    "compiled_vs_nginx": ("at least", 0.65),
    "compiled_p99_vs_envoy": ("at most", 1.0),
    "compiled_varied_vs_envoy": ("at least", 1.5),
    "compiled_varied_vs_nginx": ("at least", 0.45),
    "compiled_varied_p99_vs_envoy": ("at most", 1.0),
    "auth_ratio": ("at least", 0.8),
    "compiled_auth_ratio": ("at least", 0.8),
    "resilience_ratio": ("at least", 0.9),
    "compiled_resilience_ratio": ("at least", 0.9),
    "rss_mib_streaming": ("at most", 85.0),
    "rss_mib_slow_readers": ("at most", 85.0),
    "read_overhead": ("at most", 2.0),
    "read_overhead_postgres": ("at most", 2.0),
    "learning_overhead": ("at most", 2.0),
    "learning_overhead_postgres": ("at most", 2.0),
    "overview_vs_cascade": ("at most", 0.6),
}
_PEERS = ("naive", "envoy", "nginx", "haproxy")


@dataclass(frozen=True, slots=True)
class Sample:
    """One round of one design."""

    load: Load
    cpu_us: float | None
    """Processor time of the proxy for each request; steadier than requests/s where others use the machine."""
    taken: float | None = None
    """Share of the proxy's core that other processes took from it."""


@dataclass(slots=True)
class Measurements:
    """All rounds, by design; the n-th of each belong together."""

    samples: dict[str, list[Sample]] = field(default_factory=dict)
    """Under the load that repeats its request."""
    varied: dict[str, list[Sample]] = field(default_factory=dict)
    """Under the load where no two requests are the same."""
    downloads: dict[str, list[float]] = field(default_factory=dict)
    """Seconds of each download."""
    download_bytes: int = 0
    rss_mib: dict[str, float | None] = field(default_factory=dict)


def ratio(above: Sequence[float], below: Sequence[float]) -> float | None:
    """Median over the rounds of above/below; None where one of them was not measured."""
    pairs = [a / b for a, b in zip(above, below, strict=False) if b]
    return _rounded(median(pairs)) if pairs else None


def summary(measured: Measurements) -> dict[str, object]:
    """The gateway's ratios under both loads, pure and compiled, and its memory."""
    every = [*measured.samples.values(), *measured.varied.values()]
    downloads = measured.downloads
    return {
        **_ratios("", measured.samples, "gateway"),
        **_ratios("varied_", measured.varied, "gateway"),
        **_ratios("compiled_", measured.samples, "compiled"),
        **_ratios("compiled_varied_", measured.varied, "compiled"),
        "download_vs_envoy": ratio(downloads.get("envoy", []), downloads.get("gateway", [])),
        "core_taken_by_others": _median([each.taken for rounds in every for each in rounds if each.taken is not None]),
        **{f"rss_mib_{name}": _rounded(value) for name, value in measured.rss_mib.items()},
    }


def _ratios(prefix: str, samples: Mapping[str, Sequence[Sample]], design: str) -> dict[str, float | None]:
    """One design against each peer, under one load."""
    rates = {name: [each.load.requests_per_s for each in rounds] for name, rounds in samples.items()}
    tails = {name: [each.load.p99_ms for each in rounds] for name, rounds in samples.items()}
    cpu = {name: [each.cpu_us for each in rounds if each.cpu_us] for name, rounds in samples.items()}
    return {
        **{f"{prefix}vs_{peer}": ratio(rates.get(design, []), rates.get(peer, [])) for peer in _PEERS},
        f"{prefix}p99_vs_envoy": ratio(tails.get(design, []), tails.get("envoy", [])),
        f"{prefix}cpu_vs_envoy": ratio(cpu.get(design, []), cpu.get("envoy", [])),
    }


def figures(name: str, measured: Measurements) -> dict[str, object] | None:
    """Medians of one design, or None where it was not measured."""
    rounds = measured.samples.get(name)
    if not rounds:
        return None
    return {
        **_load_figures(rounds),
        "varied": _load_figures(varied) if (varied := measured.varied.get(name)) else None,
        **_download_figures(measured.downloads.get(name, []), measured.download_bytes),
    }


def _load_figures(rounds: Sequence[Sample]) -> dict[str, object]:
    return {
        "requests_per_s": round(median(each.load.requests_per_s for each in rounds)),
        "p50_ms": _rounded(median(each.load.p50_ms for each in rounds)),
        "p99_ms": _rounded(median(each.load.p99_ms for each in rounds)),
        "cpu_us": _median([each.cpu_us for each in rounds if each.cpu_us]),
        "errors": sum(each.load.errors for each in rounds),
    }


def _download_figures(seconds: list[float], size: int) -> dict[str, object]:
    if not seconds:
        return {"download_mib_per_s": None, "download_p50_ms": None, "download_p99_ms": None}
    return {
        "download_mib_per_s": round(size / 2**20 / median(seconds)),
        "download_p50_ms": _rounded(median(seconds) * 1000),
        "download_p99_ms": _rounded(percentile(seconds, 99) * 1000),
    }


def percentile(values: Sequence[float], percent: int) -> float:
    """Nearest rank."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def missed(result: dict[str, object]) -> list[str]:
    """One sentence for each target that was measured and not reached."""
    faults = []
    for name, (sense, bound) in TARGETS.items():
        seen = result.get(name)
        if isinstance(seen, float) and (seen < bound if sense == "at least" else seen > bound):
            faults.append(f"{name} is {seen}, wanted {sense} {bound}")
    return faults


def _median(values: Sequence[float]) -> float | None:
    return _rounded(median(values)) if values else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
