"""The adapter of Cloud Run's worker pools, over the service's own protocol."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest

from shared.cloud_run.worker_pool import CloudRunWorkerPool
from shared.ports import PoolChanged, PoolUnavailable
from stack.processes import free_port
from tests.cloud_run.serving import serving
from tests.cloud_run.worker_pools import WorkerPools

NAME = "projects/p/locations/l/workerPools/worker"


@asynccontextmanager
async def opened(pools: WorkerPools, name: str = NAME) -> AsyncIterator[CloudRunWorkerPool]:
    async with serving(pools) as endpoint:
        pool = CloudRunWorkerPool(name, endpoint)
        yield pool
        await pool.close()


def a_pool(instances: int | None) -> WorkerPools:
    return WorkerPools(NAME, on_change=lambda _: None, instances=instances)


@pytest.mark.parametrize(("instances", "read"), [(0, 0), (3, 3), (None, 1)])
async def test_the_count_is_read_as_cloud_run_means_it(instances: int | None, read: int) -> None:
    async with opened(a_pool(instances)) as pool:
        assert (await pool.read()).instances == read


@pytest.mark.parametrize("count", [5, 0])
async def test_the_count_is_set_and_nothing_else(count: int) -> None:
    pools = a_pool(2)

    async with opened(pools) as pool:
        await pool.set_count(count, await pool.read())
        read_again = await pool.read()

    assert pools.instances == read_again.instances == count


async def test_a_pool_that_somebody_else_has_changed_is_left_alone() -> None:
    pools = a_pool(2)

    async with opened(pools) as pool:
        seen = await pool.read()
        pools.set_by_hand(7)
        with pytest.raises(PoolChanged):
            await pool.set_count(3, seen)

    assert pools.instances == 7


async def test_one_answer_that_does_not_come_is_asked_for_again_when_reading() -> None:
    pools = a_pool(2)
    pools.fails = [grpc.StatusCode.UNAVAILABLE]

    async with opened(pools) as pool:
        assert (await pool.read()).instances == 2


@pytest.mark.parametrize("code", [grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.INTERNAL])
async def test_a_refusal_names_its_cause(code: grpc.StatusCode) -> None:
    pools = a_pool(2)

    async with opened(pools) as pool:
        seen = await pool.read()
        pools.fails = [code]
        with pytest.raises(PoolUnavailable, match="as a test has asked"):
            await pool.read()
        pools.fails = [code]
        with pytest.raises(PoolUnavailable, match="as a test has asked"):
            await pool.set_count(3, seen)


async def test_an_accepted_change_that_fails_afterwards_is_noticed() -> None:
    pools = a_pool(2)
    pools.operation_error = "quota exceeded"

    async with opened(pools) as pool:
        with pytest.raises(PoolUnavailable, match="quota exceeded"):
            await pool.set_count(3, await pool.read())


async def test_a_pool_that_is_not_there_and_a_service_that_is_not_there() -> None:
    async with opened(a_pool(1), f"{NAME}-2") as pool:
        with pytest.raises(PoolUnavailable, match="there is no"):
            await pool.read()

    nobody = CloudRunWorkerPool(NAME, f"127.0.0.1:{free_port()}")
    with pytest.raises(PoolUnavailable):
        await nobody.read()
    await nobody.close()


async def test_without_credentials_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")

    with pytest.raises(PoolUnavailable, match="DefaultCredentialsError"):
        CloudRunWorkerPool(NAME)
