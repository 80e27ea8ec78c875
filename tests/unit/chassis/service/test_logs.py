"""Log lines are JSON, whoever writes them, and hide what has a secret's name."""

import io
import json
import logging

import structlog


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_ours_and_the_standard_librarys_lines_have_one_form(stream: io.StringIO) -> None:
    structlog.get_logger("ours").info("purchase", item="é")
    logging.getLogger("uvicorn.error").warning("seen %s", "it")
    ours, theirs = lines(stream)
    assert (ours["event"], ours["item"], ours["logger"], ours["level"]) == ("purchase", "é", "ours", "info")
    assert (theirs["event"], theirs["logger"], theirs["level"]) == ("seen it", "uvicorn.error", "warning")
    assert all(line["service"] == "thing" and str(line["timestamp"]).endswith("Z") for line in (ours, theirs))


def test_below_the_level_nothing_is_written(stream: io.StringIO) -> None:
    structlog.get_logger("ours").debug("detail")
    logging.getLogger("theirs").debug("detail")
    logging.getLogger("httpx").info("HTTP Request")
    assert stream.getvalue() == ""


def test_what_is_bound_to_the_request_is_in_every_line(stream: io.StringIO) -> None:
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        structlog.get_logger("ours").info("one")
        logging.getLogger("theirs").warning("two")
    structlog.get_logger("ours").info("three")
    assert [line.get("request_id") for line in lines(stream)] == ["r1", "r1", None]


def test_an_exception_stays_on_its_line(stream: io.StringIO) -> None:
    try:
        raise ValueError("odd\nvalue")
    except ValueError:
        structlog.get_logger("ours").exception("failed")
        logging.getLogger("theirs").exception("failed")
    ours, theirs = lines(stream)
    assert "ValueError: odd" in str(ours["exception"])
    assert "ValueError: odd" in str(theirs["exception"])


def test_values_under_a_secrets_name_are_hidden(stream: io.StringIO) -> None:
    names = ("Authorization", "cookie", "set-cookie", "password", "token", "secret")
    structlog.get_logger("ours").info("odd", **dict.fromkeys(names, "tell-nobody"), user="u")
    assert "tell-nobody" not in stream.getvalue()
    assert lines(stream)[0]["user"] == "u"


def test_what_json_does_not_know_is_written_all_the_same(stream: io.StringIO) -> None:
    structlog.get_logger("ours").info("odd", value={1, 2}, other=b"x")
    assert lines(stream)[0]["value"] == "{1, 2}"
