#!/usr/bin/env python3
"""A second reader of packed content, written from docs/formats/codecs.md alone: codecs 1 to 9,
15 and 16, for contents of one block. `read_codec.py FOLDER` decodes every file there (six bytes that say codec id,
kind, element size, rows and columns; then a payload) and fails unless the files of one content, whose
names start alike up to the codec, decode to the same."""
import math
import struct
import sys
from pathlib import Path

T = [min(65534, max(1, math.floor(65536 / (1 + math.exp(-t / 32)) + 0.5))) for t in range(-1024, 1025)]
SLOPES = (-2, 0, 1, 2, 3, 4, 6, 8)  # halves


class Bits:
    def __init__(self, data):
        self.data, self.at = data, 0

    def read(self, count):
        value = 0
        for i in range(count):
            value |= (self.data[self.at >> 3] >> (self.at & 7) & 1) << i
            self.at += 1
        return value

    def golomb(self, k):
        n = k
        while self.read(1):
            n += 1
        return (1 << n) + self.read(n) - (1 << k)

    def signed(self, k):
        code = self.golomb(k)
        return -((code + 1) // 2) if code & 1 else code // 2

    def rest(self):
        return self.data[(self.at + 7) // 8:]


def varint(data):
    value = 0
    for i, byte in enumerate(data):
        value |= (byte & 127) << (7 * i)
        if byte < 128:
            return value, data[i + 1:]
    raise ValueError("a number without an end")


def sized(data):
    size, data = varint(data)
    return data[:size], data[size:]


def table_from_weights(weights, p):
    total, whole = sum(weights), 1 << p
    f = [max(1, (w * whole + total // 2) // total) if w else 0 for w in weights]
    while sum(f) != whole:
        m = f.index(max(f))
        f[m] += whole - sum(f) if sum(f) < whole else -min(sum(f) - whole, f[m] // 2)
    return f, p


def read_table(bits):
    s, p, k = bits.read(8) + 1, bits.read(4) + 1, bits.read(4)
    return [bits.golomb(k) for _ in range(s)], p


class Rans:
    def __init__(self, data, lanes):
        self.x = list(struct.unpack_from(f"<{lanes}Q", data))
        self.words = iter(struct.unpack(f"<{(len(data) - 8 * lanes) // 4}I", data[8 * lanes:]))

    def slot(self, lane, p):
        return self.x[lane] & ((1 << p) - 1)

    def take(self, lane, p, start, f):
        x = f * (self.x[lane] >> p) + self.slot(lane, p) - start
        self.x[lane] = x if x >= 1 << 31 else x << 32 | next(self.words)

    def finish(self):
        assert all(x == 1 << 31 for x in self.x) and next(self.words, None) is None


def run(table, data, count):
    f, p = table
    slots = [(i, start) for i, start in enumerate([sum(f[:i]) for i in range(len(f))]) for _ in range(f[i])]
    lanes = 1 if count < 16384 else 8
    rans, out = Rans(data, lanes), []
    for i in range(count):
        symbol, start = slots[rans.slot(i % lanes, p)]
        rans.take(i % lanes, p, start, f[symbol])
        out.append(symbol)
    rans.finish()
    return out


def read_list(data, count):
    bits = Bits(data)
    table = read_table(bits)
    return run(table, bits.rest(), count)


def base3(codes, count):
    return [code // 3**i % 3 for code in codes for i in range(5)][:count]


def order0(data, n):
    mode, data = data[0], data[1:]
    if mode == 0:
        return base3(data, n)
    if mode == 1:
        g0, data = varint(data)
        g1, data = varint(data)
        g, weights = (g0, g1, 65536 - g0 - g1), []
        for code in range(243):
            w = 1 << 32
            for i in range(5):
                f = g[code // 3**i % 3]
                w = max(1, w * f >> 16) if w and f else 0
            weights.append(w)
        table = table_from_weights(weights, 16)
    else:
        bits = Bits(data)
        table = read_table(bits)
        data = bits.rest()
    return base3(run(table, data, (n + 4) // 5), n)


def context(payload, rows, cols, trits):
    shared, data = sized(payload)
    bits = Bits(shared)
    has_rows, has_cols, has_slopes, step = bits.read(1), bits.read(1), bits.read(1), 4 << bits.read(2)
    offset = [bits.signed(6)]
    offset += [offset[0] + bits.signed(1) for _ in range(23)]
    plus = [128 + bits.signed(1) for _ in range(24)] if trits else None
    most = 128 // step
    col_class = [s - most for s in read_list(bits.rest(), cols)] if has_cols else [0] * cols
    row_class, slope = [0] * rows, [3] * rows
    if has_rows:
        part, data = sized(data)
        row_class = [s - most for s in read_list(part, rows)]
    if has_slopes:
        part, data = sized(data)
        slope = read_list(part, rows)
    lanes = 1 if rows * cols < 65536 else min(8, rows)
    counts = [rows // lanes + (lane < rows % lanes) for lane in range(lanes)]
    first = [sum(counts[:lane]) for lane in range(lanes)]
    rans, d = Rans(data, lanes), [[0] * cols for _ in range(rows)]
    for k in range(max(counts)):
        for col in range(cols):
            for lane in (lane for lane in range(lanes) if k < counts[lane]):
                r = first[lane] + k
                left = d[r][col - 1] if col % 128 else 3
                above = d[r - 1][col] if k else (1 if trits else 0)
                j = left + 4 * above + (12 if col % 128 > 1 and d[r][col - 2] == 1 else 0)
                t = offset[j] + step * row_class[r] + SLOPES[slope[r]] * step * col_class[col] // 2
                one = T[t + 1024]
                cuts = [(0, one, 1)]
                if trits:
                    f = 1 + ((65534 - one) * plus[j] >> 8)
                    cuts += [(one, f, 2), (one + f, 65536 - one - f, 0)]
                else:
                    cuts += [(one, 65536 - one, 0)]
                slot = rans.slot(lane, 16)
                start, f, d[r][col] = next(c for c in cuts if c[0] <= slot < c[0] + c[1])
                rans.take(lane, 16, start, f)
    rans.finish()
    return [digit for row in d for digit in row]


def move(error, gain, first, seen, last):
    return error * ((gain << 18) // (first + min(seen, last))) + (1 << 19) >> 20


def limited(value, most):
    return max(-most, min(most, value))


def learned(data, rows, cols, trits):
    rans, d = Rans(data, 1), {}
    features, samples = min(rows, cols), max(rows, cols)
    parts = min(8, samples)
    counts = [samples // parts + (part < samples % parts) for part in range(parts)]
    weights, strength = [[0] * f for f in range(features)], 65536
    zero_feature, sign_feature = [0] * features, [0] * features
    near_value, near_seen = [0] * 81, [0] * 81

    def decide(logit):
        p = T[limited(logit + 256 >> 9, 1024) + 1024]
        one = rans.slot(0, 16) < p
        rans.take(0, 16, *((0, p) if one else (p, 65536 - p)))
        return one, 65536 * one - p

    for k in range(max(counts)):
        step = [sum(counts[:part]) + k for part in range(parts) if k < counts[part]]
        zero_sample, sign_sample, x = ({s: 0 for s in step}, {s: 0 for s in step}, {s: [0] * features for s in step})
        for f in range(features):
            others = step
            if trits:
                def kind(s, f):
                    return int(d[s, f] != 1) if f >= 0 else 2

                near = {s: kind(s, f - 1) + 3 * kind(s, f - 2) + 9 * (kind(s - 1, f) if k else 2) +
                        27 * min((f if rows >= cols else s) % 128, 2) for s in step}
                asked = [(s, zero_feature[f] + zero_sample[s] + near_value[near[s]]) for s in step]
                answers = [(s, *decide(logit)) for s, logit in asked]
                for s, zero, e in answers:
                    zero_sample[s] += move(e, 2, 20, f, 200)
                    change = move(e, 3, 6, near_seen[near[s]], 100)
                    near_value[near[s]] = limited(near_value[near[s]] + change, 1 << 19)
                    near_seen[near[s]] += 1
                    if zero:
                        d[s, f] = 1
                total = sum(e for _, _, e in answers)
                zero_feature[f] = limited(zero_feature[f] + move(total, 2, 20, 8 * k, 200), 1 << 19)
                others = [s for s, zero, _ in answers if not zero]
            sums = {s: sum(w * v for w, v in zip(weights[f], x[s])) for s in others}
            asked = [(s, (strength * sums[s] >> 16) + sign_feature[f] + sign_sample[s]) for s in others]
            answers = [(s, *decide(logit)) for s, logit in asked]
            for s, _, e in answers:
                sign_sample[s] += move(e, 1, 50, f, 500)
            total = sum(e for _, _, e in answers)
            sign_feature[f] = limited(sign_feature[f] + move(total, 1, 50, 8 * k, 500), 1 << 19)
            steps = [(x[s], move(e, 3, 50, 8 * k + f, 4095)) for s, _, e in answers]
            weights[f] = [limited(w + sum(v[j] * by for v, by in steps), 24000) for j, w in enumerate(weights[f])]
            strength = max(0, min(131072, strength + (sum(e * sums[s] for s, _, e in answers) >> 21)))
            for s, plus, _ in answers:
                d[s, f], x[s][f] = (2 if trits else 1) if plus else 0, 1 if plus else -1
    rans.finish()
    return [d[(r, c) if rows >= cols else (c, r)] for r in range(rows) for c in range(cols)]


def bell(w, e):
    width = (256, 279, 304, 332, 362, 395, 431, 470)[w % 8] << (w // 8)
    ts = [min(1024, abs(2 * h + 1) * 16384 // width) for h in range(-127, 128)]
    weights = [T[1024 + t] * T[1024 - t] for t in ts]
    return table_from_weights(weights + [(sum(weights) >> (14, 10, 7, 4)[e]) + 1], 14)


def scales(data, rows, cols):
    def ratio(a, b):
        return abs(a) // b * (1 if a >= 0 else -1)

    counts, kinds, bits = (rows, rows * (cols - 1)), [None, None], Bits(data)
    for kind in (k for k in (0, 1) if counts[k]):
        weights = [bits.signed(4) for _ in range(4 if kind else 2)]
        intercept, shift = bits.signed(14), bits.read(4)
        table = bell(bits.read(6), bits.read(2)) if bits.read(1) else read_table(bits)
        kinds[kind] = [weights, intercept, shift, table, None]
    data = bits.rest()
    for kind in (k for k in (0, 1) if counts[k]):
        part, data = sized(data)
        kinds[kind][4] = iter(run(kinds[kind][3], part, counts[kind]))
    low, v = Bits(data), [[0] * cols for _ in range(rows)]
    for r in range(rows):
        for c in range(cols):
            left = v[r][c - 1] if c else 0
            above = v[r - 1][c] if r else left
            mean = ratio(sum(v[i][c] for i in range(r)), r) if r else left
            features = [above, mean] + ([left, ratio(sum(v[r][:c]), c)] if c else [])
            weights, intercept, shift, _, symbols = kinds[1 if c else 0]
            symbol = next(symbols)
            if symbol == 255:
                raw = low.read(16)
                v[r][c] = -(raw & 32767) - 1 if raw & 32768 else raw
            else:
                guess = (intercept + sum(w * f for w, f in zip(weights, features))) >> 7
                v[r][c] = max(-32768, min(32767, guess)) + ((symbol - 127) << shift) + low.read(shift)
    flat = [x if x >= 0 else (-x - 1) | 32768 for row in v for x in row]
    return struct.pack(f"<{len(flat)}H", *flat)


def trit_bytes(digits):
    return bytes((d - 1) & 255 for d in digits)


def decode(codec, rows, cols, data):
    n = rows * cols
    if codec in (1, 9):
        return data
    if codec in (2, 15):
        bits = context(data, rows, cols, False) if codec == 2 else learned(data, rows, cols, False)
        return bytes(sum(b << i for i, b in enumerate(bits[at:at + 8])) for at in range(0, n, 8))
    if codec == 3:
        return trit_bytes([data[i // 4] >> (2 * (i % 4)) & 3 for i in range(n)])
    if codec == 4:
        return trit_bytes(base3(data, n))
    if codec == 5:
        signs, digits = Bits(data[(n + 7) // 8:]), []
        mask = Bits(data)
        for _ in range(n):
            digits.append(1 if not mask.read(1) else 2 * signs.read(1))
        return trit_bytes(digits)
    if codec == 6:
        return trit_bytes(order0(data, n))
    if codec == 7:
        return trit_bytes(context(data, rows, cols, True))
    if codec == 8:
        return scales(data, rows, cols)
    if codec == 16:
        return trit_bytes(learned(data, rows, cols, True))
    raise ValueError(f"codec {codec}")


def main():
    contents, count = {}, 0
    for path in sorted(Path(sys.argv[1]).iterdir()):
        data = path.read_bytes()
        logical = decode(data[0], data[3], data[4] + 256 * data[5], data[6:])
        content = path.name.split(".")[0]
        if contents.setdefault(content, logical) != logical:
            sys.exit(f"{path.name} decodes to another content")
        count += 1
    print(f"{count} payloads of {len(contents)} contents")


if __name__ == "__main__":
    main()
