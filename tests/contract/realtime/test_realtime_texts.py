"""The texts of the protocol: filters as they are parsed, values as the error texts print them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stack.edge.realtime.elixir_terms import inspect
from stack.edge.realtime.filters import FilterRefused, parse_filters
from stack.edge.realtime.settings import RealtimeSettings, SettingRefused


@pytest.mark.parametrize(
    ("text", "filters"),
    [
        ("", []),
        ("  ", []),
        ("a=eq.1", [("a", "eq", "1", False)]),
        ("a=not.eq.1", [("a", "eq", "1", True)]),
        ("a=gt.0,a=lt.9", [("a", "gt", "0", False), ("a", "lt", "9", False)]),
        ("a=in.(1,2),b=eq.x", [("a", "in", "{1,2}", False), ("b", "eq", "x", False)]),
        ('a=in.("x,y",z)', [("a", "in", '{"x,y",z}', False)]),
        ('a=eq."x,y"', [("a", "eq", "x,y", False)]),
        (r'a=eq."say \"x\""', [("a", "eq", 'say "x"', False)]),
        ('a=eq."open', [("a", "eq", '"open', False)]),
        ("a=eq.x=y.z", [("a", "eq", "x=y.z", False)]),
        ("a=is.null", [("a", "is", "null", False)]),
        ("a=eq.", [("a", "eq", "", False)]),
    ],
)
def test_a_filter_is_read_as_the_real_server_reads_it(text: str, filters: list[tuple[str, str, str, bool]]) -> None:
    assert [filter_.as_logged() for filter_ in parse_filters(text)] == filters


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("undefined", '["undefined"]'),
        ("a=eq", '["eq"]'),
        ("a=foo.bar.baz", '["foo", "bar.baz"]'),
        ("a=in.1,2", "`in` filter value must be wrapped by parentheses"),
        ("a=eq.1,,b=eq.2", "filter must not contain empty segments (check for extra commas)"),
    ],
)
def test_what_is_no_filter_is_refused_with_the_real_servers_words(text: str, reason: str) -> None:
    with pytest.raises(FilterRefused) as refused:
        parse_filters(text)

    assert str(refused.value) == reason


@given(st.lists(st.text(max_size=40), min_size=1, max_size=3))
def test_any_value_survives_between_double_quotes(values: list[str]) -> None:
    quoted = [value.replace("\\", "\\\\").replace('"', '\\"') for value in values]

    filters = parse_filters(",".join(f'a=eq."{value}"' for value in quoted))

    assert [filter_.value for filter_ in filters] == values


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (None, "nil"),
        (True, "true"),
        (5, "5"),
        ('say "x"\n', '"say \\"x\\"\\n"'),
        ("#{x}", '"\\#{x}"'),
        (["a", "b"], '["a", "b"]'),
        ({"b": 1, "a": None}, '%{"a" => nil, "b" => 1}'),
        ([("c", "eq", "1", False)], '[{"c", "eq", "1", false}]'),
        ([("c", "eq", "x" * 80, False)], f'[\n  {{"c", "eq",\n   "{"x" * 80}",\n   false}}\n]'),
        ({"a": "x" * 80}, f'%{{\n  "a" => "{"x" * 80}"\n}}'),
    ],
)
def test_values_are_printed_as_elixir_prints_them(value: object, printed: str) -> None:
    assert inspect(value) == printed


def test_settings_come_from_the_environment_by_their_names() -> None:
    environment = {"EDGE_POLL_INTERVAL_MS": "50", "EDGE_MAX_SOCKETS": "3", "UNRELATED": "x"}

    settings = RealtimeSettings.from_environment(environment)

    assert (settings.poll_interval_ms, settings.max_sockets) == (50, 3)
    assert settings.idle_poll_interval_ms == RealtimeSettings().idle_poll_interval_ms


@pytest.mark.parametrize("value", ["soon", "-1", "", "nan", "inf"])
def test_a_wrong_setting_is_refused_by_its_variables_name(value: str) -> None:
    with pytest.raises(SettingRefused, match="EDGE_JOIN_ERROR_DELAY_SECONDS"):
        RealtimeSettings.from_environment({"EDGE_JOIN_ERROR_DELAY_SECONDS": value})
