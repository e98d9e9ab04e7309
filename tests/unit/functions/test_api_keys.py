"""FUNCTIONS_API_KEYS: for whom a key is, and that nothing by mistake makes it one for all."""

import pytest

from functions.settings import ApiKey

SHA256 = "0" * 64


@pytest.mark.parametrize(
    ("text", "enterprise_ids"),
    [
        (f"billing:{SHA256}", None),
        (f"billing:{SHA256}:*", None),
        (f"billing:{SHA256}:ent1", {"ent1"}),
        (f"billing:{SHA256}: ent1 ,ent2,", {"ent1", "ent2"}),
    ],
)
def test_a_key_is_for_the_enterprises_named_or_for_all(text: str, enterprise_ids: set[str] | None) -> None:
    assert ApiKey.parse(text).enterprise_ids == enterprise_ids


@pytest.mark.parametrize("enterprises", ["", " ", ",", " , "])
def test_an_empty_list_is_refused_and_makes_no_operator(enterprises: str) -> None:
    with pytest.raises(ValueError, match="the list of enterprises of billing is empty") as refused:
        ApiKey.parse(f"billing:{SHA256}:{enterprises}")

    assert SHA256 not in str(refused.value)
