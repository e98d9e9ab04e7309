"""However many enterprises are counted, so many have names."""

from shared.telemetry.enterprise_names import OTHERS, EnterpriseNames


def test_of_thousands_that_all_fail_so_many_are_named() -> None:
    names = EnterpriseNames(most=100, most_in_trouble=50)

    for number in range(5000):
        names.name(f"quiet-{number}")
    given = {names.name(f"failing-{number}", in_trouble=True) for number in range(5000)}

    assert len(given) == 51
    assert OTHERS in given
    assert names.name("quiet-99") == "quiet-99"
    assert names.name("quiet-100") == OTHERS


def test_who_is_named_once_stays_so_whatever_befalls() -> None:
    names = EnterpriseNames(most=1, most_in_trouble=1)

    assert names.name("first", in_trouble=True) == "first"
    assert names.name("second") == OTHERS
    assert names.name("second", in_trouble=True) == "second"
    assert names.name("third", in_trouble=True) == OTHERS
    assert [names.name(each) for each in ("first", "second", "third")] == ["first", "second", OTHERS]
