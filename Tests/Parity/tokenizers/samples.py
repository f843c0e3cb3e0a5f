"""Texts that tokenizers find difficult, from a seed."""
import random
import unicodedata

WORDS = """the The THE of and to in is you that it he was for on are with as I his they be at one have this from or had by
hot word but what some we can out other were all there when up use your how said an each she don't I'll you've we're
he'd it's I'm DON'T I'LL naïve café façade Ångström Straße ſtop 'ſ 'S 'LL über Zürich élan día Day day DAY cafe tool toolbox
привет мир Москва ещё Ελλάδα λόγος σοφός שלום עולם مرحبا بالعالم नमस्ते दुनिया 你好 世界 漢字 日本語 ひらがな カタカナ 한국어 안녕하세요 ไทย
ᏣᎳᎩ 😀 👍🏽 👨‍👩‍👧 🇩🇪 ① ½ ² Ⅷ ﬁ ﬂ Ａ １２ ５ 123 4567 3.14159 1,000,000 0x1F user@example.com https://x.org/?a=b&c=d
<|endoftext|> <s> </s> <unk> [CLS] [MASK] [UNK] [S] [N] <A> <AB> <mask> <|eot_id|> <|im_start|> <think> <0x41> <0xE2>
def f(x): return x**2 {"key": [1, 2]} -- ... !!! ?! “quoted” ‘x’ — – • € £ ¥ ° ± × ÷ ``'' \\n""".split()
SPACES = [" ", "  ", "   ", "\n", "\n\n", "\r\n", "\t", " \n", "\n ", "\u00a0", "\u3000", "\u2009", "\u2028", "\u0085",
          "\u200b", "\v", "\f", "", "", "\u2581", " " * 9, "-"]
ODD = ["e\u0301", "a\u0323\u0307", "\u1100\u1161\u11a8", "\uac00\u11a8", "\u0958", "\u0344", "\u212b", "\u2126",
       "\u0301", "\u0628\u0651", "\u05bc\u05b7", "\ufdfa", "\u0000", "\u0001", "\u007f", "\u00ad", "\ufeff", "\ufffd",
       "\ue000", "\U000e0041", "\ufe0f", "\u200d", "\u0130", "\u0149", "\u1e9e", "\u01c5", "\U0001d7d8", "\u0f71\u0f72",
       "\u09c7\u09be", "\u1112\u1175\u11c2", "\u3131", "\uff9e", "\ufb49", "\u0345", "\u1fbc", "'", "''", "``", "\u2019s"]
# Characters that all Unicode versions since 8 agree on would be too few; those after 14 are left out.
ASSIGNED = [chr(c) for c in range(1, 0x30000) if not 0xD800 <= c < 0xE000 and unicodedata.category(chr(c)) != "Cn"]


def piece(random_: random.Random) -> str:
    kind = random_.randrange(20)
    if kind < 11:
        return random_.choice(WORDS)
    if kind < 14:
        return random_.choice(ODD)
    if kind < 16:
        return "".join(random_.choice(ASSIGNED) for _ in range(random_.randrange(1, 5)))
    if kind < 17:
        return random_.choice("aAbe 1.\n'\u00e9\u4e00") * random_.randrange(1, 60)
    if kind < 19:
        return "".join(chr(random_.randrange(32, 127)) for _ in range(random_.randrange(1, 9)))
    return "".join(random_.choice("aeioubcd thr'.,\n") for _ in range(random_.randrange(1, 70)))


def text(random_: random.Random) -> str:
    return "".join(
        part for _ in range(random_.randrange(1, 12)) for part in (piece(random_), random_.choice(SPACES)))


def texts(count: int, seed: int):
    random_ = random.Random(seed)
    for _ in range(count):
        yield text(random_)


def training_text(count: int = 4000):
    """Mostly plain words, so that vocabularies have something to learn, in several scripts."""
    random_ = random.Random(7)
    english = (
        "the people of the city said that they would not go there again because it was too late in the year and the "
        "roads were bad when she came back from the other side of the river he had already gone with all of his things "
        "to be or not to be that is the question of a good life in the world as we know it now and for ever").split()
    for _ in range(count):
        yield " ".join(random_.choice(english if random_.random() < 0.8 else WORDS) for _ in range(20)) + ".\n"
