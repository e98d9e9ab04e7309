"""Port `NovuRates`: Novu's rates, kept by all processes of a deployment together.

docs/decisions/0051-rates-are-taken-in-blocks.md says how.
"""

from shared.novu.rates.keeper import RateKeeper
from shared.novu.rates.limits import Limits, Plan, limits_of
from shared.novu.rates.unmetered import UNMETERED

__all__ = ["UNMETERED", "Limits", "Plan", "RateKeeper", "limits_of"]
