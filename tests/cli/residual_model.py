"""bankai-binary GGUF files with random weights, from the specification of the format."""
import random
import struct

Q1_0, F32 = 41, 0


def gguf_string(text):
    return struct.pack("<Q", len(text)) + text.encode()


def make_residual(seed, vocabulary=128, width=128, layers=2, heads=4, hidden=128, context=64,
                  scale=1.0, offset=1.0, embedding=1.0):
    """The bytes of a file. scale, offset, embedding: middles of what is drawn, by half around."""
    source = random.Random(seed)

    def floats(count, middle=1.0, is_signed=False):
        values = (middle * source.uniform(0.5, 1.5) for _ in range(count))
        if is_signed:
            values = (value * source.choice((-1, 1)) for value in values)
        return struct.pack(f"<{count}f", *values)

    tensors = [("token_embd.weight", F32, [width, vocabulary],
                floats(width * vocabulary, embedding, is_signed=True)),
               ("output_norm.weight", F32, [width], floats(width))]
    channels = [("output", vocabulary, width)]
    for layer in range(layers):
        tensors += [(f"blk.{layer}.{norm}_norm.weight", F32, [width], floats(width))
                    for norm in ("attn", "ffn")]
        channels += [(f"blk.{layer}.attn_{name}", width, width)
                     for name in ("q", "k", "v", "output")]
        channels += [(f"blk.{layer}.ffn_{name}", hidden, width) for name in ("gate", "up")]
        channels += [(f"blk.{layer}.ffn_down", width, hidden)]
    for name, rows, cols in channels:
        blocks = b"".join(b"\0\x3c" + source.randbytes(16) for _ in range(rows * cols // 128))
        tensors += [(f"{name}.weight", Q1_0, [cols, rows], blocks),
                    (f"{name}.scale", F32, [rows], floats(rows, scale)),
                    (f"{name}.bias", F32, [rows], floats(rows, offset, is_signed=True))]
    sizes = {"vocab_size": vocabulary, "embedding_length": width, "block_count": layers,
             "attention.head_count": heads, "feed_forward_length": hidden,
             "context_length": context}
    header = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(sizes) + 2)
    header += gguf_string("general.architecture") + struct.pack("<I", 8)
    header += gguf_string("bankai-binary")
    for key, value in sizes.items():
        header += gguf_string("bankai-binary." + key) + struct.pack("<II", 4, value)
    header += gguf_string("bankai-binary.attention.slopes")
    header += struct.pack(f"<IIQ{heads}i", 9, 5, heads, *(1 << head for head in range(heads)))
    data = b""
    for name, kind, dims, content in tensors:
        header += gguf_string(name) + struct.pack("<I", len(dims))
        header += b"".join(struct.pack("<Q", dim) for dim in dims)
        header += struct.pack("<IQ", kind, len(data))
        data += content + bytes(-len(content) % 32)
    return header + bytes(-len(header) % 32) + data
