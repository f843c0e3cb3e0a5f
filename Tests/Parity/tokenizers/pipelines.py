"""The pipelines that tokenizers of well-known models are made of, each trained to a small vocabulary.

Built with the `tokenizers` library (0.23); every function takes training texts and returns a tokenizer.
"""
import json
import struct

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace("{1,3}", "")
CL100K = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
)
O200K = "|".join([
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+",
])
BYTES = sorted(pre_tokenizers.ByteLevel.alphabet())
FALLBACK = [f"<0x{byte:02X}>" for byte in range(256)]
SPM = "\u2581"


def token(content, special=True, **flags):
    return AddedToken(content, special=special, **{"normalized": False, **flags})


def train(tokenizer, text, trainer):
    tokenizer.train_from_iterator(text, trainer)
    return tokenizer


def bpe(text, size=512, alphabet=(), specials=(), normalizer=None, pre=None, decoder=None, post=None, model=None,
        **trainer):
    tokenizer = Tokenizer(model or models.BPE())
    tokenizer.normalizer = normalizer or tokenizer.normalizer
    tokenizer.pre_tokenizer = pre or tokenizer.pre_tokenizer
    train(tokenizer, text, trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=list(alphabet), special_tokens=list(specials), show_progress=False, **trainer))
    tokenizer.decoder = decoder or tokenizer.decoder
    tokenizer.post_processor = post or tokenizer.post_processor
    return tokenizer


def byte_level(text, pattern, **more):
    pre = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    return bpe(text, alphabet=BYTES, pre=pre, decoder=decoders.ByteLevel(), **more)


def gpt2(text):
    return bpe(
        text, alphabet=BYTES, specials=["<|endoftext|>"], pre=pre_tokenizers.ByteLevel(add_prefix_space=False),
        decoder=decoders.ByteLevel(), post=processors.ByteLevel(trim_offsets=False))


def roberta(text):
    tokenizer = bpe(
        text, alphabet=BYTES, specials=["<s>", "<pad>", "</s>", "<unk>"],
        pre=pre_tokenizers.ByteLevel(add_prefix_space=True), decoder=decoders.ByteLevel(),
        post=processors.RobertaProcessing(("</s>", 2), ("<s>", 0)))
    tokenizer.add_special_tokens([token("<mask>", lstrip=True)])
    return tokenizer


def neox(text):
    tokenizer = bpe(
        text, alphabet=BYTES, specials=["<|endoftext|>", "<|padding|>"], normalizer=normalizers.NFC(),
        pre=pre_tokenizers.ByteLevel(add_prefix_space=False), decoder=decoders.ByteLevel())
    tokenizer.add_tokens([token(" " * count, special=False, normalized=True) for count in range(24, 1, -1)])
    return tokenizer


def llama3(text):
    tokenizer = byte_level(text, LLAMA3, model=models.BPE(ignore_merges=True))
    tokenizer.add_special_tokens([token("<|begin_of_text|>"), token("<|eot_id|>")])
    begin = tokenizer.token_to_id("<|begin_of_text|>")
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=True),
        processors.TemplateProcessing("<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", begin)]),
    ])
    return tokenizer


def qwen2(text):
    tokenizer = byte_level(text, QWEN2, normalizer=normalizers.NFC())
    tokenizer.add_special_tokens([token("<|im_start|>"), token("<|im_end|>")])
    tokenizer.add_tokens([token("<think>", special=False), token("tool", special=False, single_word=True, rstrip=True)])
    return tokenizer


def cl100k(text):
    return byte_level(text, CL100K)


def o200k(text):
    return byte_level(text, O200K)


def deepseek(text):
    pre = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"\p{N}{1,3}"), "isolated"),
        pre_tokenizers.Split(Regex("[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"), "isolated"),
        pre_tokenizers.Split(Regex(
            r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
            r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    return bpe(text, alphabet=BYTES, pre=pre, decoder=decoders.ByteLevel())


def falcon(text):
    pre = pre_tokenizers.Sequence([
        pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.ByteLevel(add_prefix_space=False),
        pre_tokenizers.Digits(individual_digits=False), pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated"),
    ])
    return bpe(text, alphabet=BYTES, pre=pre, decoder=decoders.ByteLevel())


def spm_decoder(strip):
    steps = [decoders.Replace(SPM, " "), decoders.ByteFallback(), decoders.Fuse()]
    return decoders.Sequence(steps + ([decoders.Strip(" ", 1, 0)] if strip else []))


def spm_bpe(text, **more):
    """A SentencePiece BPE vocabulary: specials, the 256 bytes, then pieces."""
    return bpe(
        text, size=700, specials=["<unk>", "<s>", "</s>"] + FALLBACK, limit_alphabet=150,
        model=models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True), **more)


def llama2(text):
    tokenizer = spm_bpe(
        text, normalizer=normalizers.Sequence([normalizers.Prepend(SPM), normalizers.Replace(" ", SPM)]),
        pre=pre_tokenizers.Metaspace(prepend_scheme="never"))
    tokenizer.pre_tokenizer = None
    tokenizer.decoder = spm_decoder(True)
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 1)])
    return drop_byte_tokens(tokenizer)


def drop_byte_tokens(tokenizer):
    """Byte tokens belong to the model, and are not looked for in texts."""
    document = json.loads(tokenizer.to_str())
    document["added_tokens"] = [t for t in document["added_tokens"] if not t["content"].startswith("<0x")]
    return Tokenizer.from_str(json.dumps(document))


def gemma(text):
    tokenizer = spm_bpe(
        text, normalizer=normalizers.Replace(" ", SPM), pre=pre_tokenizers.Metaspace(prepend_scheme="never"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = spm_decoder(False)
    tokenizer.add_tokens([token("\n" * count, special=False) for count in range(2, 6)])
    return drop_byte_tokens(tokenizer)


def mistral(text):
    tokenizer = spm_bpe(text, pre=pre_tokenizers.Metaspace(prepend_scheme="first", split=False))
    tokenizer.decoder = spm_decoder(True)
    return drop_byte_tokens(tokenizer)


def plain_bpe(text):
    """Unknown characters one by one, no fallback."""
    return bpe(
        text, size=500, specials=["[UNK]"], limit_alphabet=60, model=models.BPE(unk_token="[UNK]"),
        pre=pre_tokenizers.Whitespace())


def fused_bpe(text):
    return bpe(
        text, size=500, specials=["[UNK]"], limit_alphabet=60, model=models.BPE(unk_token="[UNK]", fuse_unk=True),
        pre=pre_tokenizers.WhitespaceSplit(), decoder=decoders.Fuse())


def clip(text):
    tokenizer = Tokenizer(models.BPE(
        unk_token="<|endoftext|>", end_of_word_suffix="</w>", continuing_subword_prefix=""))
    tokenizer.normalizer = normalizers.Sequence([
        normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(
            Regex(r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"),
            "removed", invert=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False)])
    train(tokenizer, text, trainers.BpeTrainer(
        vocab_size=700, special_tokens=["<|startoftext|>", "<|endoftext|>"], initial_alphabet=BYTES,
        end_of_word_suffix="</w>", show_progress=False))
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.RobertaProcessing(("<|endoftext|>", 1), ("<|startoftext|>", 0), False, False)
    return tokenizer


def openai_gpt(text):
    return bpe(
        text, size=500, specials=["<unk>"], limit_alphabet=80,
        model=models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"), end_of_word_suffix="</w>",
        normalizer=normalizers.BertNormalizer(lowercase=True), pre=pre_tokenizers.BertPreTokenizer(),
        decoder=decoders.BPEDecoder("</w>"))


def prefixed_bpe(text):
    return bpe(
        text, size=500, specials=["<unk>"], limit_alphabet=80,
        model=models.BPE(unk_token="<unk>", continuing_subword_prefix="##"), continuing_subword_prefix="##",
        normalizer=normalizers.Sequence([normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase()]),
        pre=pre_tokenizers.Sequence([
            pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation("isolated"), pre_tokenizers.Digits(True)]),
        decoder=decoders.WordPiece("##", False))


def bert(text):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    train(tokenizer, text, trainers.WordPieceTrainer(
        vocab_size=500, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], limit_alphabet=120,
        show_progress=False))
    tokenizer.decoder = decoders.WordPiece("##", True)
    tokenizer.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", [("[CLS]", 2), ("[SEP]", 3)])
    return tokenizer


def bert_cased(text):
    tokenizer = bert(text)
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=False, handle_chinese_chars=True, strip_accents=True, lowercase=False)
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tokenizer


def unigram(text, size, specials, normalizer, pre, decoder, fallback=False):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre
    train(tokenizer, text, trainers.UnigramTrainer(
        vocab_size=size, special_tokens=specials, unk_token="<unk>", show_progress=False))
    tokenizer.decoder = decoder
    if fallback:
        document = json.loads(tokenizer.to_str())
        document["model"]["vocab"] += [[piece, -20.0] for piece in FALLBACK]
        document["model"]["byte_fallback"] = True
        tokenizer = Tokenizer.from_str(json.dumps(document))
    return tokenizer


def double_array(entries):
    """A precompiled map of SentencePiece: each node of the trie at an offset where all its children find room."""
    blob, values = b"", {}
    for key, text in entries.items():
        values[key.encode()] = len(blob)
        blob += text.encode() + b"\0"
    children = {}
    for key in values:
        for length in range(len(key)):
            children.setdefault(key[:length], set()).add(key[length])
    units, used = [0] * 4096, {0}

    def place(prefix, position):
        labels = sorted(children.get(prefix, ())) + ([0] if prefix in values else [])
        offset = next(o for o in range(256, 4096, 256 if len(labels) > 1 else 1)
                      if all((position ^ o ^ label) not in used and (position ^ o ^ label) < 4096 for label in labels)
                      and o < 1 << 21)
        units[position] |= offset << 10
        for label in labels:
            used.add(position ^ offset ^ label)
        for label in labels:
            child = position ^ offset ^ label
            if label == 0 and prefix in values:
                units[position] |= 1 << 8
                units[child] = values[prefix] | 1 << 31
            else:
                units[child] |= label
                place(prefix + bytes([label]), child)

    place(b"", 0)
    units = units[:max(used) + 1]
    packed = struct.pack(f"<{len(units)}I", *units)
    return struct.pack("<I", len(packed)) + packed + blob


CHARACTER_MAP = {
    "\t": " ", "\n": " ", "\u00a0": " ", "\u3000": " ", "\u00c5": "A\u030a", "\ufb01": "fi", "\uff21": "A", "\u200b": "",
    "e\u0301": "\u00e9", "\u2460": "1", "\u2026": "...", "\u0628\u0651": "\u0628",
}


def precompiled():
    return normalizers.Precompiled(double_array(CHARACTER_MAP))


def t5(text):
    tokenizer = unigram(
        text, 400, ["<pad>", "</s>", "<unk>"], precompiled(),
        pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]), decoders.Metaspace())
    tokenizer.post_processor = processors.TemplateProcessing("$A </s>", special_tokens=[("</s>", 1)])
    return tokenizer


def albert(text):
    normalizer = normalizers.Sequence([
        normalizers.Replace("``", '"'), normalizers.Replace("''", '"'), normalizers.NFKD(), normalizers.StripAccents(),
        normalizers.Lowercase(), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer = unigram(
        text, 400, ["<pad>", "<unk>", "[CLS]", "[SEP]"], normalizer, pre_tokenizers.Metaspace(), decoders.Metaspace())
    tokenizer.add_special_tokens([token("[MASK]", lstrip=True, normalized=False)])
    return tokenizer


def unigram_fallback(text):
    return unigram(
        text, 400, ["<unk>", "<s>"], normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.Strip()]),
        pre_tokenizers.Metaspace(prepend_scheme="first"), spm_decoder(True), fallback=True)


def word_level(text):
    tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.CharDelimiterSplit("-"), pre_tokenizers.Whitespace()])
    return train(tokenizer, text, trainers.WordLevelTrainer(
        vocab_size=400, special_tokens=["[UNK]"], show_progress=False))


def normalized_added(text):
    """Added tokens that are looked for after normalization, and ones with every flag."""
    tokenizer = bpe(
        text, alphabet=BYTES, normalizer=normalizers.Sequence([normalizers.Lowercase(), normalizers.NFD()]),
        pre=pre_tokenizers.ByteLevel(add_prefix_space=True), decoder=decoders.ByteLevel())
    tokenizer.add_tokens([
        token("Day", special=False, normalized=True), token("caf\u00e9", special=False, normalized=True, single_word=True),
        token("<A>", special=False, lstrip=True, rstrip=True), token("<AB>", special=False, rstrip=True),
        token("B", special=False, single_word=True)])
    tokenizer.add_special_tokens([token("[S]", lstrip=True), token("[N]", normalized=True, rstrip=True)])
    return tokenizer


def behaviors(text):
    """Every behaviour of splits, one after the other."""
    pre = pre_tokenizers.Sequence([
        pre_tokenizers.Split("the", "isolated"), pre_tokenizers.Split(Regex("[aeiou]+?"), "merged_with_previous"),
        pre_tokenizers.Split(Regex("[.,]|(?<=a)b"), "merged_with_next"), pre_tokenizers.Split(Regex(r"\d+"), "contiguous"),
        pre_tokenizers.Split(Regex(r"\s*+(?=\S)|\s+$"), "removed"), pre_tokenizers.Punctuation("merged_with_previous"),
        pre_tokenizers.FixedLength(7), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    return bpe(text, alphabet=BYTES, pre=pre, decoder=decoders.ByteLevel())


ALL = [
    gpt2, roberta, neox, llama3, qwen2, cl100k, o200k, deepseek, falcon, llama2, gemma, mistral, plain_bpe, fused_bpe, clip,
    openai_gpt, prefixed_bpe, bert, bert_cased, t5, albert, unigram_fallback, word_level, normalized_added, behaviors,
]
