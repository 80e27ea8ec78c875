"""From a consumer's word to the client's answer."""

import pytest

from strangler_gateway.exchange.own_answers import render
from strangler_gateway.exchange.replies import Reply
from strangler_gateway.publish.answers import accepted, busy, told, unconfirmed, untaken
from strangler_gateway.publish.waiting import ConsumerOutcome
from strangler_gateway.table.routes import ErrorTemplate
from strangler_gateway.table.rules.publish import OutcomeRule, PublishRules

RULES = PublishRules("e", "a.b.v1", "r", location="/orders/{message_id}")
SHAPES = {"default": ErrorTemplate("application/problem+json", '{"detail":"{message}"}')}


def answered(status: int, texts: dict[str, str] | None = None, rules: PublishRules = RULES, **given: object) -> Reply:
    rule = OutcomeRule("word", status, **given)  # type: ignore[arg-type]  # as the test says
    return told(rules, rule, ConsumerOutcome("word", tuple((texts or {}).items())), "m-1")


def sent(reply: Reply) -> tuple[dict[str, str], str]:
    fields, body = render(reply, "gw", SHAPES, b"")
    return {name.decode().lower(): value.decode() for name, value in fields}, body.decode()


def test_no_content_has_neither_a_body_nor_fields_of_one() -> None:
    fields, body = sent(answered(204))
    assert (fields, body) == ({"proxy-status": "gw"}, "")


def test_a_refusal_is_shaped_as_errors_are() -> None:
    fields, body = sent(answered(403, message='Not "enough".'))
    assert body == '{"detail":"Not \\"enough\\"."}'
    assert fields["content-type"] == "application/problem+json"


def test_a_success_tells_the_id_of_the_message() -> None:
    fields, body = sent(answered(201, message="Done."))
    assert body == '{"statusCode": 201, "message": "Done.", "id": "m-1"}'
    assert (fields["content-type"], fields["content-length"]) == ("application/json; charset=utf-8", str(len(body)))


@pytest.mark.parametrize(
    ("template", "texts", "place"),
    [
        ("/orders/{orderId}", {"orderId": "o-1"}, "/orders/o-1"),
        ("/orders/{orderId}", {}, "/orders/m-1"),
        ("/orders/{orderId}", {"orderId": ""}, "/orders/m-1"),
        ("/orders/{message_id}", {"message_id": "forged"}, "/orders/m-1"),
        (
            "/orders/{orderId}",
            {"orderId": "../a?b#c\r\nX: y {orderId}"},
            "/orders/..%2Fa%3Fb%23c%0D%0AX%3A%20y%20%7BorderId%7D",
        ),
        ("/orders/{orderId}", {"orderId": "\u00fc\ud800"}, "/orders/%C3%BC%3F"),
        ("/all", {}, "/all"),
        (None, {"orderId": "o-1"}, None),
    ],
)
def test_a_location_is_filled_with_texts_of_the_reply_each_one_segment(
    template: str | None, texts: dict[str, str], place: str | None
) -> None:
    fields, _ = sent(answered(204, texts, location=template))
    assert fields.get("location") == place


def test_a_location_that_nothing_fills_is_left_out() -> None:
    fields, _ = sent(answered(204, rules=PublishRules("e", "a.b.v1", "r"), location="/orders/{orderId}"))
    assert "location" not in fields


def test_a_template_of_a_body_takes_texts_as_json_and_fills_nothing_twice() -> None:
    texts = {"who": 'a"b\n{message_id}'}
    _, body = sent(answered(200, texts, body='{"id":"{message_id}","who":"{who}","none":"{none}"}'))
    assert body == '{"id":"m-1","who":"a\\"b\\n{message_id}","none":""}'


def test_an_outcome_may_ask_for_patience() -> None:
    fields, _ = sent(answered(503, retry_after_s=7))
    assert fields["retry-after"] == "7"


def test_accepted_tells_where_the_outcome_will_be() -> None:
    fields, body = sent(accepted(RULES, "m-1"))
    assert (fields["location"], '"id": "m-1"' in body) == ("/orders/m-1", True)
    assert "location" not in sent(accepted(PublishRules("e", "a.b.v1", "r"), "m-1"))[0]


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (unconfirmed(True), "with the same Idempotency-Key"),
        (unconfirmed(False), "a second attempt cannot be recognised"),
        (untaken(), "was not accepted"),
        (busy(), "Send it again"),
    ],
)
def test_what_failed_here_may_be_sent_again_after_a_while(reply: Reply, said: str) -> None:
    fields, body = sent(reply)
    assert (reply.status, said in body, int(fields["retry-after"]) >= 1) == (503, True, True)
    assert "error=" in fields["proxy-status"]
