"""Writes the vectors of RondoTemplatesTests: python make_vectors.py (needs transformers and jinja2)."""

import pathlib

import chats
import oracle
import snippets

FOLDER = pathlib.Path(__file__).parents[2] / "RondoTemplatesTests" / "Vectors"


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    cases = [{"template": text, **oracle.render_plain(text, snippets.VARIABLES)} for text in snippets.SNIPPETS]
    oracle.write(FOLDER / "snippets.json", {"variables": snippets.VARIABLES, "cases": cases})
    results = [
        {"template": template, "conversation": conversation, **oracle.render_chat(text, arguments)}
        for template, text in chats.TEMPLATES.items()
        for conversation, arguments in chats.CONVERSATIONS.items()
    ]
    content = {"templates": chats.TEMPLATES, "conversations": chats.CONVERSATIONS, "cases": results}
    oracle.write(FOLDER / "chats.json", content)


if __name__ == "__main__":
    main()
