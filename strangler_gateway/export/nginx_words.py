"""Words of an nginx configuration, quoted so that nothing of them is read as syntax."""

from strangler_gateway.export.rules import ExportRefused

DOLLAR = "strangler_dollar"
"""A variable that stands for the sign: nginx has no way to write it where variables are read."""


def quoted(text: str) -> str:
    """A parameter. Raises ExportRefused for what no line of a configuration can hold."""
    if any(ord(each) < 0x20 or ord(each) == 0x7F for each in text):
        raise ExportRefused(f"{text!a} has a control character, which nginx cannot be told: remove it")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def literal(text: str) -> str:
    """The text as part of a value in which variables are read."""
    return text.replace("$", f"${{{DOLLAR}}}")
