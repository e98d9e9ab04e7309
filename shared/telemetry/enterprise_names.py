"""Which enterprises a process names in its metrics: so many and no more, as each name is series that never go again."""

ENTERPRISE = "xnovu.enterprise.id"
OTHERS = "//others"
"""In place of the ids of those that are not named: no enterprise's id."""

MOST_NAMED = 100
MOST_IN_TROUBLE = 100


class EnterpriseNames:
    """The first enterprises that are counted, and beside them the first whose notifications fail: a small deployment
    names everybody, a large one those who need somebody to look. Who is named stays so.
    """

    def __init__(self, most: int = MOST_NAMED, most_in_trouble: int = MOST_IN_TROUBLE) -> None:
        self._most = most
        self._most_in_trouble = most_in_trouble
        self._named: set[str] = set()
        self._in_trouble: set[str] = set()

    def name(self, enterprise_id: str, *, in_trouble: bool = False) -> str:
        """The id, or OTHERS; the same until the enterprise is `in_trouble`, and the same from then on."""
        if enterprise_id in self._named or enterprise_id in self._in_trouble:
            return enterprise_id
        if len(self._named) < self._most:
            self._named.add(enterprise_id)
        elif in_trouble and len(self._in_trouble) < self._most_in_trouble:
            self._in_trouble.add(enterprise_id)
        else:
            return OTHERS
        return enterprise_id


names = EnterpriseNames()
"""This process's: all its metrics name the same."""
