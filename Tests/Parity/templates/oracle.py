"""Renders templates as transformers does: the reference for the vectors and for random comparisons."""

import datetime
import json

from transformers.utils import chat_template_utils as utils


class FixedClock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2025, 3, 7, 14, 5, 9)


def environment():
    template = utils._compile_jinja_template("")
    # `strftime_now` looks the class up in its closure or module each time it is called.
    utils.datetime = FixedClock
    return template.environment


ENVIRONMENT = environment()


def outcome(render):
    """{"text": ...}, or {"error": message} for whatever the template or its evaluation raises."""
    try:
        return {"text": render()}
    except RecursionError:
        raise
    except Exception as error:  # noqa: BLE001 - every failure is a result here
        return {"error": f"{type(error).__name__}: {error}"}


def render_plain(template, variables):
    return outcome(lambda: ENVIRONMENT.from_string(template).render(**variables))


def render_chat(template, conversation):
    def render():
        arguments = dict(conversation)
        messages = utils._normalize_chat_messages(arguments.pop("messages"))
        rendered, _ = utils.render_jinja_template([messages], chat_template=template, **arguments)
        return rendered[0]

    return outcome(render)


def write(path, cases):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(cases, file, ensure_ascii=False, indent=1)
        file.write("\n")
