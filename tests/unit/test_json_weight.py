"""What a JSON text would weigh: by its values, wherever it is cut, and by its widest character."""

import json
import random
import tracemalloc

import pytest
from pydantic_core import from_json

from shared.json_weight import FREE_BYTES, VALUE_BYTES, JsonWeight

SIZE = 640 * 1024
HOSTILE = {
    "objects": b"[" + b"{}," * (SIZE // 3) + b"0]",
    "lists in lists": b"[" + b"[[[[[[[[[[]]]]]]]]]]," * (SIZE // 21) + b"0]",
    "objects in objects": b"[" + b'{"":{"":{}}},' * (SIZE // 13) + b"0]",
    "keys": b"{" + b",".join(b'"%06x":1.5' % i for i in range(SIZE // 13)) + b"}",
    "numbers": b"[" + b"1.5," * (SIZE // 4) + b"0]",
    "short texts": b"[" + b",".join(b'"%04x"' % (i % 65536) for i in range(SIZE // 7)) + b"]",
    "one wide text": b'"' + b"x" * SIZE + "😀".encode() + b'"',
    "one escaped wide text": b'"' + b"x" * SIZE + b'\\ud83d\\ude00"',
}


def weighs_more_than(most_bytes: int, text: bytes, piece_bytes: int = 64 * 1024) -> bool:
    weight = JsonWeight(most_bytes)
    return any(weight.is_too_much(text[at : at + piece_bytes]) for at in range(0, len(text), piece_bytes))


@pytest.mark.parametrize("kind", HOSTILE)
def test_whatever_passes_weighs_no_more_than_it_may(kind: str) -> None:
    tracemalloc.start()
    value = from_json(HOSTILE[kind])
    used = tracemalloc.get_traced_memory()[0] + len(HOSTILE[kind])
    tracemalloc.stop()

    assert value
    assert weighs_more_than(used - 1, HOSTILE[kind])


def test_what_stands_in_a_text_is_no_value() -> None:
    row = {"payload": json.dumps({"list": [{}, {}, "a\\"] * 300_000}), "body": "{,[" * 300_000 + '\\"' * 1000}
    text = json.dumps([row]).encode()

    assert not weighs_more_than(2 * len(text) + 100 * VALUE_BYTES, text)


@pytest.mark.parametrize("seed", range(3))
def test_it_does_not_matter_where_the_text_is_cut(seed: int) -> None:
    chance = random.Random(seed)
    text = b"[" + b",".join(chance.choice([b'"\\\\"', b'"\\""', b"{}", b'"[,{"', b"1"]) for _ in range(150_000)) + b"]"
    text += b" " * (FREE_BYTES + 1 - len(text))
    whole = JsonWeight(10**9)
    whole.is_too_much(text)
    exact = whole._bytes()

    weight, at = JsonWeight(exact - 1), 0
    cut = False
    while at < len(text):
        size = chance.randint(1, 2000)
        cut = weight.is_too_much(text[at : at + size])
        at += size

    assert cut
    assert weight._bytes() == exact
