"""The templates that come with a claim: those the workflows name, and all they include."""

from typing import Any

import pytest

from tests.integration.database.project import (
    THEIRS,
    Connection,
    claim,
    insert_notification,
    insert_template,
    insert_workflow,
)


async def _template_keys(connection: Connection, template_overrides: object, **columns: Any) -> list[str]:
    workflow_id = await insert_workflow(connection, template_overrides=template_overrides, **columns)
    notification_id = await insert_notification(connection, notification_workflow_id=workflow_id)
    answer = await claim(connection, [notification_id])
    return [template["template_key"] for template in answer["templates"]]


async def test_a_template_comes_with_its_sources(connection: Connection) -> None:
    template_id = await insert_template(connection, "welcome", "Dear {{ name }}", subject_template="Hello")
    workflow_id = await insert_workflow(connection, template_overrides={"emailTemplateId": template_id})
    ids = [await insert_notification(connection, notification_workflow_id=workflow_id) for _ in range(3)]

    answer = await claim(connection, ids)

    assert answer["templates"] == [
        {
            "id": template_id,
            "template_key": "welcome",
            "channel_type": "EMAIL",
            "subject_template": "Hello",
            "body_template": "Dear {{ name }}",
        }
    ]


async def test_a_slot_may_hold_an_id_an_id_in_quotes_or_a_key(connection: Connection) -> None:
    first = await insert_template(connection, "first")
    second = await insert_template(connection, "second")
    for key in ("third", "fourth", "fifth", "unused"):
        await insert_template(connection, key)

    keys = await _template_keys(
        connection,
        {
            "emailTemplateId": first,
            "inAppTemplateId": str(second),
            "smsTemplateId": "third",
            "pushTemplateId": "fourth",
            "chatTemplateId": "fifth",
            "tags": ["unused"],
            "otherTemplateId": "unused",
        },
    )

    assert keys == ["first", "second", "third", "fourth", "fifth"]


async def test_a_template_without_a_key_goes_by_its_id(connection: Connection) -> None:
    template_id = await insert_template(connection, None)

    assert await _template_keys(connection, {"emailTemplateId": template_id}) == [str(template_id)]


@pytest.mark.parametrize(
    "include",
    [
        '{% xnovu_render "footer" %}',
        "{%- xnovu_render 'footer', name: \"Ada\" -%}",
        '{%\n  xnovu_render\n  "footer",\n  user: user.name\n%}',
        "{{ xnovu_render('footer', {name: user.name}) }}",
        '{{xnovu_render( "footer" )}}',
        "{% liquid\n xnovu_render 'footer'\n%}",
        '{% if a %}{% xnovu_render "nothing" %}{% else %}{% xnovu_render "footer" %}{% endif %}',
    ],
)
async def test_every_spelling_of_an_include_is_followed(connection: Connection, include: str) -> None:
    await insert_template(connection, "page", f"before {include} after")
    await insert_template(connection, "footer")

    assert await _template_keys(connection, {"emailTemplateId": "page"}) == ["page", "footer"]


async def test_includes_are_followed_from_subjects_and_through_many_levels(connection: Connection) -> None:
    await insert_template(connection, "level0", "no include", subject_template='{% xnovu_render "level1" %}')
    for level in range(1, 12):
        await insert_template(connection, f"level{level}", f"{{% xnovu_render 'level{level + 1}' %}}")
    await insert_template(connection, "level12")

    keys = await _template_keys(connection, {"emailTemplateId": "level0"})

    assert keys == [f"level{level}" for level in range(13)]


async def test_a_cycle_of_includes_ends(connection: Connection) -> None:
    await insert_template(connection, "a", '{% xnovu_render "b" %}{% xnovu_render "a" %}')
    await insert_template(connection, "b", '{% xnovu_render "c" %}{% xnovu_render "c" %}')
    await insert_template(connection, "c", '{% xnovu_render "a" %}')

    assert await _template_keys(connection, {"emailTemplateId": "a"}) == ["a", "b", "c"]


async def test_inactive_and_foreign_templates_stay_out(connection: Connection) -> None:
    await insert_template(connection, "page", "".join(f'{{% xnovu_render "{key}" %}}' for key in ("a", "b", "c", "d")))
    await insert_template(connection, "a", publish_status="DRAFT")
    await insert_template(connection, "b", deactivated=True)
    await insert_template(connection, "c", enterprise_id=THEIRS)
    await insert_template(connection, "d", enterprise_id=None)
    foreign = await insert_template(connection, "foreign", enterprise_id=THEIRS)

    keys = await _template_keys(
        connection, {"emailTemplateId": "page", "smsTemplateId": foreign, "pushTemplateId": "foreign"}
    )

    assert keys == ["page"]


async def test_a_foreign_template_between_two_of_ours_breaks_the_chain(connection: Connection) -> None:
    await insert_template(connection, "page", '{% xnovu_render "theirs" %}')
    await insert_template(connection, "theirs", '{% xnovu_render "footer" %}', enterprise_id=THEIRS)
    await insert_template(connection, "footer")

    assert await _template_keys(connection, {"emailTemplateId": "page"}) == ["page"]


@pytest.mark.parametrize(
    "template_overrides",
    [
        None,
        {},
        [],
        ["emailTemplateId"],
        "emailTemplateId",
        7,
        {"emailTemplateId": None},
        {"emailTemplateId": ""},
        {"emailTemplateId": "999999999999999999999999"},
        {"emailTemplateId": -1},
        {"emailTemplateId": 1.5},
        {"emailTemplateId": {"id": 1}},
        {"emailTemplateId": "'; drop table notify.ent_notification; --"},
    ],
    ids=str,
)
async def test_nonsense_in_template_overrides_names_no_template(
    connection: Connection, template_overrides: object
) -> None:
    await insert_template(connection, "page")

    assert await _template_keys(connection, template_overrides) == []
