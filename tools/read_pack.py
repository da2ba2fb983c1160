#!/usr/bin/env python3
"""A second reader of packed models, written from docs/formats/bkpack.md alone.

`read_pack.py PACK [MODEL]` prints what is in the pack; with a model file it fails unless the pack gives
back these bytes. Contents of one block only. For zstd frames, which Python's library lacks, it loads libzstd."""
import ctypes
import hashlib
import lzma
import struct
import sys
import zlib
from pathlib import Path

import read_codec

# Type: block weights, block bytes, offsets of scale and codes, bytes behind the last block.
TYPES = {0: (1, 4), 1: (1, 2), 30: (1, 2), 8: (32, 34, 0, 2, 0), 34: (256, 54, 52, 0, 0),
         35: (256, 66, 64, 0, 0), 36: (128, 32, None, 0, 32), 41: (128, 18, 0, 2, 0),
         42: (64, 18, 0, 2, 0), 142: (128, 34, 0, 2, 0)}
BYTES, NUMBERS, BITS, TRITS, CODES, SIGN_GROUPS, TRIT_GROUPS, WORD_BITS, INTEGERS = range(9)


def checksum(data):
    return hashlib.sha256(data).digest()[:8]


class Reader:
    def __init__(self, data):
        self.data = data

    def bytes(self, count):
        if count > len(self.data):
            sys.exit("cut short")
        head, self.data = self.data[:count], self.data[count:]
        return head

    def number(self):
        value, self.data = read_codec.varint(self.data)
        return value

    def blob(self):
        plain = self.number()
        return (plain, self.bytes(1)[0], self.number(), self.bytes(8)) if plain else (0, 0, 0, b"")


def general(codec, plain_bytes, data):
    if codec == 11:
        return zlib.decompress(data)
    if codec == 14:
        window = max(4096, min(plain_bytes, 1 << 26))
        return lzma.decompress(data, lzma.FORMAT_RAW, None,
                               [{"id": lzma.FILTER_LZMA2, "dict_size": window}])
    if codec in (12, 13):
        return zstd(data, plain_bytes)
    raise SystemExit(f"codec {codec} is not known")


def zstd(data, plain_bytes):
    library = ctypes.CDLL("libzstd.so.1")
    library.ZSTD_decompress.restype = ctypes.c_size_t
    library.ZSTD_decompress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
    plain = ctypes.create_string_buffer(plain_bytes)
    if library.ZSTD_decompress(plain, plain_bytes, data, len(data)) != plain_bytes:
        sys.exit("a damaged zstd frame")
    return plain.raw


def planes(data, count, width):
    numbers = [0] * count
    for at in range(width):
        mode = data[0]
        plane, data = read_codec.sized(data[1:])
        if mode == 1:
            plane = read_codec.read_list(plane, count)
        elif mode == 2:
            plane = zstd(plane, count)
        for i in range(count):
            numbers[i] |= plane[i] << (8 * at)
    if width > 1:
        numbers = [n >> 1 | (n & 1) << (8 * width - 1) for n in numbers]
    return b"".join(n.to_bytes(width, "little") for n in numbers)


def content(codec, rows, cols, width, data, trits=False, bits=False):
    """The logical bytes of a content."""
    count = rows * cols
    if count == 0:
        return b""
    if codec == 10:
        return planes(data, count, width)
    if codec < 10:
        return read_codec.decode(codec, rows, cols, data)
    if trits:
        half = (count + 7) // 8
        both = general(codec, 2 * half, data)
        bit = lambda plane, i: both[plane * half + i // 8] >> (i % 8) & 1
        return bytes((1 if bit(1, i) else 255) if bit(0, i) else 0 for i in range(count))
    return general(codec, (count + 7) // 8 if bits else count * width, data)


def pack_codes(kind, codes):
    """The codes of a group of a ternary type as its file has them."""
    if kind in (42, 142):
        return bytes(sum(codes[4 * i + k] << 2 * k for k in range(4)) for i in range(len(codes) // 4))
    if kind in (35, 36):
        order = range(4) if kind == 35 else range(3, -1, -1)
        return bytes(sum(codes[at + 32 * k + m] << 2 * order[k] for k in range(4))
                     for at in range(0, len(codes), 128) for m in range(32))
    out = []
    for at, size, digits in ((0, 32, 5), (160, 16, 5), (240, 4, 4)):
        for m in range(size):
            n = 0
            for k in range(digits):
                n = 3 * n + codes[at + size * k + m]
            out.append((256 * n * 3 ** (5 - digits) + 242) // 243)
    return bytes(out)


def tensor(kind, rows, cols, form, parts, payload):
    weights, size = TYPES[kind][:2]
    if form & 63 == BYTES:
        codec, data = parts[0][0], payload()
        return data if codec == 9 else general(codec, rows * cols // weights * size, data)
    if form & 63 == NUMBERS:
        return content(parts[0][0], rows, cols, size, payload())
    if form & 63 in (SIGN_GROUPS, TRIT_GROUPS):
        return float_groups(rows, cols, size, form, parts, payload)
    scale_at, codes_at, trailer = TYPES[kind][2:]
    groups = rows * cols // weights
    codecs = [codec for codec, _ in parts]
    scales = None
    if scale_at is not None:
        scales = content(codecs.pop(0), rows, cols // weights, 2, payload())
    kept = [g for g in range(groups) if not (form & 128) or scales[2 * g:2 * g + 2] != b"\0\0"]
    shape = (len(kept), weights) if form & 128 else (rows, cols)
    form &= 63
    logical = content(codecs.pop(0), *shape, 1, payload(), form == TRITS, form == BITS)
    zero = {BITS: bytes(weights // 8), TRITS: bytes(weights)}.get(
        form, (b"\0" if kind == 8 else b"\1") * weights)
    step = len(zero)
    place = {g: i for i, g in enumerate(kept)}
    out = bytearray(size * groups)
    for g in range(groups):
        codes = logical[step * place[g]:step * (place[g] + 1)] if g in place else zero
        if form == TRITS:
            codes = bytes((c + 1) & 255 for c in codes)
        if kind not in (8, 41):
            codes = pack_codes(kind, codes)
        out[size * g + codes_at:size * g + codes_at + len(codes)] = codes
        if scales is not None:
            out[size * g + scale_at:size * g + scale_at + 2] = scales[2 * g:2 * g + 2]
    if trailer:
        data = payload()
        out += data if codecs[0] == 9 else general(codecs[0], trailer, data)
    return bytes(out)


def array(kind, rows, cols, form, parts, payload):
    """An array of a plain file: rows of bits (1), integers of 4 (2) or 8 (3) bytes."""
    codec, data = parts[0][0], payload()
    if kind == 1 and form == WORD_BITS:
        return content(codec, rows, cols, 1, data, bits=True)
    if kind not in (2, 3) or form != INTEGERS:
        sys.exit(f"form {form} of an array of type {kind}")
    width = 4 if kind == 2 else 8
    folded = content(codec, rows, cols, width, data)
    numbers = (int.from_bytes(folded[i:i + width], "little") for i in range(0, len(folded), width))
    return b"".join((n // 2 if n % 2 == 0 else -(n + 1) // 2).to_bytes(width, "little", signed=True)
                    for n in numbers)


def float_groups(rows, cols, size, form, parts, payload):
    group = 64 if form & 64 else 128
    scales = content(parts[0][0], rows, cols // group, size, payload())
    ternary = form & 63 == TRIT_GROUPS
    signs = content(parts[1][0], rows, cols, 1, payload(), ternary, not ternary)
    out = []
    for i in range(rows * cols):
        at = i // group * size
        number = bytearray(scales[at:at + size])
        if ternary:
            minus, zero = signs[i] == 255, signs[i] == 0
        else:
            minus, zero = not signs[i // 8] >> (i % 8) & 1, False
        number[-1] |= 128 * minus
        out.append(bytes(size) if zero else bytes(number))
    return b"".join(out)


def unpack(pack):
    """The model file, names of tensors, and patches."""
    pack_version = pack[8]
    if pack[:16] != b"BKPACK\x1a\n" + struct.pack("<II", pack_version, 0) or pack[-8:] != b"\nBKPKEND":
        sys.exit("no pack")
    plain_file = pack_version == 2
    if pack_version not in (1, 2):
        sys.exit("another version")
    footer = pack[-56:]
    at, stored, plain, codec, total = struct.unpack("<5Q", footer[:40])
    if total != len(pack) or at + stored != total - 56:
        sys.exit("sizes in the footer")
    index = pack[at:at + stored]
    index = index if codec == 9 else general(codec, plain, index)
    if checksum(footer[:40] + index) != footer[40:48] or len(index) != plain:
        sys.exit("checksum of the index")
    reader = Reader(index)
    version, alignment, num_values, file_bytes = (reader.number() for _ in range(4))
    values, gaps = reader.blob(), reader.blob()
    num_tensors, num_patches = reader.number(), reader.number()
    names = [reader.bytes(reader.number()) for _ in range(num_tensors + num_patches)]
    entries = []
    for _ in range(num_tensors):
        dims = [reader.number() for _ in range(reader.number())]
        kind_id, kind = reader.number(), reader.number()
        form, parts = reader.bytes(2)
        entries.append((dims, kind_id, kind, form,
                        [(reader.bytes(1)[0], reader.number()) for _ in range(parts)]))
    sums = [reader.bytes(8) for _ in range(num_tensors)]
    patches = [(reader.number(), reader.bytes(8)) for _ in range(num_patches)]
    body = Reader(pack[16:at])
    contents = []
    for (dims, _, kind, form, parts), total in zip(entries, sums):
        rows = 1
        for dim in dims[1:]:
            rows *= dim
        sizes = iter(parts)
        decode = array if plain_file else tensor
        contents.append(decode(kind, rows, dims[0], form, parts,
                               lambda: body.bytes(next(sizes)[1])))
        if checksum(contents[-1]) != total:
            sys.exit("checksum of a tensor")
    blobs = []
    for plain, codec, stored, total in (gaps, values):
        data = body.bytes(stored)
        blobs.append(data if codec in (0, 9) else general(codec, plain, data))
        if plain and checksum(blobs[-1]) != total:
            sys.exit("checksum of a blob")
    for size, total in patches:
        if checksum(body.bytes(size)) != total:
            sys.exit("checksum of a patch")
    if body.data or reader.data:
        sys.exit("bytes left over")
    if plain_file:
        if (version, alignment, num_values, blobs[0]) != (0, 1, 0, b""):
            sys.exit("a plain file with values or padding")
        return blobs[1] + b"".join(contents), names
    return model(version, alignment, num_values, file_bytes, blobs, names, entries, contents), names


def model(version, alignment, num_values, file_bytes, blobs, names, entries, contents):
    padding, values = blobs
    padding = padding or bytes(file_bytes)
    out = b"GGUF" + struct.pack("<IQQ", version, len(entries), num_values) + values
    offset = 0
    for name, (dims, kind_id, *_), data in zip(names, entries, contents):
        out += struct.pack("<Q", len(name)) + name + struct.pack("<I", len(dims))
        out += b"".join(struct.pack("<Q", dim) for dim in dims)
        out += struct.pack("<IQ", kind_id, offset)
        offset += len(data) + -len(data) % alignment
    for data in contents:
        gap = -len(out) % alignment
        out, padding = out + padding[:gap] + data, padding[gap:]
    return out + padding[:file_bytes - len(out)]


def main():
    found, names = unpack(Path(sys.argv[1]).read_bytes())
    if len(sys.argv) > 2 and found != Path(sys.argv[2]).read_bytes():
        sys.exit("another model file comes out")
    print(f"{len(names)} tensors and patches, a model file of {len(found)} bytes")


if __name__ == "__main__":
    main()
