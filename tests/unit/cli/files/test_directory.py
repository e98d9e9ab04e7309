"""A directory of files: what is read, and what is refused with file, line and what was meant."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from cli.files.directory import Directory, read_directory

TEMPLATE = "template_key: mail\nchannel_type: EMAIL\nbody_file: mail.liquid\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "notify"
    (root / "acme" / "templates").mkdir(parents=True)
    (tmp_path / "secret").write_text("password")
    (root / "acme" / "templates" / "mail.liquid").write_text("<p>Hi</p>\n")
    return root


def read(root: Path, text: str = TEMPLATE, name: str = "acme/templates/mail.yaml") -> Directory:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)
    return read_directory(root)


def test_a_file_has_columns_with_what_may_be_left_out(root: Path) -> None:
    found = read(root)

    [template] = found.enterprises["acme"]
    assert (found.problems, found.unused) == ([], [])
    assert template.file == "acme/templates/mail.yaml"
    assert template.columns == {
        "template_key": "mail",
        "name": "mail",
        "description": None,
        "channel_type": "EMAIL",
        "subject_template": None,
        "body_template": "<p>Hi</p>",
        "variables_description": None,
        "category": None,
        "publish_status": "PUBLISH",
        "deactivated": False,
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (TEMPLATE + "chanel_type: SMS\n", "mail.yaml:4: chanel_type: is not known; did you mean channel_type?"),
        (
            TEMPLATE.replace("EMAIL", "EMIAL"),
            "mail.yaml:2: channel_type: must be one of EMAIL, IN_APP, SMS, PUSH, CHAT, not 'EMIAL'; did you mean EMAIL",
        ),
        (TEMPLATE.replace("channel_type: EMAIL\n", ""), "mail.yaml:1: channel_type: is missing"),
        (TEMPLATE + "deactivated: no\n", "mail.yaml:4: deactivated: must be true or false, not 'no'"),
        (
            TEMPLATE + "publish_status: DELETED\n",
            "mail.yaml:4: publish_status: must be one of PUBLISH, DRAFT, DISCARD, NONE, not 'DELETED'",
        ),
        ("- a", "mail.yaml:1: holds no members"),
        ("", "mail.yaml:1: holds no members"),
        ("a: [", "mail.yaml:1: no YAML"),
        (
            TEMPLATE.replace("mail.liquid", "../../../../secret"),
            "mail.yaml:3: body_file '../../../../secret' is not within",
        ),
        (TEMPLATE.replace("mail.liquid", "/etc/passwd"), "mail.yaml:3: body_file '/etc/passwd' is not within"),
        (TEMPLATE.replace("mail.liquid", "nowhere"), "mail.yaml:3: body_file nowhere: cannot be read: No such file"),
        (TEMPLATE.replace("mail.liquid", "."), "mail.yaml:3: body_file .: is no file"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_file_and_line(root: Path, text: str, told: str) -> None:
    found = read(root, text)

    assert str(found.problems[0]).startswith(f"acme/templates/{told}")
    assert found.enterprises["acme"] == []
    assert "password" not in str(found)


def test_links_lead_nowhere_out_of_the_directory(root: Path) -> None:
    templates = root / "acme" / "templates"
    (templates / "linked.liquid").symlink_to(root.parent / "secret")
    (templates / "far").symlink_to(root.parent)
    (templates / "linked.yaml").symlink_to(root.parent / "secret")
    (root / "umbrella").symlink_to(root.parent)

    found = read(root, TEMPLATE.replace("mail.liquid", "linked.liquid"))

    assert {str(problem) for problem in found.problems} == {
        "umbrella: is a link: directories are not followed out of here",
        "acme/templates/far: is a link to a directory, which is not followed",
        "acme/templates/linked.yaml: is a link out of the directory",
        "acme/templates/mail.yaml:3: body_file 'linked.liquid' is not within the directory",
    }
    assert "password" not in str(found)


def test_a_folder_that_cannot_be_listed_does_not_count_as_empty(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read(root)
    scandir = os.scandir

    def refuse(path: str) -> Any:
        if Path(path).name == "templates":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)

    with pytest.raises(PermissionError, match="acme/templates"):
        read_directory(root)


def test_what_would_never_end_is_not_read(root: Path) -> None:
    os.mkfifo(root / "acme" / "templates" / "pipe")
    (root / "acme" / "templates" / "large").write_bytes(b"x" * (1024 * 1024 + 1))

    pipe = read(root, TEMPLATE.replace("mail.liquid", "pipe"))
    large = read(root, TEMPLATE.replace("mail.liquid", "large"))

    assert "is no file" in str(pipe.problems[0])
    assert "is larger than" in str(large.problems[0])


@pytest.mark.parametrize(("content", "reason"), [(b"\xff", "is no UTF-8 text"), (b"a\0b", "holds a NUL")])
def test_a_body_that_no_text_column_holds_is_refused(root: Path, content: bytes, reason: str) -> None:
    (root / "acme" / "templates" / "mail.liquid").write_bytes(content)

    assert reason in str(read(root).problems[0])


def test_a_key_that_two_files_have_is_told_with_both(root: Path) -> None:
    read(root, TEMPLATE.replace("mail.liquid", "../mail.liquid"), "acme/templates/below/other.yaml")

    found = read(root)

    assert [str(problem) for problem in found.problems] == [
        "acme/templates/below/other.yaml:1: template_key 'mail' is also that of acme/templates/mail.yaml"
    ]


def test_what_stands_in_the_wrong_place_is_said_to(root: Path) -> None:
    read(root, TEMPLATE, "templates/mail.yaml")
    read(root, TEMPLATE, "acme/template/mail.yaml")
    found = read(root, TEMPLATE, "an enterprise/templates/mail.yaml")

    told = [str(problem) for problem in found.problems]
    assert "templates: stands where an enterprise's directory is expected: ENTERPRISE/templates/" in told
    assert any(it.startswith("acme/template: is none of") and "did you mean templates?" in it for it in told)
    assert any(it.startswith("an enterprise: is no enterprise's id") for it in told)


def test_a_body_that_nobody_names_is_shown(root: Path) -> None:
    (root / "acme" / "templates" / "old.liquid").write_text("x")

    assert read(root).unused == ["acme/templates/old.liquid"]


def test_the_last_line_break_is_the_file_s(root: Path) -> None:
    (root / "acme" / "templates" / "mail.liquid").write_bytes(b"a\r\n\n\n")

    [template] = read(root).enterprises["acme"]

    assert template.columns["body_template"] == "a\r\n\n"
