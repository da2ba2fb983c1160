"""The forward pass of parameter-golf models and their byte count, in plain double precision, from
docs/formats/golf.md alone. Slow and simple; shares no code with the program."""
import math
import struct

EPS = 2.0**-23


def single(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def half(x):
    return struct.unpack("<e", struct.pack("<e", x))[0]


def as_kept(x, bits):
    """What is read back of a vector of keys or values, by docs/kv_cache.md's "The quantiser kv1"."""
    x = [single(v) for v in x]
    if bits == 32:
        return x
    if bits == 16:
        return [half(v) for v in x]
    if bits == 1:
        return [1.0 if v >= 0 else 0.0 for v in x]
    if bits == 1.5:
        scale = half(max(single(math.fsum(map(abs, x)) / len(x)), 1e-6))
        return [scale if v >= 0 else -scale for v in x]
    most = 2**bits - 1
    scale = max(single(single(max(x) - min(x)) / most), single(1e-6))
    codes = [min(max(round(single(single(v - min(x)) / scale)), 0), most) for v in x]
    return [single(code * half(scale) + half(min(x))) for code in codes]


def norm(x, eps=EPS):
    factor = 1.0 / math.sqrt(math.fsum(v * v for v in x) / len(x) + eps)
    return [v * factor for v in x]


def product(weights, rows, x):
    cols = len(x)
    return [math.fsum(weights[r * cols + c] * x[c] for c in range(cols)) for r in range(rows)]


class Reference:
    def __init__(self, checkpoint, rederived=False, rules=None, kv_bits=None):
        self.kv_bits = kv_bits
        self.shape, self.plain = checkpoint.shape, checkpoint.plain
        self.two_bit = checkpoint.codes == "two-bit"
        self.rederived = rederived
        self.rules = {"rope_base": 10000.0 if self.two_bit else 5000.0,
                      "yarn": 1.0 if self.two_bit else 2.0, "eps": EPS, "leak": 0.0,
                      "cap": ("tanh", 30.0) if self.two_bit else ("poly", 10.0), **(rules or {})}

    def linear(self, name, rows, x, normalised=False):
        weights = self.plain[name]
        if not self.two_bit:
            return product(weights, rows, norm(x, self.rules["eps"]) if normalised else x)
        trits, alpha = weights
        if self.rederived:
            alpha = max(math.fsum(abs(alpha * t) for t in trits) / len(trits), 1e-8)
        gamma = max(max(map(abs, x)), 1e-8) / 127.0
        levels = [round(max(-128.0, min(127.0, v / gamma))) for v in x]
        return [alpha * gamma * total for total in product(trits, rows, levels)]

    def rotate(self, x, position):
        half = len(x) // 2
        out = list(x)
        for i in range(half):
            fraction = 2.0 * i / len(x)
            ramp = min(max((fraction - 0.25) / 0.75, 0.0), 1.0)
            frequency = self.rules["rope_base"] ** -fraction
            frequency /= 1.0 + ramp * (self.rules["yarn"] - 1.0)
            cos, sin = math.cos(position * frequency), math.sin(position * frequency)
            out[i] = x[i] * cos + x[i + half] * sin
            out[i + half] = -x[i] * sin + x[i + half] * cos
        return out

    def attention(self, block, normed):
        s = self.shape
        dim = s.width // s.heads
        queries, keys, values = [], [], []
        for position, x in enumerate(normed):
            if self.two_bit:
                q = self.linear(block + "attn.c_q.weight", s.width, x)
                k = self.linear(block + "attn.c_k.weight", s.kv_heads * dim, x)
                v = self.linear(block + "attn.c_v.weight", s.kv_heads * dim, x)
            else:
                fused = self.linear(block + "attn.c_qkv.weight", s.width + 2 * s.kv_heads * dim, x)
                q, k = fused[:s.width], fused[s.width:s.width + s.kv_heads * dim]
                v = fused[s.width + s.kv_heads * dim:]
            gains = self.plain[block + "attn.q_gain"]
            split = lambda row: [row[i:i + dim] for i in range(0, len(row), dim)]
            ready = lambda head: self.rotate(norm(head, self.rules["eps"]), position)
            queries.append([[g * c for c in ready(h)] for g, h in zip(gains, split(q))])
            kept = (lambda head: as_kept(head, self.kv_bits)) if self.kv_bits else list
            keys.append([kept(ready(h)) for h in split(k)])
            values.append([kept(h) for h in split(v)])
        rows = []
        for t in range(len(normed)):
            row = []
            for head in range(s.heads):
                shared = head // (s.heads // s.kv_heads)
                scores = [math.fsum(a * b for a, b in zip(queries[t][head], keys[j][shared]))
                          / math.sqrt(dim) for j in range(t + 1)]
                top = max(scores)
                weights = [math.exp(score - top) for score in scores]
                total = math.fsum(weights)
                row += [math.fsum(w / total * values[j][shared][c] for j, w in enumerate(weights))
                        for c in range(dim)]
            rows.append(self.linear(block + "attn.proj.weight", s.width, row, normalised=True))
        return rows

    def block(self, index, xs, starts):
        s, plain, name = self.shape, self.plain, f"blocks.{index}."
        mix, eps = plain[name + "resid_mix"], self.rules["eps"]
        xs = [[mix[i] * x[i] + mix[s.width + i] * x0[i] for i in range(s.width)]
              for x, x0 in zip(xs, starts)]
        attended = self.attention(name, [norm(x, eps) for x in xs])
        scale = plain[name + "attn_scale"]
        xs = [[x[i] + scale[i] * y[i] for i in range(s.width)] for x, y in zip(xs, attended)]
        scale = plain[name + "mlp_scale"]
        out = []
        for x in xs:
            hidden = self.linear(name + "mlp.fc.weight", s.hidden, norm(x, eps))
            hidden = [(h if h > 0 else self.rules["leak"] * h) ** 2 for h in hidden]
            y = self.linear(name + "mlp.proj.weight", s.width, hidden, normalised=True)
            out.append([x[i] + scale[i] * y[i] for i in range(s.width)])
        if s.smear:
            gates = [math.tanh(g) for g in plain[name + "smear.gate"]]
            sums, smeared = [0.0] * s.width, []
            for count, x in enumerate(out, 1):
                sums = [total + v for total, v in zip(sums, x)]
                smeared.append([v + g * (total / count - v)
                                for v, g, total in zip(x, gates, sums)])
            out = smeared
        return out

    def logits(self, tokens):
        s, plain = self.shape, self.plain
        width = s.factored or s.width
        rows = []
        for token in tokens:
            row = plain["tok_emb.weight"][token * width:(token + 1) * width]
            if s.factored:
                row = product(plain["embed_proj.weight"], s.width, row)
            rows.append(norm(row, self.rules["eps"]))
        starts, skips = rows, []
        encoder = s.passes // 2
        for index in range(s.passes):
            if index >= encoder and skips:
                row = index - encoder
                weights = plain["skip_weights"][row * s.width:(row + 1) * s.width]
                skip = skips.pop()
                rows = [[v + w * k for v, w, k in zip(x, weights, kept)]
                        for x, kept in zip(rows, skip)]
            rows = self.block(index % s.blocks, rows, starts)
            if index < encoder:
                skips.append(rows)
        return [self.head(norm(x, self.rules["eps"])) for x in rows]

    def head(self, x):
        s, plain = self.shape, self.plain
        if s.factored:
            x = product(plain["embed_proj_rev.weight"], s.factored, x)
        raw = product(plain["tok_emb.weight"], s.vocabulary, x)
        if s.factored:
            raw = [v + bias for v, bias in zip(raw, plain["vocab_bias"])]
        kind, limit = self.rules["cap"]
        if kind == "tanh":
            return [limit * math.tanh(v / limit) for v in raw]
        capped = []
        for v in raw:
            u = max(-2.0, min(2.0, v / limit))
            capped.append(limit * max(-1.0, min(1.0, u * (1 - u**2 / 3 + u**4 / 15))))
        return capped


def log_softmax(logits):
    top = max(logits)
    total = math.log(math.fsum(math.exp(v - top) for v in logits))
    return [v - top - total for v in logits]


def kl(reference, other):
    """KL divergence in nats of two rows of logits."""
    p, q = log_softmax(reference), log_softmax(other)
    return math.fsum(math.exp(a) * (a - b) for a, b in zip(p, q))


def counted_bytes(pieces, token, previous):
    """The field's bytes of a token; `pieces` are (text, kind) with kinds of SentencePiece."""
    def is_boundary(i):
        return pieces[i][1] not in (1, 6)

    text, kind = pieces[token]
    if is_boundary(token):
        return 0
    if kind == 6:
        return 1
    if not text.startswith("\u2581"):
        return len(text.encode())
    return len(text[1:].encode()) + (0 if is_boundary(previous) else 1)
