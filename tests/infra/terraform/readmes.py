"""The tables of variables and outputs in every README: made of the .tf files, between two marks."""

import re

from tests.infra.terraform.tree import TERRAFORM

BEGIN = "<!-- made by infra/terraform/check tables -->"
END = "<!-- until here -->"

_BLOCK = re.compile(r'^(variable|output) "(\w+)" \{\n(.*?)^\}\n', re.MULTILINE | re.DOTALL)
_DESCRIPTION = re.compile(r'^  description += "((?:[^"\\]|\\.)*)"$', re.MULTILINE)
_DEFAULT = re.compile(r"^  default +=(?: (.*))?$", re.MULTILINE)
_EPHEMERAL = re.compile(r"^  ephemeral += true$", re.MULTILINE)


def blocks(folder: str, kind: str) -> dict[str, str]:
    """Bodies of the variables (or outputs) of a folder, by name, in their order there."""
    path = TERRAFORM / folder / f"{kind}s.tf"
    return {name: body for found, name, body in _BLOCK.findall(path.read_text()) if found == kind}


def description(body: str) -> str | None:
    """What a variable or output says about itself."""
    match = _DESCRIPTION.search(body)
    return match.group(1).replace('\\"', '"').replace("\\\\", "\\") if match else None


def tables(folder: str) -> str:
    """Both tables, as Markdown."""
    inputs = ["| variable | default | is |", "|---|---|---|"]
    for name, body in blocks(folder, "variable").items():
        inputs.append(f"| `{name}` | {_default(body)} | {_cell(description(body))} |")
    outputs = ["| output | is |", "|---|---|"]
    for name, body in blocks(folder, "output").items():
        outputs.append(f"| `{name}` | {_cell(description(body))} |")
    return "\n".join(["", *inputs, "", *outputs, ""])


def current(folder: str) -> str | None:
    """The tables that the README holds; None if it holds no marks."""
    text = (TERRAFORM / folder / "README.md").read_text()
    _, begun, rest = text.partition(BEGIN + "\n")
    inside, ended, _ = rest.partition(END)
    return inside if begun and ended else None


def renew(folder: str) -> None:
    """Put the tables of the .tf files into the README, if it has the marks."""
    path = TERRAFORM / folder / "README.md"
    text = path.read_text()
    before, begun, rest = text.partition(BEGIN + "\n")
    _, ended, after = rest.partition(END)
    if begun and ended:
        path.write_text(before + begun + tables(folder) + ended + after)


def _default(body: str) -> str:
    if _EPHEMERAL.search(body):
        return "ephemeral"
    match = _DEFAULT.search(body)
    if match is None:
        return "required"
    value = (match.group(1) or "").strip()
    return f"`{value}`" if value and not value.endswith(("{", "[")) else "see variables.tf"


def _cell(text: str | None) -> str:
    return (text or "").replace("|", "\\|").replace("<", "&lt;")
