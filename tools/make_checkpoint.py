"""Makes small Hugging Face checkpoints of random weights, and says what they compute.

usage: make_checkpoint.py KIND FOLDER [TOKEN ...]
  KIND    llama, llama3 (the same with Llama 3's rotary scaling), qwen2, qwen3, bitnet, banana_kv1,
          mistral (with a tokenizer.model), mlx (Qwen3 in MLX's 1-bit words), bitnet_packed or
          bitnet_divided (four trits in a byte, and a scale that products are multiplied with, or
          divided by)
  FOLDER  is created: config.json, tokenizer.json, tokenizer_config.json and weights, in two shards
          where the kind is llama
  TOKEN   ids; the logits after each of them, computed in double precision from the weights as they
          were written, go to standard output as JSON

Uses nothing but Python's standard library and the published descriptions of the formats, so that it
shares no code with what it is compared with.
"""
import json
import math
import pathlib
import random
import struct
import sys

LAYERS, HIDDEN, FFN, HEADS, KV_HEADS, HEAD_DIM, VOCAB = 2, 128, 256, 4, 2, 32, 320
EPSILON, THETA = 1e-5, 10000.0
SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")


FAMILY = {"llama3": "llama", "mlx": "qwen3", "bitnet_packed": "bitnet", "bitnet_divided": "bitnet"}


def family_of(kind):
    return FAMILY.get(kind, kind)


def is_packed(kind, name):
    return kind in ("bitnet_packed", "bitnet_divided") and "_proj." in name


def byte_alphabet():
    """GPT-2's printable character for every byte."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in plain]
    return {**{b: chr(b) for b in plain}, **{b: chr(256 + i) for i, b in enumerate(others)}}


def tokenizer_json(kind):
    alphabet = byte_alphabet()
    vocab = {"<|end|>": 0, "<|pad|>": 1}
    for byte in range(256):
        vocab[alphabet[byte]] = len(vocab)
    merges = []
    for left, right in ["th", "he", "in", "er", "an", ("th", "e"), (alphabet[32], "the")]:
        merges.append([left, right] if kind == "llama" else f"{left} {right}")
        vocab[left + right] = len(vocab)
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
                  "use_regex": kind not in ("qwen2", "qwen3", "mlx")}
    if kind in ("qwen2", "qwen3", "mlx"):
        first = {"type": "Split", "pattern": {"Regex": SPLIT}, "behavior": "Isolated",
                 "invert": False}
    else:
        first = {"type": "Digits", "individual_digits": True}
    return {
        "version": "1.0",
        "added_tokens": [{"id": 0, "content": "<|end|>", "special": True},
                         {"id": 1, "content": "<|pad|>", "special": True},
                         {"id": len(vocab), "content": "<think>", "special": False}],
        "normalizer": {"type": "NFC"} if kind == "qwen3" else None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [first, byte_level]},
        "decoder": {"type": "ByteLevel"},
        "model": {"type": "BPE", "unk_token": None, "byte_fallback": False, "vocab": vocab,
                  "merges": merges},
    }


def tokenizer_model():
    """SentencePiece's file, and the texts of its pieces."""
    def varint(value):
        out = b""
        while value >= 128:
            out += bytes([value % 128 + 128])
            value //= 128
        return out + bytes([value])

    def message(number, content):
        return varint(number * 8 + 2) + varint(len(content)) + content

    normal, unknown, control, byte = 1, 2, 3, 6
    pieces = [("<unk>", unknown), ("<s>", control), ("</s>", control)]
    pieces += [(f"<0x{value:02X}>", byte) for value in range(256)]
    texts = ["\u2581", "t", "h", "e", "c", "a", "4", "th", "the", "\u2581the", "at"]
    pieces += [(text, normal) for text in texts]
    out = b""
    for number, (text, kind) in enumerate(pieces):
        out += message(1, message(1, text.encode()) + b"\x15" + struct.pack("<f", -number)
                       + b"\x18" + bytes([kind]))
    by_score, keeps_spaces = b"\x18\x02", b"\x20\x00"
    return out + message(2, by_score) + message(3, keeps_spaces), [text for text, _ in pieces]


def config_json(kind):
    config = {
        "model_type": family_of(kind), "vocab_size": VOCAB,
        "hidden_size": HIDDEN, "intermediate_size": FFN, "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS,
        "max_position_embeddings": 512, "rms_norm_eps": EPSILON, "rope_theta": THETA,
        "tie_word_embeddings": family_of(kind) in ("banana_kv1", "bitnet"), "bos_token_id": 0,
        "eos_token_id": [0] if kind == "llama" else 0, "hidden_act": "silu",
    }
    if kind in ("qwen3", "mlx"):
        config["head_dim"] = HEAD_DIM
    if family_of(kind) == "bitnet":
        config["hidden_act"] = "relu2"
    if kind in ("bitnet_packed", "bitnet_divided"):
        config["quantization_config"] = {
            "quant_method": "bitnet", "modules_to_not_convert": ["lm_head"],
            "linear_class": "autobitlinear" if kind == "bitnet_packed" else "bitlinear"}
    if kind == "qwen3":
        config["rope_scaling"] = {"rope_type": "yarn", "factor": 4.0,
                                  "original_max_position_embeddings": 128}
    if kind == "llama":
        config["rope_scaling"] = {"type": "linear", "factor": 2.0}
    if kind == "llama3":
        config["rope_scaling"] = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                                  "high_freq_factor": 4.0, "original_max_position_embeddings": 256}
    if kind == "mlx":
        config["quantization"] = {"group_size": 128, "bits": 1}
    if kind == "banana_kv1":
        config.update(kv_cache_bits=2, kv_quant_threshold=0.0, kv_quant_eps=1e-6)
        del config["hidden_act"]
    return config


def shapes(kind):
    """Name → shape of all tensors, as the checkpoint stores them."""
    prefix = "" if kind == "banana_kv1" else "model."
    query, kv = HEADS * HEAD_DIM, KV_HEADS * HEAD_DIM
    out = {prefix + "embed_tokens.weight": (VOCAB, HIDDEN), prefix + "norm.weight": (HIDDEN,)}
    if family_of(kind) not in ("banana_kv1", "bitnet"):
        out["lm_head.weight"] = (VOCAB, HIDDEN)
    for layer in range(LAYERS):
        block = f"{prefix}layers.{layer}."
        out.update({
            block + "input_layernorm.weight": (HIDDEN,),
            block + "post_attention_layernorm.weight": (HIDDEN,),
            block + "self_attn.q_proj.weight": (query, HIDDEN),
            block + "self_attn.k_proj.weight": (kv, HIDDEN),
            block + "self_attn.v_proj.weight": (kv, HIDDEN),
            block + "self_attn.o_proj.weight": (HIDDEN, query),
            block + "mlp.gate_proj.weight": (FFN, HIDDEN),
            block + "mlp.up_proj.weight": (FFN, HIDDEN),
            block + "mlp.down_proj.weight": (HIDDEN, FFN),
        })
        if kind in ("qwen3", "mlx"):
            out[block + "self_attn.q_norm.weight"] = (HEAD_DIM,)
            out[block + "self_attn.k_norm.weight"] = (HEAD_DIM,)
        if kind == "qwen2":
            for name, size in (("q", query), ("k", kv), ("v", kv)):
                out[f"{block}self_attn.{name}_proj.bias"] = (size,)
        if family_of(kind) == "bitnet":
            out[block + "self_attn.attn_sub_norm.weight"] = (query,)
            out[block + "mlp.ffn_sub_norm.weight"] = (FFN,)
    return out


def bfloat(value):
    """Cut to 8 bits of fraction, so that every stored type holds it exactly."""
    bits = struct.unpack("<I", struct.pack("<f", value))[0] & 0xffff0000
    return struct.unpack("<f", struct.pack("<I", bits))[0]


def half(value):
    return struct.unpack("<e", struct.pack("<e", value))[0]


def random_weights(kind):
    source = random.Random(kind)
    weights = {}
    for name, shape in shapes(kind).items():
        if len(shape) == 1:
            spread = 0.0 if name.endswith(".bias") else 1.0
            weights[name] = [bfloat(spread + source.uniform(-0.5, 0.5)) for _ in range(shape[0])]
        elif kind == "mlx":
            weights[name] = []
            for _ in range(shape[0]):
                for _ in range(shape[1] // 128):
                    scale = half(source.uniform(0.02, 0.2))
                    weights[name] += [source.choice((-scale, scale)) for _ in range(128)]
        elif is_packed(kind, name):
            stored = bfloat(source.uniform(3.0, 15.0))
            factor = 1.0 / stored
            if kind == "bitnet_packed":
                stored = factor = bfloat(factor)
            weights[name + "_scale"] = [stored]
            weights[name] = [factor * source.choice((-1, 0, 1)) for _ in range(shape[0] * shape[1])]
        else:
            weights[name] = [bfloat(source.gauss(0.0, 0.15)) for _ in range(shape[0] * shape[1])]
    return weights


def encode_tensors(kind, weights):
    """Name → (type, shape, bytes): a mixture of float types, or words, scales and biases."""
    out = {}
    for number, (name, shape) in enumerate(shapes(kind).items()):
        values = weights[name]
        if kind == "mlx" and len(shape) == 2:
            base = name.removesuffix(".weight")
            groups = [values[i:i + 128] for i in range(0, len(values), 128)]
            words = b"".join(
                int("".join("1" if v > 0 else "0" for v in reversed(group)), 2).to_bytes(16, "little")
                for group in groups)
            scales = [abs(group[0]) for group in groups]
            count = (shape[0], shape[1] // 128)
            out[name] = ("U32", (shape[0], shape[1] // 32), words)
            out[base + ".scales"] = ("F16", count, struct.pack(f"<{len(scales)}e",
                                                               *[2 * s for s in scales]))
            out[base + ".biases"] = ("F16", count, struct.pack(f"<{len(scales)}e",
                                                               *[-s for s in scales]))
        elif is_packed(kind, name):
            codes = [(v > 0) - (v < 0) + 1 for v in values]
            quarter = len(codes) // 4
            out[name] = ("U8", (shape[0] // 4, shape[1]), bytes(
                sum(codes[i + part * quarter] << 2 * part for part in range(4))
                for i in range(quarter)))
            out[name + "_scale"] = ("BF16", (1,), struct.pack("<f", *weights[name + "_scale"])[2:])
        elif number % 2 == 0 and family_of(kind) != "bitnet":
            out[name] = ("F32", shape, struct.pack(f"<{len(values)}f", *values))
        else:
            data = b"".join(struct.pack("<f", v)[2:] for v in values)
            out[name] = ("BF16", shape, data)
    return out


def write_safetensors(path, tensors):
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(shape),
                        "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text
                     + b"".join(data for _, _, data in tensors.values()))


def write_checkpoint(kind, folder, weights):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config_json(kind), indent=1))
    settings = {"eos_token": {"content": "<|end|>"}, "pad_token": "<|pad|>", "add_bos_token": False}
    if kind == "mistral":
        model, pieces = tokenizer_model()
        (folder / "tokenizer.model").write_bytes(model)
        settings = {"eos_token": "</s>", "added_tokens_decoder": {
            len(pieces): {"content": "<think>", "special": False}}}
    else:
        (folder / "tokenizer.json").write_text(
            json.dumps(tokenizer_json(kind), ensure_ascii=False))
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    tensors = encode_tensors(kind, weights)
    if kind != "llama":
        write_safetensors(folder / "model.safetensors", tensors)
        return
    index, items = {}, list(tensors.items())
    for number, part in enumerate((items[:7], items[7:]), 1):
        name = f"model-{number:05}-of-00002.safetensors"
        write_safetensors(folder / name, dict(part))
        index.update({tensor: name for tensor, _ in part})
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {"total_size": 0}, "weight_map": index}))


class Reference:
    """The forward pass in Python floats, from the description of the architectures."""

    def __init__(self, kind, weights):
        self.kind, self.weights = kind, weights
        self.prefix = "" if kind == "banana_kv1" else "model."
        self.is_bitnet = family_of(kind) == "bitnet"
        self.tied = self.is_bitnet or kind == "banana_kv1"

    def multiply(self, name, x):
        weights, cols = self.weights[name], len(x)
        rows = len(weights) // cols
        biases = self.weights.get(name.replace(".weight", ".bias"), [0.0] * rows)
        return [math.fsum(weights[row * cols + i] * x[i] for i in range(cols)) + biases[row]
                for row in range(rows)]

    def norm(self, x, name):
        weight = self.weights[name]
        factor = 1.0 / math.sqrt(sum(v * v for v in x) / len(x) + EPSILON)
        return [v * factor * w for v, w in zip(x, weight)]

    def angles(self):
        """Radians per position of each pair, and the factor of cosine and sine."""
        plain = [THETA ** (-2.0 * i / HEAD_DIM) for i in range(HEAD_DIM // 2)]
        if self.kind == "llama":
            return [f / 2.0 for f in plain], 1.0
        if self.kind == "llama3":
            return [self.llama3_frequency(f) for f in plain], 1.0
        if self.kind != "qwen3":
            return plain, 1.0
        factor, original = 4.0, 128.0

        def pair_of(rotations):
            return (HEAD_DIM * math.log(original / (rotations * 2 * math.pi))
                    / (2 * math.log(THETA)))
        low = max(math.floor(pair_of(32.0)), 0)
        high = min(math.ceil(pair_of(1.0)), HEAD_DIM - 1)
        mixed = []
        for i, f in enumerate(plain):
            ramp = min(max((i - low) / max(high - low, 0.001), 0.0), 1.0)
            mixed.append(f / factor * ramp + f * (1.0 - ramp))
        return mixed, 1.0 + 0.1 * math.log(factor)

    @staticmethod
    def llama3_frequency(plain):
        """Waves longer than the context are stretched, short ones kept, blended in between."""
        context, factor, low, high = 256.0, 8.0, 1.0, 4.0
        wave = 2 * math.pi / plain
        if wave < context / high:
            return plain
        if wave > context / low:
            return plain / factor
        smooth = (context / wave - low) / (high - low)
        return (1 - smooth) * plain / factor + smooth * plain

    def rotate(self, head, position):
        frequencies, magnitude = self.angles()
        out, size = list(head), HEAD_DIM // 2
        for i, frequency in enumerate(frequencies):
            # KV1 rotates neighbours; the others rotate an element with one half a head further on.
            a, b = (2 * i, 2 * i + 1) if self.kind == "banana_kv1" else (i, i + size)
            cos = math.cos(position * frequency) * magnitude
            sin = math.sin(position * frequency) * magnitude
            out[a] = head[a] * cos - head[b] * sin
            out[b] = head[b] * cos + head[a] * sin
        return out

    def heads(self, x, count, norm, position):
        out = [x[h * HEAD_DIM:(h + 1) * HEAD_DIM] for h in range(count)]
        if norm in self.weights:
            out = [self.norm(head, norm) for head in out]
        return [self.rotate(head, position) for head in out]

    def attention(self, block, normed):
        keys, values, out = [], [], []
        for position, x in enumerate(normed):
            q = self.heads(self.multiply(block + "q_proj.weight", x), HEADS,
                           block + "q_norm.weight", position)
            keys.append(self.heads(self.multiply(block + "k_proj.weight", x), KV_HEADS,
                                   block + "k_norm.weight", position))
            v = self.multiply(block + "v_proj.weight", x)
            values.append([v[h * HEAD_DIM:(h + 1) * HEAD_DIM] for h in range(KV_HEADS)])
            mixed = []
            for h, query in enumerate(q):
                kv = h // (HEADS // KV_HEADS)
                scores = [sum(a * b for a, b in zip(query, key[kv])) / math.sqrt(HEAD_DIM)
                          for key in keys]
                top = max(scores)
                p = [math.exp(s - top) for s in scores]
                total = sum(p)
                mixed += [sum(w * value[kv][d] for w, value in zip(p, values)) / total
                          for d in range(HEAD_DIM)]
            if self.is_bitnet:
                mixed = self.norm(mixed, block + "attn_sub_norm.weight")
            out.append(self.multiply(block + "o_proj.weight", mixed))
        return out

    def feed_forward(self, block, x):
        gate = self.multiply(block + "gate_proj.weight", x)
        up = self.multiply(block + "up_proj.weight", x)
        if self.is_bitnet:
            hidden = self.norm([max(g, 0.0) ** 2 * u for g, u in zip(gate, up)],
                               block + "ffn_sub_norm.weight")
        else:
            hidden = [g / (1.0 + math.exp(-g)) * u for g, u in zip(gate, up)]
        return self.multiply(block + "down_proj.weight", hidden)

    def logits(self, tokens):
        embedding = self.weights[self.prefix + "embed_tokens.weight"]
        rows = [embedding[t * HIDDEN:(t + 1) * HIDDEN] for t in tokens]
        for layer in range(LAYERS):
            block = f"{self.prefix}layers.{layer}."
            added = self.attention(block + "self_attn.", [
                self.norm(x, block + "input_layernorm.weight") for x in rows])
            rows = [[a + b for a, b in zip(x, y)] for x, y in zip(rows, added)]
            added = [self.feed_forward(block + "mlp.",
                                       self.norm(x, block + "post_attention_layernorm.weight"))
                     for x in rows]
            rows = [[a + b for a, b in zip(x, y)] for x, y in zip(rows, added)]
        head = self.prefix + "embed_tokens.weight" if self.tied else "lm_head.weight"
        return [self.multiply(head, self.norm(x, self.prefix + "norm.weight")) for x in rows]


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    kind, folder, tokens = sys.argv[1], pathlib.Path(sys.argv[2]), [int(t) for t in sys.argv[3:]]
    weights = random_weights(kind)
    write_checkpoint(kind, folder, weights)
    if tokens:
        json.dump(Reference(kind, weights).logits(tokens), sys.stdout)


if __name__ == "__main__":
    main()
