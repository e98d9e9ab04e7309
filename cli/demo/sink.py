"""What the Novu sink was called with."""

import httpx

from cli.demo.verdict import SinkCall


async def read_calls(http: httpx.AsyncClient, sink_url: str) -> list[SinkCall]:
    """Every event the sink accepted, in the order they came."""
    response = await http.get(f"{sink_url}/_sink/calls")
    response.raise_for_status()
    return [
        SinkCall(call["transaction_id"], call["received_at_ns"] / 1e9, call["duplicate"])
        for call in response.json()["calls"]
    ]
