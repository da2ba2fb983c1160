#!/usr/bin/env python3
"""Writes generated checkpoints in the layouts of parameter-golf models, and a small SentencePiece
vocabulary, with the standard library alone: torch.save's archive is put together by hand.

    make_golf_checkpoint.py two-bit OUT.ptz [--shape tiny|small|pr126] [--seed N]
    make_golf_checkpoint.py base3|bitmask|signs OUT.ptz [--shape tiny|small|pr640] [--seed N]
    make_golf_checkpoint.py vocabulary OUT.model [--shape tiny|small] [--size N]

The layouts are those of docs/formats/golf.md; the reader under test shares no code with this.
"""
import argparse
import collections
import io
import lzma
import math
import pickle
import random
import struct
import sys
import types
import zipfile
import zlib

# ---- torch.save, by hand -----------------------------------------------------------------------

torch = types.ModuleType("torch")
torch_utils = types.ModuleType("torch._utils")
torch_storage = types.ModuleType("torch.storage")
sys.modules.update({"torch": torch, "torch._utils": torch_utils, "torch.storage": torch_storage})


def _rebuild(*_):
    raise TypeError("these checkpoints are written here, never read")


for _version in ("_rebuild_tensor_v2", "_rebuild_tensor_v3"):
    _function = types.FunctionType(_rebuild.__code__, {"TypeError": TypeError}, _version)
    _function.__module__, _function.__qualname__ = "torch._utils", _version
    setattr(torch_utils, _version, _function)
for _name in ("FloatStorage", "HalfStorage", "BFloat16Storage"):
    setattr(torch, _name, type(_name, (), {"__module__": "torch"}))
torch_storage.UntypedStorage = type("UntypedStorage", (), {"__module__": "torch.storage"})


class DType:
    """A torch.dtype: pickled as a name in module torch."""

    def __init__(self, name, size, storage):
        self.name, self.size, self.storage = name, size, storage
        setattr(torch, name, self)

    def __reduce__(self):
        return self.name


DType.__module__ = "torch"
FLOAT32 = DType("float32", 4, "FloatStorage")
FLOAT16 = DType("float16", 2, "HalfStorage")
BFLOAT16 = DType("bfloat16", 2, "BFloat16Storage")
FLOAT8 = DType("float8_e4m3fn", 1, None)


class Storage:
    def __init__(self, dtype, data):
        self.dtype, self.data = dtype, data


class Tensor:
    def __init__(self, dtype, shape, data):
        self.dtype, self.shape, self.storage = dtype, tuple(shape), Storage(dtype, data)

    def __reduce__(self):
        strides, step = [], 1
        for size in reversed(self.shape):
            strides.insert(0, step)
            step *= size
        arguments = (self.storage, 0, self.shape, tuple(strides), False, collections.OrderedDict())
        if self.dtype.storage is None:  # newer types have no storage class of their own
            return torch_utils._rebuild_tensor_v3, arguments + (self.dtype,)
        return torch_utils._rebuild_tensor_v2, arguments


def torch_save(value):
    buffer, storages = io.BytesIO(), []

    class Pickler(pickle.Pickler):
        def persistent_id(self, item):
            if not isinstance(item, Storage):
                return None
            if item not in storages:
                storages.append(item)
            kind = item.dtype.storage
            size = item.dtype.size if kind else 1
            return ("storage", getattr(torch, kind) if kind else torch_storage.UntypedStorage,
                    str(storages.index(item)), "cpu", len(item.data) // size)

    Pickler(buffer, protocol=2).dump(value)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as out:
        def add(name, data):
            info = zipfile.ZipInfo("archive/" + name, (1980, 1, 1, 0, 0, 0))
            # torch aligns data to 64 bytes with a field "FB" of fill.
            start = archive.tell() + 30 + len(info.filename) + 4
            fill = -start % 64
            info.extra = b"FB" + struct.pack("<H", fill) + b"Z" * fill
            out.writestr(info, data)

        add("data.pkl", buffer.getvalue())
        add("byteorder", b"little")
        for index, storage in enumerate(storages):
            add(f"data/{index}", storage.data)
        add("version", b"3\n")
    return archive.getvalue()


# ---- numbers -----------------------------------------------------------------------------------

def _fp8_value(code):
    exponent, mantissa = code >> 3 & 15, code & 7
    value = mantissa * 2.0**-9 if exponent == 0 else (8 + mantissa) * 2.0 ** (exponent - 10)
    return -value if code & 0x80 else value


_FP8 = sorted((_fp8_value(code), code) for code in range(256) if code & 0x7F != 0x7F)


def _nearest_fp8(value):
    low, high = 0, len(_FP8) - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _FP8[middle][0] <= value else (low, middle)
    return min(_FP8[low], _FP8[high], key=lambda entry: abs(entry[0] - value))


def _bf16_bits(value):
    bits = struct.unpack("<I", struct.pack("<f", value))[0]
    return (bits + 0x7FFF + (bits >> 16 & 1)) >> 16


def tensor(dtype, shape, values):
    """The tensor as stored, and its values as they are stored."""
    if dtype is FLOAT8:
        nearest = [_nearest_fp8(value) for value in values]
        return Tensor(dtype, shape, bytes(code for _, code in nearest)), [v for v, _ in nearest]
    if dtype is BFLOAT16:
        bits = [_bf16_bits(value) for value in values]
        stored = struct.unpack(f"<{len(bits)}f", struct.pack(f"<{len(bits)}I",
                                                             *(b << 16 for b in bits)))
        return Tensor(dtype, shape, struct.pack(f"<{len(bits)}H", *bits)), list(stored)
    code = "e" if dtype is FLOAT16 else "f"
    data = struct.pack(f"<{len(values)}{code}", *values)
    return Tensor(dtype, shape, data), list(struct.unpack(f"<{len(values)}{code}", data))


# ---- codes -------------------------------------------------------------------------------------

def pack_two_bit(trits):
    trits = trits + [-1] * (-len(trits) % 4)
    return bytes((a + 1) | (b + 1) << 2 | (c + 1) << 4 | (d + 1) << 6
                 for a, b, c, d in zip(*[iter(trits)] * 4))


def pack_base3(trits):
    trits = trits + [-1] * (-len(trits) % 5)
    return bytes((a + 1) + 3 * (b + 1) + 9 * (c + 1) + 27 * (d + 1) + 81 * (e + 1)
                 for a, b, c, d, e in zip(*[iter(trits)] * 5))


def _bits(flags, lowest_first):
    flags = list(flags) + [0] * (-len(flags) % 8)
    weights = [1 << i if lowest_first else 128 >> i for i in range(8)]
    return bytes(sum(w for w, flag in zip(weights, chunk) if flag)
                 for chunk in zip(*[iter(flags)] * 8))


def pack_bitmask(trits):
    return (_bits([t != 0 for t in trits], False) +
            _bits([t > 0 for t in trits if t != 0], False))


def pack_signs(trits):
    return _bits([t > 0 for t in trits], True)


PACKERS = {"two-bit": pack_two_bit, "base3": pack_base3, "bitmask": pack_bitmask,
           "signs": pack_signs}
ENTRY_TYPES = {"base3": "ternary", "bitmask": "ternary_bitmask", "signs": "binary"}

# ---- models ------------------------------------------------------------------------------------

Shape = collections.namedtuple(
    "Shape", "vocabulary width heads kv_heads hidden blocks passes factored group smear")
SHAPES = {
    ("two-bit", "small"): Shape(290, 16, 4, 2, 24, 2, 6, 0, 0, False),
    ("two-bit", "pr126"): Shape(1024, 640, 8, 4, 1280, 4, 12, 0, 0, False),
    ("base3", "small"): Shape(290, 24, 2, 1, 40, 4, 4, 10, 16, False),
    ("bitmask", "small"): Shape(290, 24, 2, 1, 40, 5, 5, 10, 16, False),
    ("signs", "small"): Shape(290, 24, 2, 2, 40, 3, 3, 10, 8, True),
    ("two-bit", "tiny"): Shape(9, 4, 2, 1, 6, 1, 2, 0, 0, False),
    ("bitmask", "tiny"): Shape(9, 4, 2, 1, 6, 1, 2, 2, 4, False),
    ("bitmask", "pr640"): Shape(8192, 768, 8, 4, 3072, 10, 10, 254, 128, False),
    ("base3", "pr640"): Shape(8192, 768, 8, 4, 3072, 10, 10, 254, 128, False),
}


class Checkpoint:
    """The stored dictionary in `stored`, and the same weights as plain numbers in `plain`: name to
    a list of numbers; ternary matrices of the two-bit family as (trits, alpha). Large shapes take
    gigabytes in `plain`; it stays empty unless keeps_plain."""

    def __init__(self, codes, shape, seed, scales=FLOAT16, keeps_plain=True):
        self.codes, self.shape = codes, shape
        self.random = random.Random(seed)
        self.plain = {}
        self.keeps_plain = keeps_plain
        self.scales = scales
        self.ternary, self.other = {}, {}
        self._fill()
        if codes == "two-bit":
            self.stored = {"__format__": "bitnet_ternary_2bit_v1", "ternary": self.ternary,
                           "other": self.other}
        else:
            self.stored = {**self.ternary, **self.other}

    def _gauss(self, count, mean=0.0, deviation=1.0):
        return [self.random.gauss(mean, deviation) for _ in range(count)]

    # Rows and columns of different strength, as training leaves them, and tails heavier than a
    # Gaussian's.
    def _matrix(self, rows, cols):
        gauss = self.random.gauss
        strengths = [math.exp(gauss(0, 0.35)) for _ in range(cols)]
        for _ in range(rows):
            strength = math.exp(gauss(0, 0.35))
            yield [gauss(0, strength * column) for column in strengths]

    def _coded(self, name, rows, cols):
        if self.codes == "two-bit":
            weights = [w for row in self._matrix(rows, cols) for w in row]
            alpha = math.fsum(map(abs, weights)) / len(weights)
            trits = [max(-1, min(1, round(w / alpha))) for w in weights]
            alpha = struct.unpack("<f", struct.pack("<f", alpha * 0.02))[0]
            self.ternary[name] = {"packed": pack_two_bit(trits), "shape": (rows, cols),
                                  "n": len(trits), "alpha": alpha}
            if self.keeps_plain:
                self.plain[name] = (trits, alpha)
            return
        group = self.shape.group
        padded = cols + -cols % group
        trits, scales, values = [], [], []
        for row in self._matrix(rows, cols):
            row = row + [0.0] * (padded - cols)
            for start in range(0, padded, group):
                part = row[start:start + group]
                scale = max(math.fsum(map(abs, part)) / group, 1e-8)
                scales.append(scale * 0.05)
                if self.codes == "signs":
                    trits += [1 if w >= 0 else -1 for w in part]
                else:
                    trits += [max(-1, min(1, round(w / scale))) for w in part]
        stored, scales = tensor(self.scales, (len(scales),), scales)
        for row in range(rows if self.keeps_plain else 0):
            for col in range(cols):
                index = row * padded + col
                values.append(trits[index] * scales[index // group])
        self.ternary[name] = {
            "type": ENTRY_TYPES[self.codes], "packed": PACKERS[self.codes](trits), "scale": stored,
            "shape": [rows, cols], "padded_cols": padded, "group_size": group,
            "n_trits": len(trits), "orig_shape": [rows, cols]}
        self.plain[name] = values

    def _number(self, name, shape, values):
        if self.codes == "two-bit":
            dtype = FLOAT16
        else:
            dtype = FLOAT8 if len(shape) == 2 else self.scales
        stored, self.plain[name] = tensor(dtype, shape, values)
        if self.codes != "two-bit":
            stored = {"type": "fp8" if dtype is FLOAT8 else "fp16", "data": stored}
        self.other[name] = stored

    def _fill(self):
        s = self.shape
        kv = s.width // s.heads * s.kv_heads
        table = s.factored or s.width
        self._number("tok_emb.weight", (s.vocabulary, table), self._gauss(s.vocabulary * table,
                                                                         0, 0.3))
        if s.factored:
            self._number("embed_proj.weight", (s.width, table), self._gauss(s.width * table, 0, .3))
            self._number("embed_proj_rev.weight", (table, s.width),
                         self._gauss(s.width * table, 0, 0.3))
            self._number("vocab_bias", (s.vocabulary,), self._gauss(s.vocabulary, 0, 0.5))
        skips = s.passes // 2
        self._number("skip_weights", (skips, s.width), self._gauss(skips * s.width, 0.8, 0.2))
        for i in range(s.blocks):
            block = f"blocks.{i}."
            self._number(block + "attn_scale", (s.width,), self._gauss(s.width, 0.7, 0.2))
            self._number(block + "mlp_scale", (s.width,), self._gauss(s.width, 0.7, 0.2))
            self._number(block + "resid_mix", (2, s.width),
                         self._gauss(s.width, 0.9, 0.1) + self._gauss(s.width, 0.1, 0.1))
            self._number(block + "attn.q_gain", (s.heads,), self._gauss(s.heads, 1.5, 0.2))
            if s.smear:
                self._number(block + "smear.gate", (s.width,), self._gauss(s.width, 0, 0.5))
            if self.codes == "two-bit":
                self._coded(block + "attn.c_q.weight", s.width, s.width)
                self._coded(block + "attn.c_k.weight", kv, s.width)
                self._coded(block + "attn.c_v.weight", kv, s.width)
            else:
                self._coded(block + "attn.c_qkv.weight", s.width + 2 * kv, s.width)
            self._coded(block + "attn.proj.weight", s.width, s.width)
            self._coded(block + "mlp.fc.weight", s.hidden, s.width)
            self._coded(block + "mlp.proj.weight", s.width, s.hidden)

    def file(self, compression=None):
        archive = torch_save(self.stored)
        if compression is None:
            compression = "zlib" if self.codes == "two-bit" else "xz"
        if compression == "zlib":
            return zlib.compress(archive, 9)
        return lzma.compress(archive, preset=9) if compression == "xz" else archive


# ---- a vocabulary ------------------------------------------------------------------------------

def _varint(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def _field(number, data):
    if isinstance(data, int):
        return _varint(number << 3) + _varint(data)
    return _varint(number << 3 | 2) + _varint(len(data)) + data


UNKNOWN, CONTROL, NORMAL, BYTE = 2, 3, 1, 6


def vocabulary_pieces(size):
    """(text, kind) of each id: unknown, BOS, EOS, 256 bytes, and pieces built by merging."""
    pieces = [("<unk>", UNKNOWN), ("<s>", CONTROL), ("</s>", CONTROL)]
    if size > len(pieces) + 256:  # a smaller vocabulary has no bytes
        pieces += [(f"<0x{byte:02X}>", BYTE) for byte in range(256)]
    normal = ["\u2581", "t", "h", "e", "a", "\u2581t", "he"] + list("nosirdlucmwfgypbvk,.")
    normal += ["\u2581the", "in", "er", "\u00e9", "\u2581a"]
    if size > len(pieces) + len(normal):
        raise ValueError(f"at most {len(pieces) + len(normal)} pieces")
    return pieces + [(text, NORMAL) for text in normal][:size - len(pieces)]


def vocabulary_file(size):
    """A SentencePiece ModelProto of the BPE kind."""
    model = b""
    for rank, (text, kind) in enumerate(vocabulary_pieces(size)):
        piece = _field(1, text.encode()) + b"\x15" + struct.pack("<f", -float(rank))
        model += _field(1, piece + _field(3, kind))
    has_bytes = any(kind == BYTE for _, kind in vocabulary_pieces(size))
    model += _field(2, _field(3, 2) + _field(35, int(has_bytes)))  # trainer: BPE, byte fallback
    return model + _field(3, _field(1, b"identity"))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=[*PACKERS, "vocabulary"])
    parser.add_argument("output")
    parser.add_argument("--shape", default="small")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--size", type=int, help="pieces (default: as the shape has)")
    parser.add_argument("--scales", choices=["fp16", "bf16"], default="fp16")
    parser.add_argument("--compression", choices=["zlib", "xz", "none"])
    options = parser.parse_args()
    if options.kind == "vocabulary":
        shape = SHAPES.get(("two-bit", options.shape))
        try:
            data = vocabulary_file(options.size or (shape.vocabulary if shape else 0))
        except ValueError as error:
            parser.error(str(error))
    else:
        shape = SHAPES.get((options.kind, options.shape))
        if shape is None:
            parser.error(f"no shape {options.shape} for {options.kind}")
        scales = FLOAT16 if options.scales == "fp16" else BFLOAT16
        checkpoint = Checkpoint(options.kind, shape, options.seed, scales, keeps_plain=False)
        data = checkpoint.file(options.compression)
    with open(options.output, "wb") as out:
        out.write(data)


if __name__ == "__main__":
    main()
