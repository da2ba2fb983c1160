"""BIT1 files with random weights, from the specification of the format."""
import random
import struct


def make_bit1(seed, vocabulary=128, width=128, layers=2, heads=4, hidden=128, most_threshold=0):
    """The bytes of a file. width, hidden: whole words. Thresholds lie around 0, up to the most."""
    source = random.Random(seed)

    def linear(rows, cols):
        bits = source.randbytes(rows * cols // 8)
        if most_threshold == 0:
            return bits + bytes(4 * rows)
        return bits + struct.pack(f"<{rows}i", *(
            source.randrange(-most_threshold, most_threshold + 1) for _ in range(rows)))

    data = struct.pack("<8IQ", 0x31544942, 1, vocabulary, width, layers, heads, hidden, 64, 65536)
    data += source.randbytes(vocabulary * width // 8)
    for _ in range(layers):
        data += struct.pack(f"<{heads}i", *(1 << head for head in range(heads)))
        for rows, cols in [(width, width)] * 4 + [(hidden, width)] * 2 + [(width, hidden)]:
            data += linear(rows, cols)
    return data + source.randbytes(vocabulary * width // 8) + bytes(8 * vocabulary)
