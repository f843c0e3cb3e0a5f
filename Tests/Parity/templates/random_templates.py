"""Random templates against the reference: python random_templates.py PROGRAM [COUNT] [SEED].

Also mutates the chat templates and feeds random bytes, which must give a text or an error, never a crash.
"""

import random
import sys
import warnings

import chats
import compare
import oracle
import snippets

NAMES = ["name", "empty", "nothing", "yes", "no", "zero", "seven", "half", "text", "lines", "unicode", "numbers",
         "words", "nested", "user", "people", "mixed", "schema", "missing", "a", "b", "ns"]
LITERALS = ["0", "1", "2", "-1", "3.5", "1e17", "0.1", "'a'", "'Ab c'", "''", "'x\\n'", "true", "false", "none", "[]", "{}",
            "()", "[1, 'b', 2]", "{'k': 1, 'j': [2]}", "(1, 2)", "'12'", "' 7 '", "range(4)", "'é'"]
ATTRIBUTES = ["name", "age", "items", "role", "x", "k", "upper", "0", "address", "keys"]
FILTERS = ["upper", "lower", "trim", "length", "first", "last", "list", "join(',')", "join", "string", "int", "float",
           "abs", "round", "round(1)", "default('d')", "default('d', true)", "reverse", "sort", "sort(reverse=true)",
           "unique|list", "map('upper')|list", "map('string')|join('/')", "map(attribute='name')|list", "select|list",
           "reject('none')|list", "selectattr('age')|list", "sum", "min", "max", "title", "capitalize", "tojson",
           "tojson(indent=2)", "replace('a', 'b')", "items|list", "dictsort", "batch(2)|list", "slice(2)|list",
           "indent(2)", "indent(2, true)", "wordcount", "select('odd')|list", "select('string')|list",
           "select('lt', 3)|list", "count", "safe|length", "trim('a')", "map('length')|list", "select", "map('int')",
           "truncate(5)", "center(9)", "rejectattr('role', 'eq', 'user')|list", "map('first')|list", "attr('name')"]
TESTS = ["defined", "undefined", "none", "string", "number", "integer", "float", "boolean", "mapping", "iterable",
         "sequence", "true", "false", "odd", "even", "divisibleby 2", "in [1, 'a']", "eq 1", "lt 2", "upper", "lower",
         "not none", "not string", "callable", "ne 'a'", "ge(1)"]
METHODS = ["strip()", "strip('a ')", "lstrip()", "rstrip('\\n')", "split()", "split('a')", "split(' ', 1)", "rsplit('a', 1)",
           "upper()", "lower()", "title()", "capitalize()", "replace('a', 'xy')", "startswith('a')", "endswith('c')",
           "join(['p', 'q'])", "splitlines()", "find('a')", "rfind('b')", "count('a')", "get('name')", "get('k', 0)",
           "items()|list", "keys()|list", "values()|list", "isdigit()", "islower()", "zfill(4)", "partition('b')",
           "swapcase()", "index(1)", "copy()", "isalpha()", "center(6, '.')", "removeprefix('A')"]
OPERATORS = ["+", "-", "*", "/", "//", "%", "**", "~", "~", "and", "or", "==", "!=", "<", "<=", ">", ">=", "in", "not in"]
TEXTS = ["x", " ", "\n", "  \n", "\n  ", "y z", "\t", "\n\n", "é", "{", "}", "%", "#"]


class Writer:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def pick(self, options):
        return self.random.choice(options)

    def expression(self, depth):
        r = self.random.random()
        if depth <= 0 or r < 0.16:
            return self.pick(NAMES) if self.random.random() < 0.6 else self.pick(LITERALS)
        inner = lambda: self.expression(depth - 1)  # noqa: E731
        if r < 0.36:
            return f"{inner()} {self.pick(OPERATORS)} {inner()}"
        if r < 0.42:
            return f"({inner()})"
        if r < 0.58:
            return f"{inner()}|{self.pick(FILTERS)}"
        if r < 0.64:
            return f"{inner()} is {self.pick(TESTS)}"
        if r < 0.70:
            return f"{self.pick(['not ', '-', '+'])}{inner()}"
        if r < 0.75:
            return f"({inner()}).{self.pick(ATTRIBUTES)}"
        if r < 0.82:
            bounds = [self.pick(["", "0", "1", "-1", "-2", "2", "5"]) for _ in range(self.pick([1, 2, 2, 3]))]
            index = ":".join(bounds) if len(bounds) > 1 else inner()
            return f"({inner()})[{index}]"
        if r < 0.91:
            return f"({inner()}).{self.pick(METHODS)}"
        if r < 0.95:
            return f"{inner()} if {inner()} else {inner()}"
        if r < 0.97:
            return f"[{inner()}, {inner()}]"
        if r < 0.98:
            return f"{{'k': {inner()}, 'n': {inner()}}}"
        return f"{inner()}~({inner()}, )"

    def tag(self, body):
        left = self.pick(["{%", "{%", "{%-", "{%+"])
        right = self.pick(["%}", "%}", "-%}", "+%}"])
        return f"{left} {body} {right}"

    def body(self, depth, in_loop=False):
        return "".join(self.piece(depth, in_loop) for _ in range(self.random.randint(1, 3)))

    def piece(self, depth, in_loop):
        r = self.random.random()
        if r < 0.30 or depth <= 0:
            return self.pick(TEXTS)
        if r < 0.58:
            return f"{self.pick(['{{', '{{-'])} {self.expression(2)} {self.pick(['}}', '-}}'])}"
        inner = lambda loop=in_loop: self.body(depth - 1, loop)  # noqa: E731
        if r < 0.66:
            middle = self.tag("else") + inner() if self.random.random() < 0.5 else ""
            return self.tag(f"if {self.expression(2)}") + inner() + middle + self.tag("endif")
        if r < 0.74:
            test = f" if {self.expression(1)}" if self.random.random() < 0.3 else ""
            other = self.tag("else") + inner() if self.random.random() < 0.3 else ""
            target = self.pick(["a", "a", "a, b"])
            loop = self.pick(["", "{{ loop.index }}", "{{ loop.last }}", "{{ loop.length }}", "{{ loop.previtem }}",
                              "{{ loop.nextitem is defined }}", "{{ loop.revindex0 }}"])
            return (self.tag(f"for {target} in {self.expression(1)}{test}") + loop + inner(True) + other
                    + self.tag("endfor"))
        if r < 0.82:
            return self.tag(f"set {self.pick(['a', 'b', 'name', 'a, b'])} = {self.expression(2)}")
        if r < 0.85:
            return self.tag(f"set {self.pick(['a', 'b'])}") + inner() + self.tag("endset")
        if r < 0.88:
            return self.tag("set ns = namespace(x=1, k='v')") + self.tag(f"set ns.x = {self.expression(1)}") + "{{ ns.x }}"
        if r < 0.91:
            arguments = self.pick(["", "1", "a=2", "1, 2", "b=name, a=1", "1, 2, 3"])
            return (self.tag(f"macro m(a, b={self.expression(1)})") + inner(False) + self.tag("endmacro")
                    + "{{ m(" + arguments + ") }}")
        if r < 0.93:
            return self.tag(f"filter {self.pick(['upper', 'trim', 'length', 'indent(1)'])}") + inner() + self.tag("endfilter")
        if r < 0.95 and in_loop:
            return self.tag(self.pick(["break", "continue"]))
        if r < 0.97:
            return self.pick(["{#", "{#-", "{#+"]) + " c\n " + self.pick(["#}", "-#}", "+#}"])
        if r < 0.98:
            return self.tag("raw").replace("+%}", "%}") + "{{ x }} \n" + self.tag("endraw")
        return self.tag(f"with a = {self.expression(1)}") + inner() + self.tag("endwith")


def has_address(outcome):
    """Texts with addresses or names of Python objects cannot be compared."""
    text = outcome.get("text", "")
    return " at 0x" in text or " object>" in text or "<built-in" in text or "<Namespace" in text or "<class" in text


def compare_random(program, count, seed):
    statistics = {"text": 0, "error": 0, "unsupported": 0, "skipped": 0}
    failures = 0
    for number in range(count):
        template = Writer(seed + number).body(3)
        expected = oracle.render_plain(template, snippets.VARIABLES)
        if has_address(expected) or "MemoryError" in expected.get("error", ""):
            statistics["skipped"] += 1
            continue
        found = program.ask({"template": template, "variables": snippets.VARIABLES})
        found_difference = compare.difference(expected, found)
        if found_difference == "unsupported":
            statistics["unsupported"] += 1
            if "-v" in sys.argv:
                print("unsupported", found["error"])
        elif "has no slices" in found.get("error", ""):
            # Jinja gives "undefined" for slices of constants that have none, and an error for those of variables.
            statistics["skipped"] += 1
        elif found_difference:
            failures += 1
            print(found_difference, repr(template), "\n  expected", expected, "\n  found   ", found)
        else:
            statistics["text" if "text" in expected else "error"] += 1
    print(statistics, "failures:", failures)
    return failures


def survive(program, count, seed):
    """Mutated templates and random bytes."""
    source = random.Random(seed)
    texts = list(chats.TEMPLATES.values()) + snippets.SNIPPETS
    parts = ["{%", "%}", "{{", "}}", "{#", "(", ")", "[", "]", "{", "}", "|", ".", "'", '"', "for", "if", "is", "-", "\\",
             "\n", "\x00", "é", "endfor", " in ", "*", "999999999999999999", ":", ",", "~", "not "]
    conversations = list(chats.CONVERSATIONS.values())
    for _ in range(count):
        if source.random() < 0.2:
            template = "".join(source.choice(parts) for _ in range(source.randint(0, 60)))
        else:
            template = source.choice(texts)
            for _ in range(source.randint(1, 4)):
                at = source.randint(0, len(template))
                end = min(len(template), at + source.choice([0, 0, 1, 5, 40]))
                template = template[:at] + source.choice(parts + [template[end : end + 30]]) + template[end:]
        program.ask({"template": template, "variables": source.choice(conversations), "chat": True, "work": 1_000_000})
    print(count, "mutations survived")


if __name__ == "__main__":
    warnings.simplefilter("ignore", SyntaxWarning)
    chosen = compare.Program(sys.argv[1])
    total = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    first = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    failed = compare_random(chosen, total, first)
    survive(chosen, total, first)
    chosen.close()
    sys.exit(failed > 0)
