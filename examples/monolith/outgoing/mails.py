"""The three mails of contract section 8, from one template. Names are not escaped, as in the monolith."""

from dataclasses import dataclass
from string import Template

from examples.monolith.settings import MailSettings

_PAGE = Template("""\
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>$subject</title></head>
<body style="margin: 0; background: #f4f4f4; font-family: sans-serif; color: #333">
<div style="display: none; max-height: 0; overflow: hidden">$text</div>
<table role="presentation" width="600" align="center" cellpadding="24" style="background: #fff">
<tr><td><h1 style="font-weight: 400">$title</h1></td></tr>
<tr><td><p>Hi $username,</p><p>$text</p></td></tr>
<tr><td align="center"><a href="$link" style="padding: 12px 24px; background: #222; color: #fff">$button</a></td></tr>
<tr><td><p>If that doesn't work, copy and paste the following link in your browser:</p>
<p><a href="#">$link</a></p></td></tr>
<tr><td><p>Cheers,<br>PolyCode Team</p></td></tr>
</table>
</body>
</html>
""")


@dataclass(frozen=True, slots=True)
class Mail:
    """An HTML mail to one address."""

    recipient: str
    subject: str
    html: str


def verification(settings: MailSettings, recipient: str, username: str, token: str) -> Mail:
    return _mail(
        recipient,
        "Verify your account",
        username=username,
        title="Welcome to PolyCode!",
        text="We're excited to have you get started. First, you need to confirm your account. "
        "Just press the button below.",
        button="Confirm Account",
        link=f"{settings.www_url}{settings.verification_path}{token}",
    )


def joined_team(settings: MailSettings, recipient: str, username: str, inviter: str, team: str) -> Mail:
    return _mail(
        recipient,
        "Added to a team",
        username=username,
        title="You have been added to a team",
        text=f"{inviter} added you in {team} team.",
        button="SEE MY TEAMS",
        link=f"{settings.www_url}{settings.teams_path}",
    )


def left_team(settings: MailSettings, recipient: str, username: str, team: str) -> Mail:
    return _mail(
        recipient,
        "Removed from a team",
        username=username,
        title="You have been removed from a team",
        text=f"You are no longer a member of the {team} team",
        button="SEE MY TEAMS",
        link=f"{settings.www_url}{settings.teams_path}",
    )


def _mail(recipient: str, subject: str, **words: str) -> Mail:
    return Mail(recipient, subject, _PAGE.substitute(words, subject=subject))
