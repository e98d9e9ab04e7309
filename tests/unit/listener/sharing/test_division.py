"""Who hears which shard."""

from hypothesis import given
from hypothesis import strategies as st

from listener.sharing.division import divide

SHARDS = st.frozensets(st.integers(0, 15))
LISTENERS = st.frozensets(st.text("abcdef0123456789", min_size=16, max_size=16), min_size=1, max_size=20)


@given(SHARDS, LISTENERS)
def test_every_shard_is_one_listeners_and_nobodys_share_is_above_the_rounded_up(
    shards: frozenset[int], listeners: frozenset[str]
) -> None:
    shares = divide(shards, listeners)

    assert set(shares) == listeners
    assert sorted(shard for share in shares.values() for shard in share) == sorted(shards)
    assert all(len(share) <= -(-len(shards) // len(listeners)) for share in shares.values())


@given(SHARDS, LISTENERS)
def test_everybody_reckons_the_same(shards: frozenset[int], listeners: frozenset[str]) -> None:
    assert divide(sorted(shards), sorted(listeners)) == divide(shards, sorted(listeners, reverse=True))
