"""What intake and operators do with rows: a key once, all or none, found again, changed by hand."""

import asyncio
from dataclasses import replace

import pytest

from extracted.mailer.domain import RAW, MailState, Policy, Templated
from extracted.mailer.ports import KeyUsed, MailStateConflict
from tests.unit.extracted.mailer.databases import Kept, raw, wanted


async def test_a_request_becomes_a_row_with_its_history_and_its_key_gives_no_second_one(store: Kept) -> None:
    [mail] = await store.mails.add([wanted("message:1")])
    found = await store.mail(mail.id)
    assert found == mail
    assert (mail.state, mail.attempts, mail.ambiguities, mail.due_at) == (MailState.QUEUED, 0, 0, store.clock())
    assert await store.mails.find("00000000-0000-4000-8000-000000000000") is None
    swapped = Templated("verify_account", "en", {"token": "t-1", "username": "ada"})
    for repeated in (wanted("message:1"), wanted("message:1", content=swapped)):
        assert [again.id for again in await store.mails.add([repeated])] == [mail.id]
    assert len(await store.rows(store.tables.mails)) == 1
    _, history = await store.found(mail.id)
    assert [(event.state, event.by) for event in history] == [(MailState.QUEUED, None)]


@pytest.mark.parametrize(
    "other",
    [
        {"recipient": "bob@example.org"},
        {"content": Templated("verify_account", "en", {"username": "ada", "token": "t-2"})},
        {"content": Templated("verify_account", "fr", {"username": "ada", "token": "t-1"})},
        {"content": raw()},
    ],
)
async def test_a_key_with_another_content_is_refused(store: Kept, other: dict[str, object]) -> None:
    await store.mails.add([wanted("message:1")])
    with pytest.raises(KeyUsed):
        await store.mails.add([replace(wanted("message:1"), **other)])  # type: ignore[arg-type]  # a case's fields


async def test_many_are_added_all_or_none(store: Kept) -> None:
    await store.mails.add([wanted("message:3", "somebody@example.org")])
    with pytest.raises(KeyUsed):
        await store.mails.add([wanted(f"message:{n}") for n in range(500)])
    assert len(await store.rows(store.tables.mails)) == 1
    added = await store.mails.add([wanted(f"other:{n}") for n in range(500)])
    assert [mail.key for mail in added] == [f"other:{n}" for n in range(500)]


async def test_the_same_key_at_once_is_one_mail(store: Kept) -> None:
    added = await asyncio.gather(*(store.mails.add([wanted("message:1")]) for _ in range(8)))
    assert len({mail.id for [mail] in added}) == 1


async def test_a_raw_message_for_several_is_kept_once_and_byte_for_byte(store: Kept) -> None:
    content = bytes(range(256)) * 10
    people = [wanted(f"smtp:{n}", f"p{n}@example.org", content=raw(content)) for n in range(3)]
    added = await store.mails.add(people)
    await store.mails.add(people)
    assert [mail.kind for mail in added] == [RAW] * 3
    [kept] = await store.rows(store.tables.contents)
    assert kept["content"] == content
    claimed = await store.claimed()
    assert claimed.content == raw(content)


async def test_what_waits_is_cancelled_and_what_is_being_sent_is_not(store: Kept) -> None:
    [mail] = await store.mails.add([wanted()])
    cancelled = await store.mails.cancel(mail.id, "ada", "by mistake")
    assert cancelled is not None
    assert cancelled.state is MailState.CANCELLED
    assert await store.claim() is None
    [other] = await store.mails.add([wanted()])
    await store.claimed()
    with pytest.raises(MailStateConflict, match="the mail is sending"):
        await store.mails.cancel(other.id, "ada", "too late")
    assert await store.mails.cancel("none", "ada", "x") is None


async def test_a_failed_mail_is_sent_again_with_all_attempts(store: Kept) -> None:
    [mail] = await store.mails.add([wanted()])
    await store.queue.failed(await store.claimed(), "550 no", is_bounce=False)
    retried = await store.mails.retry(mail.id, "ada", "the address is right")
    assert retried is not None
    assert (retried.state, retried.attempts) == (MailState.QUEUED, 0)
    assert (await store.claimed()).mail_id == mail.id
    with pytest.raises(MailStateConflict, match="the mail is sending"):
        await store.mails.decide(mail.id, True, "ada", "x")


@pytest.mark.parametrize(("is_sent", "state"), [(True, MailState.SENT), (False, MailState.QUEUED)])
async def test_an_ambiguous_one_is_decided(store: Kept, is_sent: bool, state: MailState) -> None:
    [mail] = await store.mails.add([wanted(policy=Policy.AT_MOST_ONCE)])
    await store.queue.ambiguous(await store.claimed(), "no answer", None)
    decided = await store.mails.decide(mail.id, is_sent, "ada", "asked the provider")
    assert decided is not None
    assert (decided.state, decided.ambiguities) == (state, 1)
