"""A ternary version of a 1-bit model: Q1_0 matrices become TQ2_0.

The two groups of 128 weights that share a block of 256 take the mean of their scales; a group whose
scale is far below its matrix's mean becomes zeros.

usage: ternary_model.py FROM.gguf TO.gguf
"""
import pathlib
import struct
import sys

Q1_0, TQ2_0, F32, F16 = 41, 35, 0, 1
BLOCKS = {Q1_0: (128, 18), F32: (1, 4), F16: (1, 2)}  # weights, bytes
NUMBER_BYTES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
STRING, ARRAY = 8, 9
ZERO_BELOW = 0.5  # of the mean scale

# Codes of eight signs, one byte each: 0 for −1, 2 for +1.
CODES = [sum((2 if byte >> bit & 1 else 0) << 8 * bit for bit in range(8)) for byte in range(256)]
ZEROS = sum(1 << 8 * bit for bit in range(8))


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, fmt):
        values = struct.unpack_from("<" + fmt, self.data, self.at)
        self.at += struct.calcsize("<" + fmt)
        return values[0]

    def text(self):
        size = self.take("Q")
        self.at += size
        return self.data[self.at - size:self.at]

    def skip_value(self, kind):
        if kind == STRING:
            self.text()
        elif kind == ARRAY:
            element, count = self.take("I"), self.take("Q")
            if element in NUMBER_BYTES:
                self.at += count * NUMBER_BYTES[element]
            else:
                for _ in range(count):
                    self.skip_value(element)
        else:
            self.at += NUMBER_BYTES[kind]


def ternary(blocks):
    """The bytes of a Q1_0 matrix as TQ2_0."""
    scales = [struct.unpack_from("<e", blocks, at)[0] for at in range(0, len(blocks), 18)]
    mean = sum(scales) / len(scales)
    out = bytearray()
    for first in range(0, len(scales), 2):
        pair = scales[first:first + 2]
        for index, scale in enumerate(pair):
            signs = blocks[18 * (first + index) + 2:18 * (first + index) + 18]
            for i in range(4):  # eight bytes of a run, from a byte of each of its four parts
                parts = [ZEROS if scale < ZERO_BELOW * mean else CODES[signs[4 * part + i]]
                         for part in range(4)]
                out += sum(codes << 2 * part for part, codes in enumerate(parts)).to_bytes(8, "little")
        out += struct.pack("<e", sum(pair) / 2)
    return bytes(out)


def convert(data):
    reader = Reader(data)
    reader.at = 8
    num_tensors, num_values = reader.take("Q"), reader.take("Q")
    for _ in range(num_values):
        reader.text()
        reader.skip_value(reader.take("I"))
    header, tensors = data[:reader.at], []
    for _ in range(num_tensors):
        name = reader.text()
        dims = [reader.take("Q") for _ in range(reader.take("I"))]
        tensors.append((name, dims, reader.take("I"), reader.take("Q")))
    base = (reader.at + 31) // 32 * 32
    infos, content = b"", b""
    for name, dims, kind, offset in tensors:
        weights, size = BLOCKS[kind]
        elements = 1
        for dim in dims:
            elements *= dim
        own = data[base + offset:base + offset + elements // weights * size]
        if kind == Q1_0:
            kind, own = TQ2_0, ternary(own)
        infos += struct.pack("<Q", len(name)) + name + struct.pack("<I", len(dims))
        infos += b"".join(struct.pack("<Q", dim) for dim in dims)
        infos += struct.pack("<IQ", kind, len(content))
        content += own + bytes(-len(own) % 32)
    header += infos
    return header + bytes(-len(header) % 32) + content


def main():
    source, target = map(pathlib.Path, sys.argv[1:])
    target.write_bytes(convert(source.read_bytes()))


if __name__ == "__main__":
    main()
