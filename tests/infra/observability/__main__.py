"""Writes the files: `make observability`."""

from tests.infra.observability.files import files

for path, text in files().items():
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
