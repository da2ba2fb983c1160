#!/usr/bin/env python3
"""Reads a binary patch and prints its flips as JSON: a second reader, written from
docs/formats/patch.md alone and with the standard library only.

usage: read_patch.py FILE.bkp      exit status: 0, or 3 if the file breaks the format
"""
import json
import sys
import zlib

PROJECTIONS = ["gate_proj", "up_proj", "down_proj", "q_proj", "k_proj", "v_proj", "o_proj",
               "embed_tokens", "lm_head"]
MAX_LAYERS, MAX_ROWS, MAX_GROUPS, MAX_FLIPS = 1 << 12, 1 << 24, 1 << 17, 1 << 24
MAX_FILE_BYTES, MAX_POSITIONS_OF_OTHERS = 64 << 20, 1 << 20


class BadPatch(Exception):
    pass


def need(condition, message):
    if not condition:
        raise BadPatch(message)


class Bytes:
    """A cursor over the bytes of a file."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, count):
        need(self.at + count <= len(self.data), f"cut short at {self.at}")
        self.at += count
        return self.data[self.at - count:self.at]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                need(value < 1 << 64 and (byte != 0 or shift == 7), "a varint that is not shortest")
                return value
            need(shift < 70, "a varint that is too long")


class Bits:
    """A cursor over a bit stream."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def left(self):
        return 8 * len(self.data) - self.at

    def number(self, count):
        need(count <= self.left(), "the bit stream is cut short")
        value = 0
        for i in range(count):
            value |= (self.data[self.at >> 3] >> (self.at & 7) & 1) << i
            self.at += 1
        return value

    def unary(self):
        value = 0
        while self.number(1):
            value += 1
        return value

    def numbers(self, count, limit):
        """An ascending set of `count` numbers below `limit`."""
        if count == 0:
            return []
        need(count <= self.left(), "more numbers than bits")
        shift = self.number(6)
        result, following = [], 0
        for _ in range(count):
            gap = self.unary() << shift | self.number(shift)
            need(following + gap < limit, "a position outside the scope")
            result.append(following + gap)
            following += gap + 1
        return result


def read_shapes(source, count):
    shapes = []
    for _ in range(count):
        rows = source.varint()
        if rows == 0:
            need(shapes, "the first shape repeats another")
            shapes.append(shapes[-1])
            continue
        groups = source.varint()
        need(rows <= MAX_ROWS and 1 <= groups <= MAX_GROUPS, "a shape outside the limits")
        shapes.append((rows, groups))
    return shapes


def read_positions(bits, count, limit):
    need(count <= limit, "more flips than positions")
    if count <= limit // 2 or limit > MAX_POSITIONS_OF_OTHERS:
        return bits.numbers(count, limit)
    missing = set(bits.numbers(limit - count, limit))
    return [position for position in range(limit) if position not in missing]


def locate(tensors, kind, position):
    """The flip at a position; tensors: list of (layer, projection, rows, groups per row)."""
    group_position = position if kind in ("row", "group") else position // 128
    for layer, projection, rows, groups in tensors:
        size = rows if kind == "row" else rows * groups
        if group_position < size:
            break
        group_position -= size
    flip = {"layer": layer, "proj": PROJECTIONS[projection]}
    if kind == "row":
        return {**flip, "row": group_position}
    row, group = divmod(group_position, groups)
    if kind == "group":
        return {**flip, "row": row, "group": group}
    flip = {**flip, "row": row, "col": 128 * group + position % 128}
    return flip if kind == "bit" else {**flip, "step": 1 if kind == "step up" else -1}


def read_flips(source, flags):
    mask = source.varint()
    need(1 <= mask < 1 << len(PROJECTIONS), "unknown projections")
    projections = [p for p in range(len(PROJECTIONS)) if mask >> p & 1]
    num_layers = source.varint()
    need(num_layers <= MAX_LAYERS, "too many layers")
    per_layer = [p for p in projections if p < 7]
    of_model = [p for p in projections if p >= 7]
    per_tensor = bool(flags & 32)
    shapes = read_shapes(source, num_layers * len(per_layer) + len(of_model) if per_tensor
                         else len(projections))
    counts = [source.varint() if flags & flag else 0 for flag in (4, 8, 16, 64, 128)]
    need(sum(counts) <= MAX_FLIPS, "too many flips")

    bits = Bits(source.data[source.at:])
    layers = bits.numbers(num_layers, MAX_LAYERS)
    scope = sorted([(layer, p) for layer in layers for p in per_layer] + [(0, p) for p in of_model])
    if not per_tensor:
        of_projection = dict(zip(projections, shapes))
        shapes = [of_projection[p] for _, p in scope]
    tensors = [(layer, p, rows, groups) for (layer, p), (rows, groups) in zip(scope, shapes)]
    num_rows = sum(rows for _, _, rows, _ in tensors)
    num_groups = sum(rows * groups for _, _, rows, groups in tensors)
    flips = []
    limits = (num_rows, num_groups) + 3 * (128 * num_groups,)
    for kind, count, limit in zip(("row", "group", "bit", "step up", "step down"), counts, limits):
        if count:
            positions = read_positions(bits, count, limit)
            flips += [locate(tensors, kind, position) for position in positions]
    padding = bits.left()
    need(padding < 8 and bits.number(padding) == 0, "bytes after the bit stream")
    single = {kind: {(flip["layer"], flip["proj"]) for flip in flips
                     if "col" in flip and ("step" in flip) == (kind == "step")}
              for kind in ("bit", "step")}
    need(not single["bit"] & single["step"], "bit flips and steps in one matrix")
    touched = {(flip["layer"], flip["proj"]) for flip in flips}
    known = [{"layer": layer, "proj": PROJECTIONS[p], "rows": rows, "cols": 128 * groups}
             for layer, p, rows, groups in tensors if (layer, PROJECTIONS[p]) in touched]
    return flips, known if flags & 2 else []


def read_patch(data):
    need(len(data) <= MAX_FILE_BYTES, "too large")
    source = Bytes(data)
    need(source.take(4) == b"BKP\x1a", "not a binary patch")
    checksum = int.from_bytes(source.take(4), "little")
    version = source.take(1)[0]
    need(version in (1, 2), "another version")
    need(checksum == zlib.crc32(data[8:]), "the checksum does not fit")
    flags = source.take(1)[0]
    need((flags >= 64) == (version == 2), "flags of another version")
    base_hash = source.take(16).hex() if flags & 1 else None
    length = source.take(1)[0]
    need(length <= 32, "a name that is too long")
    try:
        name = source.take(length).decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadPatch("a name that is not UTF-8") from error
    need(not any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for c in name), "control characters")
    if flags & (28 | 192):
        flips, tensors = read_flips(source, flags)
    else:
        need(source.at == len(data), "bytes after an empty patch")
        flips, tensors = [], []
    return {"name": name, "base_hash": base_hash, "flips": flips, "tensors": tensors}


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with open(sys.argv[1], "rb") as file:
        data = file.read()
    try:
        print(json.dumps(read_patch(data), indent=1))
    except BadPatch as error:
        print(f"{sys.argv[1]}: {error}", file=sys.stderr)
        sys.exit(3)


if __name__ == "__main__":
    main()
