"""The image, built once for all who look at it, and its root file system."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.image import ingredients
from tests.image.builder import Builder, Image


@dataclass(frozen=True)
class Built:
    """The image, where its file system lies, and what it was built of and with."""

    image: Image
    root: Path
    sources: Path
    builder: Builder


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    if reason := ingredients.missing():
        pytest.skip(reason)
    directory = tmp_path_factory.mktemp("image")
    with Builder(directory / "builder") as builder:
        sources = ingredients.sources(directory)
        image = builder.build(sources, "localhost/xnovu:tested")
        with builder.mounted(image) as root:
            yield Built(image, root, sources, builder)
