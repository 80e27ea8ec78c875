"""What an exception says, for a sentence that an operator reads."""


def reason(error: BaseException) -> str:
    """In words: without the number of a system error and without its file, which the caller's sentence names."""
    if isinstance(error, UnicodeDecodeError):
        return f"not {error.encoding.upper()}"
    return str(getattr(error, "strerror", None) or error) or type(error).__name__
