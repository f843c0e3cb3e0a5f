"""Compares a program that renders JSON lines with the reference.

The program reads lines {"template", "variables", "chat"} and answers lines {"text"} or {"error"}.
"""

import json
import subprocess

import oracle


class Program:
    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, request):
        self.process.stdin.write((json.dumps(request, ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass"))
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the program died on {request!r}")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def difference(expected, found):
    """What differs: the text, or whether there is an error; "unsupported" if the program refuses the template."""
    if "text" in expected and found.get("code") == "unavailable":
        return "unsupported"
    if expected.get("text") != found.get("text"):
        return "differs"
    own = expected.get("error", "")
    if own.startswith("TemplateError: ") and own != "TemplateError: " + found["error"]:
        return "message"
    return None
