"""Google Cloud as a place to run and to send telemetry to (facts: its OTLP endpoint wants `gcp.project_id`)."""

import os
from functools import cache
from typing import TYPE_CHECKING

import httpx

from shared.telemetry.wanted import is_on_cloud_run

if TYPE_CHECKING:
    from google.auth.transport.requests import AuthorizedSession

OTLP_ENDPOINT = "https://telemetry.googleapis.com"
_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
_METADATA_TIMEOUT_SECONDS = 2.0


class GoogleCloudUnavailable(Exception):
    """Neither the environment nor the metadata server says who we are."""


def is_on_google_cloud() -> bool:
    """Whether this process is one of Cloud Run's."""
    return is_on_cloud_run(os.environ)


@cache
def project_id() -> str | None:
    """The project this process belongs to; None away from Cloud Run, or if nothing names it."""
    if not is_on_google_cloud():
        return None
    return os.environ.get("GOOGLE_CLOUD_PROJECT") or _metadata("project/project-id")


@cache
def resource_attributes() -> dict[str, str]:
    """Who we are on Cloud Run, as Google Cloud's metrics want it: without an instance's id, the series of two would
    collide. Nothing elsewhere.
    """
    if not is_on_google_cloud():
        return {}
    region = (_metadata("instance/region") or "").rpartition("/")[2]
    attributes = {
        "cloud.provider": "gcp",
        "cloud.platform": "gcp_cloud_run",
        "cloud.region": region,
        "gcp.project_id": project_id() or "",
        "service.instance.id": _metadata("instance/id") or "",
    }
    return {name: value for name, value in attributes.items() if value}


def asks_metadata_server() -> bool:
    """Whether Google's metadata server answers; it takes up to two seconds where there is none."""
    return bool(_metadata("project/project-id"))


def open_session() -> "AuthorizedSession":
    """A session that sends our credentials and renews them.

    Raises:
        GoogleCloudUnavailable: there are no credentials, or no project.
    """
    import google.auth  # six megabytes that nobody needs elsewhere
    from google.auth.exceptions import GoogleAuthError
    from google.auth.transport.requests import AuthorizedSession

    try:
        credentials, _ = google.auth.default(scopes=_SCOPES)
    except GoogleAuthError as error:
        raise GoogleCloudUnavailable(type(error).__name__) from None
    if not project_id():
        raise GoogleCloudUnavailable("nothing names the project; set GOOGLE_CLOUD_PROJECT")
    return AuthorizedSession(credentials)  # type: ignore[no-untyped-call]


def _metadata(path: str) -> str | None:
    """What the metadata server knows under this path; None if it does not answer."""
    host = os.environ.get("GCE_METADATA_HOST", "metadata.google.internal")
    try:
        response = httpx.get(
            f"http://{host}/computeMetadata/v1/{path}",
            headers={"Metadata-Flavor": "Google"},
            timeout=_METADATA_TIMEOUT_SECONDS,
        )
        response.raise_for_status()
    except httpx.HTTPError:
        return None
    return response.text.strip()
