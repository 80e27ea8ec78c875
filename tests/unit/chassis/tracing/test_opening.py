"""When a process traces: by the standard's variables, and with a clear error where they ask for what there is not."""

import sys

import pytest

from chassis.settings import SettingsInvalid
from chassis.tracing.opening import is_wanted, open_tracer, sampled_part

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "shop"}, False),
        (ENDPOINT, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": "none"}, False),
        (ENDPOINT | {"OTEL_SDK_DISABLED": "TRUE"}, False),
    ],
)
def test_the_variables_decide(environ: dict[str, str], wanted: bool) -> None:
    assert is_wanted(environ) is wanted
    tracer = open_tracer("shop", environ)
    assert (tracer is not None) is wanted
    if tracer is not None:
        tracer.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [("OTEL_TRACES_EXPORTER", "jaeger"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")],
)
def test_what_there_is_not_is_refused(name: str, value: str) -> None:
    with pytest.raises(SettingsInvalid, match=f"{name} is '{value}'"):
        open_tracer("shop", ENDPOINT | {name: value})


def test_without_the_extra_a_sentence_tells_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "chassis.tracing.otel", None)
    with pytest.raises(SettingsInvalid, match=r"strangler-gateway\[otel\]"):
        open_tracer("shop", ENDPOINT)


@pytest.mark.parametrize(
    ("sampler", "argument", "part"),
    [
        (None, None, 1.0),
        ("always_off", None, 0.0),
        ("parentbased_always_on", "0.5", 1.0),
        ("traceidratio", None, 1.0),
        ("parentbased_traceidratio", "0.01", 0.01),
    ],
)
def test_the_sampler_gives_the_part_of_all_requests(sampler: str | None, argument: str | None, part: float) -> None:
    given = {"OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": argument}
    assert sampled_part({name: value for name, value in given.items() if value is not None}) == part


@pytest.mark.parametrize("argument", ["1.5", "-0.1", "many", "nan"])
def test_a_part_is_a_number_from_0_to_1(argument: str) -> None:
    with pytest.raises(SettingsInvalid, match="OTEL_TRACES_SAMPLER_ARG"):
        sampled_part({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": argument})


def test_an_unknown_sampler_is_refused() -> None:
    with pytest.raises(SettingsInvalid, match="OTEL_TRACES_SAMPLER is 'xray'"):
        sampled_part({"OTEL_TRACES_SAMPLER": "xray"})
