"""Reads language files: YAML, checked once at start. A fault names the file and the field, and says what is wanted."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Final, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from chassis.error_reason import reason
from extracted.runner.languages.language import PLACEHOLDERS, ClassName, Language, LanguageStep, StepLimits

FOLDER: Final = Path(__file__).parent
_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")
_FILE_NAME: Final = r"^[\w{][\w.{}+-]*$"
Word = Annotated[str, Field(min_length=1, max_length=4096, pattern=r"^[^\x00]+$")]


class LanguageFileInvalid(Exception):
    """A language file has faults: one line for each."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LimitsEntry(_Strict):
    """The limits of a step; what is not named has its default."""

    wall_s: float = Field(5, gt=0, le=15)
    cpu_s: float = Field(3, gt=0, le=10)
    memory_mb: int = Field(128, ge=16, le=512)
    processes: int = Field(64, ge=1, le=256)
    output_kb: int = Field(64, ge=1, le=1024)
    file_mb: int = Field(1, ge=1, le=10)
    open_files: int = Field(64, ge=16, le=256)
    box_mb: int = Field(16, ge=1, le=64)


class CompileLimitsEntry(LimitsEntry):
    """A compiler takes more."""

    wall_s: float = Field(10, gt=0, le=15)
    cpu_s: float = Field(10, gt=0, le=10)
    file_mb: int = Field(10, ge=1, le=10)
    box_mb: int = Field(64, ge=1, le=64)


class VersionEntry(_Strict):
    """The command that prints the version, and where in its output it stands (group 1)."""

    command: list[Word] = Field(min_length=1)
    pattern: str

    @field_validator("pattern")
    @classmethod
    def _finds_one(cls, pattern: str) -> str:
        return _with_one_group(pattern)


class ClassEntry(_Strict):
    """How to find the name that a source declares (group 1)."""

    default: str = Field(pattern=r"^\w+$")
    patterns: list[str]

    @field_validator("patterns")
    @classmethod
    def _each_finds_one(cls, patterns: list[str]) -> list[str]:
        return [_with_one_group(pattern) for pattern in patterns]


class RunEntry(_Strict):
    """How to run a program."""

    command: list[Word] = Field(min_length=1)
    address_space: bool = False
    out_of_memory: list[Word] = []
    limits: LimitsEntry = Field(default_factory=lambda: LimitsEntry.model_validate({}))


class CompileEntry(_Strict):
    """How to compile a source, and which files of the result are the program."""

    command: list[Word] = Field(min_length=1)
    keep: list[str] = Field(min_length=1)
    address_space: bool = False
    out_of_memory: list[Word] = []
    limits: CompileLimitsEntry = Field(default_factory=lambda: CompileLimitsEntry.model_validate({}))


class LanguageEntry(_Strict):
    """A whole file."""

    name: str = Field(pattern=r"^[A-Z][A-Z0-9_+#-]{0,31}$")
    source: str = Field(pattern=_FILE_NAME)
    class_: ClassEntry | None = Field(None, alias="class")
    version: VersionEntry
    environment: dict[str, str] = {}
    readable: list[Annotated[str, Field(pattern=r"^/")]] = []
    compile: CompileEntry | None = None
    run: RunEntry

    @model_validator(mode="after")
    def _placeholders_have_values(self) -> Self:
        known = PLACEHOLDERS - ({"class"} if self.class_ is None else set()) - (set() if self.compile else {"program"})
        words = [self.source, *(self.compile.command if self.compile else ()), *self.run.command]
        for name in (found[1] for word in words for found in _PLACEHOLDER.finditer(word)):
            if name not in known:
                wanted = ", ".join(f"{{{one}}}" for one in sorted(known))
                raise ValueError(f"{{{name}}} has no value here; there are {wanted}")
        return self


def load(folder: Path) -> Mapping[str, Language]:
    """The languages of all files of a folder, by name. Raises LanguageFileInvalid with all faults."""
    faults: list[str] = []
    found: dict[str, Language] = {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            language = read(path)
        except LanguageFileInvalid as error:
            faults.append(str(error))
            continue
        if language.name in found:
            faults.append(f"{path}: name: {language.name} has another file already")
        found[language.name] = language
    if not found and not faults:
        faults.append(f"{folder}: no language file; wanted is at least one NAME.yaml")
    if faults:
        raise LanguageFileInvalid("\n".join(faults))
    return found


def read(path: Path) -> Language:
    """One file. Raises LanguageFileInvalid."""
    try:
        entry = LanguageEntry.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise LanguageFileInvalid(f"{path}: it cannot be read: {reason(error)}") from error
    except yaml.YAMLError as error:
        raise LanguageFileInvalid(f"{path}: it is not YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        raise LanguageFileInvalid("\n".join(_sentences(path, error.errors()))) from error
    return _language(entry)


def _sentences(path: Path, errors: list[ErrorDetails]) -> Iterator[str]:
    for error in errors:
        where = ".".join(map(str, error["loc"])) or "the file"
        yield f"{path}: {where}: {error['msg']}"


def _with_one_group(pattern: str) -> str:
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise ValueError(f"it is not a regular expression: {error}") from error
    if groups != 1:
        raise ValueError(f"it must have one group, which finds the value; it has {groups}")
    return pattern


def _language(entry: LanguageEntry) -> Language:
    compile_ = entry.compile
    return Language(
        name=entry.name,
        source=entry.source,
        class_name=_class_name(entry.class_),
        version_command=tuple(entry.version.command),
        version_pattern=re.compile(entry.version.pattern),
        environment=entry.environment,
        readable=tuple(entry.readable),
        compile=_step(compile_) if compile_ else None,
        keep=tuple(compile_.keep) if compile_ else (),
        run=_step(entry.run),
    )


def _class_name(entry: ClassEntry | None) -> ClassName | None:
    return None if entry is None else ClassName(entry.default, tuple(map(re.compile, entry.patterns)))


def _step(entry: RunEntry | CompileEntry) -> LanguageStep:
    words = tuple(word.encode() for word in entry.out_of_memory)
    return LanguageStep(tuple(entry.command), StepLimits(**entry.limits.model_dump()), entry.address_space, words)
