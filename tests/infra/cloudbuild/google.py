"""What gcloud, docker and curl do of what the steps ask, refusing what Google refuses; builder.py starts it as each.

`folder` holds what there is: `buckets/` with objects as files, and `registry.json` with digests by tag. Where a
`rights.json` is there, what it does not grant is refused.
"""

import json
import re
import sys
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

NEEDS = {
    r"docker buildx build ": "artifactregistry.repositories.uploadArtifacts",
    r"docker (buildx imagetools inspect|pull) |curl .*/manifests/": "artifactregistry.repositories.downloadArtifacts",
    r"curl .*--request PATCH .*run\.googleapis\.com/v2/.*/workerPools/": "run.workerpools.update",
    r"curl .*run\.googleapis\.com/v2/.*/workerPools/": "run.workerpools.get",
    r"gcloud artifacts docker images list-vulnerabilities": "ondemandscanning.scans.listVulnerabilities",
    r"gcloud artifacts docker images scan": "ondemandscanning.scans.analyzePackages",
    r"gcloud auth print-identity-token": "iam.serviceAccounts.getOpenIdToken",
    r"gcloud builds list": "cloudbuild.builds.list",
    r"gcloud run jobs execute": "run.jobs.run",
    r"gcloud secrets versions describe": "secretmanager.versions.get",
    r"terraform apply": "run.services.update",
    r"terraform plan": "run.services.get",
}
"""Which permission a command wants, by its line; of objects see below."""

IMAGE = re.compile(r"[a-z0-9-]+-docker\.pkg\.dev(/[a-z0-9-]+){3,}(:[\w.-]+|@sha256:[0-9a-f]{64})?")
"""Host, project, repository and at least a name: Artifact Registry answers NAME_INVALID to less."""


class Google:
    """Google, as far as builds ask it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        rights = folder / "rights.json"
        self._rights: list[list[str]] | None = json.loads(rights.read_text()) if rights.exists() else None

    def permit(self, name: str, arguments: list[str]) -> None:
        """Refuse what this account may not do, before anything answers."""
        if self._rights is None:
            return
        line = " ".join([name, *arguments])
        needed = next((permission for begins, permission in NEEDS.items() if re.match(begins, line)), None)
        if needed is not None and needed not in {permission for permission, _ in self._rights}:
            fail(f"ERROR: HTTPError 403: Permission '{needed}' denied: {line}")
        if name == "terraform":
            self._state(arguments)

    def _state(self, arguments: list[str]) -> None:
        """What Terraform's backend wants of the bucket that its init has named."""
        backend = Path(".terraform") / "backend"
        if arguments[0] == "init":
            given = dict(
                each.removeprefix("-backend-config=").split("=", 1) for each in arguments if "-config=" in each
            )
            backend.parent.mkdir(exist_ok=True)
            backend.write_text(f"gs://{given['bucket']}/{given['prefix']}/default.")
        named = backend.read_text() if backend.exists() else ""
        reads, locks = arguments[0] not in ("show", "fmt"), arguments[0] in ("plan", "apply")
        if named and reads:
            self._need("storage.objects.get", f"{named}tfstate")
            self._need("storage.objects.list", named)
        if named and locks:
            self._need("storage.objects.create", f"{named}tflock")
            self._need("storage.objects.delete", f"{named}tflock")
        if named and arguments[0] == "apply":
            self._need("storage.objects.create", f"{named}tfstate")
            self._need("storage.objects.delete", f"{named}tfstate")

    def answer(self, name: str, arguments: list[str]) -> None:
        """Do it; what is not known here is done without a word."""
        if name == "gcloud" and arguments[:2] == ["storage", "cp"]:
            self._copy(arguments[2:-1], arguments[-1])
        elif name == "gcloud" and arguments[:2] == ["storage", "cat"]:
            sys.stdout.buffer.write(self._read(arguments[2]))
        elif name == "docker" and arguments[:2] == ["buildx", "build"]:
            self._build(arguments)
        elif name == "curl" and "/manifests/" in arguments[-1]:
            self._manifest(arguments)

    def _copy(self, sources: list[str], target: str) -> None:
        if target.startswith("gs://"):
            # Is it there, or else a folder? gcloud looks before it writes.
            if not target.endswith("/"):
                self._need("storage.objects.get", target)
            if not self._object(target).is_file():
                self._need("storage.objects.list", target)
            for source in sources:
                found = target + Path(source).name if target.endswith("/") else target
                path = self._object(found)
                self._need("storage.objects.delete" if path.exists() else "storage.objects.create", found)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(Path(source).read_bytes())
        else:
            for source in sources:
                Path(target).write_bytes(self._read(source))

    def _read(self, url: str) -> bytes:
        self._need("storage.objects.get", url)
        path = self._object(url)
        if not path.exists():
            self._need("storage.objects.list", url)  # without it Google does not even say that nothing is there
            fail(f"ERROR: (gcloud.storage.cp) The following URLs matched no objects or files:\n-{url}")
        return path.read_bytes()

    def _object(self, url: str) -> Path:
        return self.folder / "buckets" / url.removeprefix("gs://")

    def _build(self, arguments: list[str]) -> None:
        given = dict(
            pairwise([part for each in arguments for part in (each.split("=", 1) if each[:2] == "--" else [each])])
        )
        caches = [
            re.search(r"ref=([^,]+)", given[option]) for option in ("--cache-from", "--cache-to") if option in given
        ]
        for reference in [given["--tag"], *(found[1] if found else "" for found in caches)]:
            if not IMAGE.fullmatch(reference):
                fail(f"ERROR: failed to solve: {reference}: NAME_INVALID: Missing image name")
        registry = self.registry()
        if given["--tag"] in registry:
            fail(f"ERROR: failed to push {given['--tag']}: cannot update tag: the repository has tag immutability")
        if given.get("--platform") != "linux/amd64":
            fail("ERROR: an image for this machine, which Cloud Run may not be able to run")
        if "SOURCE_DATE_EPOCH=0" in arguments:
            fail("ERROR: an image of 1970")
        digest = f"sha256:{len(registry) + 1:012x}{0:052x}"
        (self.folder / "registry.json").write_text(json.dumps({**registry, given["--tag"]: digest}))
        Path(given["--metadata-file"]).write_text(json.dumps({"containerimage.digest": digest}, indent=2))

    def _manifest(self, arguments: list[str]) -> None:
        given = dict(pairwise(arguments))
        host, _, path = arguments[-1].removeprefix("https://").partition("/v2/")
        image, _, tag = path.rpartition("/manifests/")
        digest = self.registry().get(f"{host}/{image}:{tag}")
        Path(given["--output"]).write_text(
            f"HTTP/2 200\r\nDocker-Content-Digest: {digest}\r\n" if digest else "HTTP/2 404\r\n"
        )
        sys.stdout.write("200" if digest else "404")

    def registry(self) -> dict[str, str]:
        """Digests by tag."""
        path = self.folder / "registry.json"
        found: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        return found

    def _need(self, permission: str, url: str) -> None:
        _, _, name = url.removeprefix("gs://").partition("/")
        where = "" if permission == "storage.objects.list" else name
        if self._rights is not None and not any(
            permission == granted and (url if prefix.startswith("gs://") else where).startswith(prefix)
            for granted, prefix in self._rights
        ):
            fail(f"ERROR: (gcloud.storage) HTTPError 403: does not have {permission} access to {url}")


def fail(text: str) -> NoReturn:
    """End as the tool would."""
    print(text, file=sys.stderr)  # noqa: T201
    sys.exit(1)
