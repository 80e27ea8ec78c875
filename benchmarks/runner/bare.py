"""The bare process that the runner is compared with: the same commands in a folder of their own, without any limit."""

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from extracted.runner.languages.files import FOLDER, load
from extracted.runner.languages.language import LanguageStep, filled
from extracted.runner.languages.runtimes import Runtime

PATH: Final = "/usr/local/bin:/usr/bin:/bin"
HELLO: Final[Mapping[str, str]] = {
    "PYTHON": "print('hello')\n# {n}",
    "NODE": "console.log('hello')\n// {n}",
    "JAVA": 'public class Main {{ public static void main(String[] a) {{ System.out.println("hello"); }} }}\n// {n}',
    "RUST": 'fn main() {{ println!("hello"); }}\n// {n}',
}
"""`{n}` makes each source another one, so that none is found compiled."""
_LANGUAGES: Final = load(FOLDER)


def hello_ms(language: str, number: int) -> float:
    """Milliseconds to compile and run."""
    source = HELLO[language].format(n=number)
    with tempfile.TemporaryDirectory() as folder:
        runtime = Runtime(_LANGUAGES[language], "", {}, PATH, ())
        values = runtime.values(source, Path(folder))
        (Path(folder) / values["source"]).write_text(source)
        began = time.perf_counter()
        for step in (_LANGUAGES[language].compile, _LANGUAGES[language].run):
            if step is not None:
                _run(step, values, folder)
        return (time.perf_counter() - began) * 1000


def runs_per_s(language: str, at_once: int, seconds: float) -> float:
    """As many processes at once as the runner has turns."""
    ends = time.perf_counter() + seconds

    def loop(worker: int) -> int:
        count = 0
        while time.perf_counter() < ends:
            hello_ms(language, worker)
            count += 1
        return count

    began = time.perf_counter()
    with ThreadPoolExecutor(at_once) as pool:
        count = sum(pool.map(loop, range(at_once)))
    return count / (time.perf_counter() - began)


def _run(step: LanguageStep, values: Mapping[str, str], folder: str) -> None:
    environ = {"PATH": PATH, "HOME": folder, "LANG": "C.UTF-8"}
    subprocess.run(filled(step.command, values), cwd=folder, env=environ, stdout=subprocess.PIPE, check=True)


def processors() -> int:
    """As many turns as the runner has by default."""
    return os.cpu_count() or 1
