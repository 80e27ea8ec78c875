"""Prints a table of all attacks at the end."""

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A line for each attack that ran: sandbox, attack, word, seconds."""
    reports = [one for kind in ("passed", "failed") for one in terminalreporter.getreports(kind)]
    rows = [(value, report.outcome) for report in reports for name, value in report.user_properties if name == "attack"]
    if rows:
        terminalreporter.section("attacks", "-")
    for (sandbox, attack, word, took_s), result in rows:
        stopped = "stopped" if result == "passed" else "NOT STOPPED"
        terminalreporter.write_line(f"{sandbox:11} {attack:26} {stopped:11} {word:15} {took_s:5.2f} s")
