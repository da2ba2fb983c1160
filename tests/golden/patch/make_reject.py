#!/usr/bin/env python3
"""Writes the files of reject/ beside itself: one broken rule of docs/formats/patch.md each."""
import pathlib
import struct
import zlib

FOLDER = pathlib.Path(__file__).parent / "reject"


def varint(value):
    out = b""
    while value >= 128:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def coded_set(numbers, shift):
    bits = [shift >> i & 1 for i in range(6)] if numbers else []
    following = 0
    for number in numbers:
        gap = number - following
        bits += [1] * (gap >> shift) + [0] + [gap >> i & 1 for i in range(shift)]
        following = number + 1
    return bits


def packed(bits):
    bits = bits + [0] * (-len(bits) % 8)
    return bytes(sum(bit << i for i, bit in enumerate(bits[at:at + 8]))
                 for at in range(0, len(bits), 8))


def with_header(content, version=1, flags=6, name=b"r", checksum=None, magic=b"BKP\x1a",
                base_hash=b"", cut=0):
    body = bytes([version, flags]) + base_hash + bytes([len(name)]) + name + content
    body = body[:len(body) - cut]
    return magic + struct.pack("<I", zlib.crc32(body) if checksum is None else checksum) + body


def rows(positions=(3, 9), shift=1, mask=1, layers=(2,), layer_shift=0, shape=varint(16) + varint(2),
         count=None, tail=b"", **header):
    content = varint(mask) + varint(len(layers)) + shape
    content += varint(len(positions) if count is None else count)
    content += packed(coded_set(layers, layer_shift) + coded_set(positions, shift)) + tail
    return with_header(content, **header)


def singles(sets, flags=None):
    """Bit flips and steps: {flag: positions}, in a matrix of 16 rows by 2 groups."""
    content = varint(1) + varint(1) + varint(16) + varint(2)
    content += b"".join(varint(len(positions)) for positions in sets.values())
    bits = coded_set((2,), 0)
    for positions in sets.values():
        bits += coded_set(positions, best_shift(positions))
    return with_header(content + packed(bits), version=2,
                       flags=2 | sum(sets) if flags is None else flags)


def best_shift(numbers):
    return min(range(64), key=lambda shift: len(coded_set(numbers, shift)) if shift < 14 else 1e9)


BINARY = {
    "bad_input.empty": b"",
    "bad_input.magic_only": b"BKP\x1a",
    "bad_input.magic": rows(magic=b"BKQ\x1a"),
    "bad_input.checksum": rows(checksum=0x12345678),
    "unsupported.version_0": rows(version=0),
    "unsupported.version_3": rows(version=3),
    "bad_input.version_2_without_steps": rows(version=2),
    "bad_input.reserved_flag": rows(flags=6 | 64),
    "bad_input.count_of_a_missing_kind": rows(flags=2 | 4 | 8),
    "bad_input.content_without_flips": rows(flags=2),
    "bad_input.long_name": rows(name=b"n" * 33),
    "bad_input.name_control": rows(name=b"a\x1bb"),
    "bad_input.name_not_utf8": rows(name=b"\xc3("),
    "bad_input.name_cut": with_header(b"", flags=2, name=b"name", cut=2),
    "bad_input.hash_cut": with_header(b"", flags=7, base_hash=b"12345"),
    "bad_input.mask_zero": rows(mask=0),
    "bad_input.mask_too_large": rows(mask=512),
    "bad_input.mask_of_untouched": rows(mask=3, shape=varint(16) + varint(2) + varint(0)),
    "bad_input.untouched_layer": rows(layers=(2, 5)),
    "bad_input.no_layers": rows(layers=()),
    "bad_input.too_many_layers": with_header(varint(1) + varint(4097) + bytes(20)),
    "bad_input.layer_4096": rows(layers=(4096,), layer_shift=11),
    "bad_input.shape_first_repeats": rows(shape=varint(0)),
    "bad_input.shape_not_repeated": rows(mask=3, positions=(3, 19), shape=2 * (varint(16) + varint(2))),
    "bad_input.shape_too_many_rows": rows(shape=varint((1 << 24) + 1) + varint(2)),
    "bad_input.shape_no_groups": rows(shape=varint(16) + varint(0)),
    "bad_input.shape_too_many_groups": rows(shape=varint(16) + varint((1 << 17) + 1)),
    "bad_input.varint_not_shortest": rows(shape=b"\x90\x00" + varint(2)),
    "bad_input.varint_too_long": rows(shape=b"\x80" * 11),
    "bad_input.shape_per_tensor_needless": rows(flags=6 | 32),
    "bad_input.shape_unknown_not_least": rows(flags=4),
    "bad_input.bound_without_shapes": rows(flags=5, base_hash=b"0123456789abcdef",
                                           shape=varint(10) + varint(1)),
    "bad_input.count_zero": rows(count=0),
    "bad_input.count_huge": rows(count=1 << 23),
    "bad_input.count_2_24": rows(count=(1 << 24) + 1),
    "bad_input.count_2_63": rows(count=1 << 63),
    "bad_input.count_more_than_bits": rows(positions=(0, 1, 2), shift=0, count=30, shape=varint(64) + varint(2)),
    "bad_input.position_outside": rows(positions=(3, 16)),
    "bad_input.shift_63": with_header(varint(1) + varint(1) + varint(16) + varint(2) + varint(1)
                                      + packed(coded_set((2,), 0) + [1] * 6 + [0] + [1] * 63)),
    "bad_input.shift_not_best": rows(shift=4),
    "bad_input.stream_cut": rows(positions=tuple(range(0, 16, 2)), shift=0, cut=1),
    "bad_input.bytes_after": rows(tail=b"\x00"),
    "bad_input.most_rows_as_they_are": rows(positions=tuple(range(8)) + (12,), shift=0),
    "bad_input.groups_of_a_whole_row": with_header(
        varint(1) + varint(1) + varint(16) + varint(2) + varint(2)
        + packed(coded_set((2,), 0) + coded_set((4, 5), 1)), flags=2 | 8),
    "bad_input.bits_of_a_group": with_header(
        varint(1) + varint(1) + varint(16) + varint(2) + varint(65)
        + packed(coded_set((2,), 0) + coded_set(tuple(range(65)), 0)), flags=2 | 16),
    "bad_input.embedding_in_layer_one": rows(mask=128, layers=(1,), layer_shift=0),
    "bad_input.step_up_and_down": singles({64: (5, 300), 128: (5,)}),
    "bad_input.steps_beside_bits": singles({16: (5, 300), 64: (7,)}),
    "bad_input.step_outside": singles({64: (4095, 4096)}),
    "bad_input.steps_missing": singles({64: (5, 300)}, flags=2 | 64 | 128),
}
# The same with the last bit of the padding set, and a checksum that fits.
_body = bytearray(rows()[8:])
_body[-1] |= 0x80
BINARY["bad_input.padding_set"] = b"BKP\x1a" + struct.pack("<I", zlib.crc32(_body)) + bytes(_body)


def flips(*entries):
    return '{"flips": [' + ", ".join(entries) + "]}"


FLIP = '{"layer": 0, "proj": "up_proj", "row": 1}'
BIT = '{"layer": 0, "proj": "up_proj", "row": 2, "col": 9}'
STEP = '{"layer": 0, "proj": "up_proj", "row": 1, "col": 9, "step": 1}'


def flip(text):
    return flips('{"layer": 0, "proj": "up_proj", ' + text + "}")


def with_base(text):
    return '{"flips": [' + FLIP + '], "metadata": {"bankai": ' + text + "}}"


SHAPE = '"layer": 0, "proj": "up_proj", "rows": 2, "cols": 128'
JSON = {
    "bad_input.empty": "",
    "bad_input.not_an_object": "[]",
    "bad_input.no_flips": "{}",
    "bad_input.flips_not_a_list": '{"flips": {}}',
    "bad_input.cut": '{"flips": [' + FLIP,
    "bad_input.text_after": flips(FLIP) + "}",
    "bad_input.flip_not_an_object": flips("[0, 1, 2]"),
    "bad_input.unknown_key": flip('"row": 1, "rows": 2'),
    "bad_input.group_and_col": flip('"row": 1, "group": 0, "col": 1'),
    "bad_input.no_row": flips('{"layer": 0, "proj": "up_proj"}'),
    "bad_input.negative": flip('"row": -1'),
    "bad_input.fraction": flip('"row": 1.5'),
    "bad_input.whole_float": flip('"row": 1.0'),
    "bad_input.string": flip('"row": "1"'),
    "bad_input.row_limit": flip('"row": 16777216'),
    "bad_input.row_2_31": flip('"row": 2147483648'),
    "bad_input.row_2_64": flip('"row": 18446744073709551616'),
    "bad_input.row_infinite": flip('"row": 1e999'),
    "bad_input.group_limit": flip('"row": 1, "group": 131072'),
    "bad_input.col_limit": flip('"row": 1, "col": 16777216'),
    "bad_input.step_without_col": flip('"row": 1, "step": 1'),
    "bad_input.step_of_a_group": flip('"row": 1, "group": 0, "step": 1'),
    "bad_input.step_two": flip('"row": 1, "col": 1, "step": 2'),
    "bad_input.step_zero": flip('"row": 1, "col": 1, "step": 0'),
    "bad_input.step_float": flip('"row": 1, "col": 1, "step": 1.0'),
    "bad_input.step_huge": flip('"row": 1, "col": 1, "step": 18446744073709551615'),
    "bad_input.two_steps": flips(STEP, STEP.replace('"step": 1', '"step": -1')),
    "bad_input.steps_beside_bits": flips(STEP, BIT),
    "bad_input.layer_limit": flips('{"layer": 4096, "proj": "up_proj", "row": 1}'),
    "bad_input.projection": flips('{"layer": 0, "proj": "norm", "row": 1}'),
    "bad_input.embedding_layer": flips('{"layer": 1, "proj": "embed_tokens", "row": 1}'),
    "bad_input.duplicate_flip": flips(FLIP, FLIP),
    "bad_input.duplicate_key": '{"flips": [], "flips": []}',
    "bad_input.duplicate_key_in_flip": flip('"row": 1, "row": 2'),
    "bad_input.count": '{"flips": [], "stats": {"n_flips": 1}}',
    "bad_input.older_count": '{"flips": [], "n_flips": 1}',
    "bad_input.depth": '{"flips": [], "metadata": {"x": ' + 40 * "[" + 40 * "]" + "}}",
    "bad_input.name_not_a_string": '{"flips": [], "name": 1}',
    "bad_input.name_control": '{"flips": [], "name": "a\\nb"}',
    "bad_input.metadata_not_an_object": '{"flips": [], "metadata": 1}',
    "bad_input.base_unknown_key": with_base('{"hash": 1}'),
    "bad_input.base_hash_alone": with_base('{"base_hash": "' + 32 * "0" + '"}'),
    "bad_input.base_hash_short": with_base('{"base_hash": "00", "tensors": [{' + SHAPE + "}]}"),
    "bad_input.base_twice": with_base('{"tensors": [{' + SHAPE + "}, {" + SHAPE + "}]}"),
    "bad_input.base_untouched": with_base('{"tensors": [{' + SHAPE.replace("0", "1", 1) + "}]}"),
    "bad_input.base_too_small": with_base('{"tensors": [{' + SHAPE.replace("2", "1", 1) + "}]}"),
    "bad_input.base_width": with_base('{"tensors": [{' + SHAPE.replace("128", "130") + "}]}"),
    "bad_input.base_hash_inconsistent": with_base(
        '{"base_hash": "' + 32 * "0" + '", "tensors": [{' + SHAPE + ', "sha256": "' + 64 * "0"
        + '"}]}'),
    "unsupported.version": '{"version": 2, "flips": []}',
    "unsupported.format": '{"format": "lora", "flips": []}',
    "unsupported.type": '{"type": "column_flip", "flips": []}',
}


def main():
    FOLDER.mkdir(exist_ok=True)
    for name, data in BINARY.items():
        (FOLDER / f"{name}.bkp").write_bytes(data)
    for name, text in JSON.items():
        (FOLDER / f"{name}.json").write_text(text)
    # A patch that the helpers above write well must not be among them.
    (FOLDER.parent / "ok" / "smallest.bkp").write_bytes(rows(name=b"smallest"))
    (FOLDER.parent / "ok" / "smallest_steps.bkp").write_bytes(
        singles({64: (5, 300), 128: (7,)}))


if __name__ == "__main__":
    main()
