"""The folder of templates: what each kind may be asked with, in which language it is written, and what it then says."""

import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from extracted.mailer.domain import Policy
from extracted.mailer.ports import RequestInvalid, TemplateCatalog
from extracted.mailer.templating.template_files import TemplatesInvalid
from extracted.mailer.templating.templates import TEMPLATES, Templates
from extracted.mailer.templating.variables import Links
from tests.docs.commands import boxes
from tests.recordings.conversation import RecordedMail, recorded_mails
from tests.recordings.mail_sink import read_html

LINKS = Links("https://polycode.do-2021.fr")
SHIPPED = Templates(LINKS)
VERIFY = {"username": "ada", "token": "7476b3d0"}
JOINED = {"username": "ada", "inviter": "grace", "team": "Compilers"}
PAGE = "docs/adding-a-mail.md"
EXAMPLE: Final = "team_dissolved"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the folder, to be spoilt."""
    copy = tmp_path / "templates"
    shutil.copytree(TEMPLATES, copy)
    return copy


def faults(folder: Path) -> list[str]:
    with pytest.raises(TemplatesInvalid) as refused:
        Templates(LINKS, folder)
    return str(refused.value).splitlines()


def test_the_kinds_are_known_with_their_policies() -> None:
    kinds: TemplateCatalog = SHIPPED
    assert kinds.names() == ["team_dissolved", "team_joined", "team_left", "verify_account"]
    assert kinds.checked("verify_account", "en", VERIFY) == ("en", VERIFY, Policy.AT_LEAST_ONCE)
    assert kinds.checked("team_joined", "fr", JOINED) == ("fr", JOINED, Policy.AT_MOST_ONCE)


@pytest.mark.parametrize("mail", recorded_mails(), ids=lambda mail: f"{mail.recipient}-{mail.nth}")
def test_an_english_mail_says_what_the_monolith_said(mail: RecordedMail) -> None:
    kind, variables = _asked(mail)
    rendered = SHIPPED.rendered(kind, "en", variables)
    lines, links = read_html(rendered.html)
    assert rendered.subject == mail.headers["Subject"]
    assert tuple(lines) == mail.lines
    assert set(links) == set(mail.links) - {"#"}  # the monolith's link by hand leads nowhere


def _asked(mail: RecordedMail) -> tuple[str, dict[str, str]]:
    username = mail.lines[2].removeprefix("Hi ").removesuffix(",")
    match mail.headers["Subject"]:
        case "Verify your account":
            return "verify_account", {"username": username, "token": str(mail.token)}
        case "Added to a team":
            inviter, team = mail.lines[0].removesuffix(" team.").split(" added you in ")
            return "team_joined", {"username": username, "inviter": inviter, "team": team}
    team = mail.lines[0].removeprefix("You are no longer a member of the ").removesuffix(" team")
    return "team_left", {"username": username, "team": team}


NEAREST: dict[str, list[str | None]] = {
    "fr": ["fr", "fr-CA", "fr_CA", "FR", "fr-Latn-CA"],
    "en": [None, "en", "en-GB", "de", "zh-Hant-TW", "tlh", "frr"],
}


@pytest.mark.parametrize(("asked", "written_in"), [(one, to) for to, asked in NEAREST.items() for one in asked])
def test_the_nearest_language_is_taken_and_english_else(asked: str | None, written_in: str) -> None:
    assert SHIPPED.checked("verify_account", asked, VERIFY)[0] == written_in


@pytest.mark.parametrize("asked", ["", "e", "1", "fr-", "-fr", "fr CA", "fr/../en", "fr\n", "x" * 9, "fr" * 1000, "é"])
def test_a_locale_that_is_none_is_refused(asked: str) -> None:
    with pytest.raises(RequestInvalid, match="locale is not valid"):
        SHIPPED.checked("verify_account", asked, VERIFY)


def test_a_region_may_have_words_of_its_own_and_a_subject_is_one_line(folder: Path) -> None:
    french, english = folder / "team_left/fr.jinja", folder / "team_left/en.jinja"
    of_canada = french.read_text().replace("VOIR MES ÉQUIPES", "VERS MES ÉQUIPES")
    (folder / "team_left/fr-CA.jinja").write_text(of_canada)
    english.write_text(english.read_text().replace("Removed from", "\n  Removed\n\tfrom"))
    templates = Templates(LINKS, folder)
    assert templates.locales("team_left") == ["en", "fr", "fr-CA"]
    assert "VERS MES ÉQUIPES" in templates.preview("team_left", "fr-ca").text
    assert "VOIR MES ÉQUIPES" in templates.preview("team_left", "fr-FR").text
    assert templates.preview("team_left", "en").subject == "Removed from a team"


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"username": "ada"}, "variable token is missing"),
        ({}, "variable username is missing"),
        (VERIFY | {"colour": "SECRET"}, "'colour' is not a variable"),
        (VERIFY | {"\r\nBcc: x": "SECRET"}, r"'\\r\\nBcc: x' is not a variable"),
        (VERIFY | {"c" * 1000: "SECRET"}, "is not a variable"),
        (VERIFY | {"token": 7}, "variable token is not a text"),
        (VERIFY | {"token": None}, "variable token is not a text"),
        (VERIFY | {"token": True}, "variable token is not a text"),
        (VERIFY | {"token": ["SECRET"]}, "variable token is not a text"),
        (VERIFY | {"token": {"SECRET": "SECRET"}}, "variable token is not a text"),
        (VERIFY | {"token": b"SECRET"}, "variable token is not a text"),
        (VERIFY | {"token": ""}, "variable token has 0 characters"),
        (VERIFY | {"token": "SECRET" * 50}, "variable token has 300 characters; wanted 1 to 255"),
        (VERIFY | {"username": "x" * 10_000_000}, "variable username has 10000000 characters"),
        *((VERIFY | {"username": f"SECRET{c}SECRET"}, "variable username has a line break") for c in "\r\n\x00\x1b\t"),
        *(
            (VERIFY | {"username": f"SECRET{c}"}, "variable username has a line break")
            for c in "\n\x7f\x85\u2028\ud800"
        ),
    ],
)
def test_variables_that_do_not_fit_are_refused_by_name_and_never_shown(
    variables: Mapping[str, object], said: str
) -> None:
    with pytest.raises(RequestInvalid, match=said) as refused:
        SHIPPED.checked("verify_account", "en", variables)
    assert "SECRET" not in str(refused.value)
    assert len(str(refused.value)) < 150
    assert str(refused.value).isascii()


@pytest.mark.parametrize("kind", ["nope", "", "layout", "raw", "../team_left", "team_left/en", "x" * 10_000, "a\nb"])
def test_an_unknown_kind_is_refused(kind: str) -> None:
    for ask in (lambda: SHIPPED.checked(kind, "en", {}), lambda: SHIPPED.preview(kind, "en")):
        with pytest.raises(RequestInvalid, match="no kind of mail") as refused:
            ask()
        assert len(str(refused.value).splitlines()[0]) == len(str(refused.value)) < 250


def test_what_no_longer_fits_is_refused_when_it_is_written() -> None:
    with pytest.raises(RequestInvalid, match="token is missing"):
        SHIPPED.rendered("verify_account", "en", {"username": "ada"})
    assert SHIPPED.rendered("verify_account", "de", VERIFY).subject == "Verify your account"


@given(st.text(st.characters(categories=("L", "M", "N", "P", "S"), include_characters=" "), min_size=1, max_size=255))
@example("../../teams?a=b#c")
@example("javascript:\"<>&'")
def test_a_token_stays_one_segment_of_the_link(token: str) -> None:
    _, (link, again) = read_html(SHIPPED.rendered("verify_account", "en", {"username": "ada", "token": token}).html)
    assert link == again
    assert not set(link.removeprefix("https://polycode.do-2021.fr/email/verification/")) & set("/?#&\"'<> \\")


def test_links_follow_the_settings_and_lead_to_the_web_alone() -> None:
    templates = Templates(Links("http://localhost:3001/", "/check?token=", "/my/teams"))
    _, verification = read_html(templates.preview("verify_account", "en").html)
    _, teams = read_html(templates.preview("team_left", "en").html)
    assert verification[0].startswith("http://localhost:3001/check?token=7476b3d0-")
    assert teams[0] == "http://localhost:3001/my/teams"
    with pytest.raises(ValueError, match="https"):
        Links("javascript:alert(1)")


Spoiling = Callable[[Path], object]


ESCAPE = "{% block signature %}{{ links.__class__.__mro__ }}{% endblock %}"


def _without(text: str) -> Spoiling:
    return lambda path: path.write_text(path.read_text().replace(text, ""))


def _with(text: str) -> Spoiling:
    return lambda path: path.write_text(path.read_text() + text)


@pytest.mark.parametrize(
    ("file", "spoil", "said"),
    [
        ("team_left/en.jinja", Path.unlink, "team_left/en.jinja: missing"),
        ("team_left/kind.yaml", Path.unlink, "team_left/kind.yaml: missing"),
        ("team_left/kind.yaml", _with("colour: blue\n"), "colour: Extra inputs"),
        ("team_left/kind.yaml", _with("  age: {sample: 7}\n"), "variables.age.sample: Input should be a valid string"),
        ("team_left/kind.yaml", _with("  age: {sample: ''}\n"), "variables.age.sample"),
        ("team_left/kind.yaml", _with("  age: {sample: a, limit: 3}\n"), "variables.age.limit: Extra inputs"),
        ("team_left/kind.yaml", _with("  age: {sample: abcd, max_length: 3}\n"), "variable age has 4 characters"),
        ("team_left/kind.yaml", _with("  age: {sample: a, max_length: 9999}\n"), "less than or equal to 2000"),
        ("team_left/kind.yaml", _with("  links: {sample: a}\n"), "links is given to every template"),
        ("team_left/kind.yaml", _with("  Not-A-Name: {sample: a}\n"), "String should match pattern"),
        ("team_left/kind.yaml", _with("]["), "team_left/kind.yaml: "),
        ("team_left/kind.yaml", lambda path: path.write_text("- a"), "valid dictionary"),
        ("team_left/kind.yaml", _without("policy: at_most_once\n"), "policy: Field required"),
        ("team_left/fr.jinja", _with("{% block oops %}"), "team_left/fr.jinja: line "),
        ("team_left/fr.jinja", _with("{% block oops %}{% endblock %}"), "fills the block oops, which no layout has"),
        ("team_left/fr.jinja", _without("{% block title %}"), "team_left/fr.jinja: line "),
        ("team_left/fr.jinja", _without("{% block button %}VOIR MES ÉQUIPES{% endblock %}"), "'button'"),
        ("team_left/fr.jinja", _without("Retrait d’une équipe"), "its subject is empty"),
        ("team_left/fr.jinja", _without("layout/"), "team_left/fr.jinja: fr.jinja"),
        ("team_left/fr.jinja", _with("{% if false %}{{ colour }}{% endif %}"), "uses the variable colour, which"),
        ("team_left/kind.yaml", _without("  username: {max_length: 255, sample: ada}\n"), "'username' is undefined"),
        ("layout/fr.jinja", _with("{{"), "layout/fr.jinja: line "),
        ("team_left/en.jinja", _with(ESCAPE), "unsafe"),
        ("layout/page.txt", Path.unlink, "layout/page.txt: missing"),
        ("team_left/de.html", Path.touch, "team_left/de.html: unknown file"),
        ("team_left/french.jinja", Path.touch, "team_left/french.jinja: unknown file"),
        ("Upper/kind.yaml", lambda path: path.parent.mkdir() or path.touch(), "Upper: not a valid kind"),
        ("raw/kind.yaml", lambda path: path.parent.mkdir() or path.touch(), "raw: not a valid kind"),
        (
            "team_left/en.jinja",
            lambda path: path.write_bytes(b"\xff"),
            "team_left/en.jinja: cannot be read, or is not UTF-8",
        ),
    ],
)
def test_a_folder_with_a_fault_is_refused(folder: Path, file: str, spoil: Spoiling, said: str) -> None:
    spoil(folder / file)
    assert any(said in fault for fault in faults(folder)), faults(folder)


def test_all_faults_are_told_at_once(folder: Path) -> None:
    (folder / "team_joined/en.jinja").unlink()
    (folder / "team_left/kind.yaml").write_text("policy: sometimes\nvariables: {}\n")
    (folder / "verify_account/fr.jinja").write_text("{{ nobody }}")
    (folder / "team_dissolved/fr.jinja").write_text("{% block %}")
    told = faults(folder)
    for file in ("team_joined/en.jinja", "team_left/kind.yaml", "verify_account/fr.jinja", "team_dissolved/fr.jinja"):
        assert any(fault.startswith(file) for fault in told), file


def test_a_folder_without_kinds_is_refused(tmp_path: Path) -> None:
    assert "no kinds of mail found" in faults(tmp_path)[0]
    assert "no kinds of mail found" in faults(tmp_path / "nowhere")[0]


def test_the_page_on_adding_a_mail_makes_a_kind(tmp_path: Path) -> None:
    *making, preview = boxes(PAGE)
    folder = tmp_path / "extracted/mailer/templates"
    shutil.copytree(TEMPLATES, folder)
    shutil.rmtree(folder / EXAMPLE)
    for box in making:
        subprocess.run(["bash", "-euc", box], cwd=tmp_path, check=True, timeout=240)
    assert preview.split() == ["polycode", "mails", "preview", EXAMPLE, "--locale", "fr"]
    assert Templates(LINKS, folder).preview(EXAMPLE, "fr") == SHIPPED.preview(EXAMPLE, "fr")
    made = {path.name: path.read_text() for path in (folder / EXAMPLE).iterdir()}
    assert made == {path.name: path.read_text() for path in (TEMPLATES / EXAMPLE).iterdir()}
