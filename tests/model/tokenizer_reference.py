"""An independent byte-level BPE tokenizer, slow and plain, that gave the golden numbers of
tokenizer_reference_test.cpp. It splits by hand over Python's own Unicode categories (no regular
expressions), and merges strings by looking at all pairs again after every merge.

    python3 tests/model/tokenizer_reference.py VOCABULARY.gguf TEXT

prints the number of ids and the SHA-256 of the ids as little-endian 32-bit integers.
"""

import hashlib
import struct
import sys
import unicodedata

FORMATS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
WHITE_SPACE = set("\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000") | {
    chr(c) for c in range(0x2000, 0x200B)}


def read_metadata(path):
    data = open(path, "rb").read()

    def value(kind, at):
        if kind == 8:
            (length,) = struct.unpack_from("<Q", data, at)
            return data[at + 8:at + 8 + length], at + 8 + length
        if kind == 9:
            element, count = struct.unpack_from("<IQ", data, at)
            items, at = [], at + 12
            for _ in range(count):
                item, at = value(element, at)
                items.append(item)
            return items, at
        return struct.unpack_from("<" + FORMATS[kind], data, at)[0], at + struct.calcsize(FORMATS[kind])

    (count,) = struct.unpack_from("<Q", data, 16)
    metadata, at = {}, 24
    for _ in range(count):
        key, at = value(8, at)
        (kind,) = struct.unpack_from("<I", data, at)
        metadata[key.decode()], at = value(kind, at + 4)
    return metadata


def kind_of(character):
    if character in WHITE_SPACE:
        return "space"
    return {"L": "letter", "N": "number"}.get(unicodedata.category(character)[0], "other")


def split(text, pre):
    kinds = [kind_of(c) for c in text] + ["end"]
    fold = (lambda s: s) if pre == "gpt-2" else (lambda s: s.lower() if s.isascii() else s)

    def run(at, kind, most=len(text)):
        end = at
        while kinds[end] == kind and end - at < most:
            end += 1
        return end

    def piece_end(at):
        for ending in ("s", "t", "m", "d", "re", "ve", "ll"):
            if text[at] == "'" and fold(text[at + 1:at + 1 + len(ending)]) == ending:
                return at + 1 + len(ending)
        after_space = at + 1 if text[at] == " " else at
        if pre == "gpt-2":
            for kind in ("letter", "number", "other"):
                if kinds[after_space] == kind:
                    return run(after_space, kind)
        else:
            if kinds[at] == "letter":
                return run(at, "letter")
            if text[at] not in "\r\n" and kinds[at] != "number" and kinds[at + 1] == "letter":
                return run(at + 1, "letter")
            if kinds[at] == "number":
                return run(at, "number", 3 if pre == "llama-bpe" else 1)
            if kinds[after_space] == "other":
                end = run(after_space, "other")
                while text[end:end + 1] in ("\r", "\n"):
                    end += 1
                return end
        end = run(at, "space")
        if pre != "gpt-2":
            for last in range(end - 1, at - 1, -1):
                if text[last] in "\r\n":
                    return last + 1
        return end if kinds[end] == "end" or end - at == 1 else end - 1

    at = 0
    while at < len(text):
        end = piece_end(at)
        yield text[at:end]
        at = end


def alphabet():
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in printable]
    return {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(others)}


def main(vocabulary_path, text_path):
    metadata = read_metadata(vocabulary_path)
    pre = metadata["tokenizer.ggml.pre"].decode()
    ids = {t.decode(): i for i, t in enumerate(metadata["tokenizer.ggml.tokens"])}
    ranks = {tuple(m.decode().split(" ")): i for i, m in enumerate(metadata["tokenizer.ggml.merges"])}
    letters = alphabet()
    known = {}

    def encode(piece):
        if piece not in known:
            word = [letters[b] for b in piece.encode()]
            if pre == "llama-bpe" and "".join(word) in ids:
                word = ["".join(word)]
            while len(word) > 1:
                rank, at = min((ranks.get(pair, len(ranks)), i) for i, pair in enumerate(zip(word, word[1:])))
                if rank == len(ranks):
                    break
                word[at:at + 2] = [word[at] + word[at + 1]]
            known[piece] = [ids[part] for part in word]
        return known[piece]

    text = open(text_path, "rb").read().decode()
    result = [token for piece in split(text, pre) for token in encode(piece)]
    packed = struct.pack("<%di" % len(result), *result)
    print(len(result), hashlib.sha256(packed).hexdigest())


if __name__ == "__main__":
    main(*sys.argv[1:])
