"""Signatures: by any of our secrets, of this body, lately."""

import base64
import hashlib
import hmac
from collections.abc import Mapping

import pytest

from functions.problems import Problem, ProblemCode
from functions.webhook_signatures import TOLERANCE_SECONDS, Signatures

OLD, NEW, THEIRS = b"the old secret, sixteen", b"the new secret, sixteen", b"another's secret, sixteen"
NOW = 1_800_000_000
BODY = b'{"type": "message.sent"}'


def signed(secret: bytes = NEW, *, at: int = NOW, body: bytes = BODY, name: str = "webhook") -> dict[str, str]:
    digest = hmac.digest(secret, b".".join([b"evt_1", str(at).encode(), body]), hashlib.sha256)
    return {
        f"{name}-id": "evt_1",
        f"{name}-timestamp": str(at),
        f"{name}-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def check(headers: Mapping[str, str], body: bytes = BODY) -> None:
    Signatures([OLD, NEW], clock=lambda: NOW).check(headers, body)


@pytest.mark.parametrize(
    "headers",
    [
        signed(),
        signed(OLD),
        signed(name="svix"),
        signed(at=NOW - TOLERANCE_SECONDS),
        signed(at=NOW + TOLERANCE_SECONDS),
        {**signed(), "webhook-signature": f"v1,AAAA v2,BBBB {signed()['webhook-signature']}"},
    ],
    ids=["new secret", "old secret", "svix names", "oldest", "newest", "one of several"],
)
def test_what_novu_signed_lately_is_taken(headers: Mapping[str, str]) -> None:
    check(headers)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        signed(THEIRS),
        signed(at=NOW - TOLERANCE_SECONDS - 1),
        signed(at=NOW + TOLERANCE_SECONDS + 1),
        signed(body=BODY + b" "),
        {**signed(), "webhook-id": "evt_2"},
        {**signed(), "webhook-id": ""},
        {**signed(), "webhook-timestamp": str(NOW - 1)},
        {**signed(), "webhook-timestamp": "now"},
        {**signed(), "webhook-timestamp": f"+{NOW}"},
        {**signed(), "webhook-timestamp": "٣"},
        {**signed(), "webhook-timestamp": "9" * 5000},
        {**signed(), "webhook-signature": signed()["webhook-signature"].replace("v1,", "v2,")},
        {**signed(), "webhook-signature": "v1,not base64"},
        {**signed(), "webhook-signature": "v1,é"},
        {**signed(), "webhook-signature": "v1,"},
        {**signed(), "webhook-signature": "v1,AAAA " * 10 + signed()["webhook-signature"]},
    ],
)
def test_anything_else_is_refused(headers: Mapping[str, str]) -> None:
    with pytest.raises(Problem) as caught:
        check(headers)

    assert caught.value.code is ProblemCode.INVALID_SIGNATURE
