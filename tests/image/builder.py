"""buildah, with a store of its own that leaves nothing behind."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.image import ingredients

BASE = "localhost/xnovu-base:bookworm"


@dataclass(frozen=True)
class Image:
    """A built image: the configuration and the layers that its manifest names."""

    name: str
    configuration: dict[str, Any]
    layers: tuple[str, ...]


class Builder:
    """Builds with chroot isolation: it needs no daemon, and no network."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __enter__(self) -> Self:
        container = self._buildah("from", "scratch")
        self._buildah("add", "--quiet", container, str(ingredients.base()), "/")
        self._buildah("config", "--env", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", container)
        self._buildah("commit", "--quiet", "--rm", container, BASE)
        return self

    def __exit__(self, *_: object) -> None:
        self._buildah("umount", "--all")
        # The store is mounted on itself while it is in use.
        subprocess.run(["umount", str(self._directory / "store" / "overlay")], stderr=subprocess.DEVNULL)
        shutil.rmtree(self._directory)

    def build(self, sources: Path, name: str) -> Image:
        """Build the Dockerfile there from the beginning, by its own steps."""
        self._buildah(
            *(
                "bud",
                "--isolation=chroot",
                "--no-cache",
                "--timestamp=0",
                f"--volume={ingredients.wheels()}:/wheels:ro",
            ),
            *(f"--build-arg=BASE_IMAGE={BASE}", "--build-arg=PIP_NO_INDEX=1", "--build-arg=PIP_FIND_LINKS=/wheels"),
            *("--build-arg=REVISION=tested", f"--tag={name}", str(sources)),
        )
        inspected = json.loads(self._buildah("inspect", "--type=image", name))["OCIv1"]
        return Image(name, inspected["config"], tuple(inspected["rootfs"]["diff_ids"]))

    @contextmanager
    def mounted(self, image: Image) -> Iterator[Path]:
        """The image's root file system."""
        container = self._buildah("from", image.name)
        try:
            yield Path(self._buildah("mount", container))
        finally:
            self._buildah("rm", container)

    def _buildah(self, *arguments: str) -> str:
        store = ("--root", str(self._directory / "store"), "--runroot", str(self._directory / "run"))
        done = subprocess.run(["buildah", *store, *arguments], capture_output=True, text=True)
        assert done.returncode == 0, f"buildah {arguments[0]}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout.strip()
