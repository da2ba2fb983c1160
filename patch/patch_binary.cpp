#include "patch/patch_binary.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/byte_reader.h"
#include "core/byte_writer.h"
#include "core/format.h"
#include "patch/crc32.h"
#include "patch/patch_format.h"
#include "patch/patch_scope.h"
#include "patch/rice_set.h"
#include "patch/text_rules.h"

namespace bankai::patch {
namespace {

struct KindEntry {
  FlipKind kind;
  std::uint8_t flag;
  const char* name;
};
constexpr std::array<KindEntry, kNumFlipKinds> kKinds = {
    {{FlipKind::kRow, kFlagRows, "row flips"},
     {FlipKind::kGroup, kFlagGroups, "group flips"},
     {FlipKind::kBit, kFlagBits, "bit flips"},
     {FlipKind::kStepUp, kFlagStepsUp, "steps up"},
     {FlipKind::kStepDown, kFlagStepsDown, "steps down"}}};
constexpr std::uint8_t kFlipFlags = kFlagRows | kFlagGroups | kFlagBits | kStepFlags;

// A patch as the numbers that a file states.
struct Plan {
  std::uint8_t flags = 0;
  Scope scope;
  std::array<std::uint64_t, kKinds.size()> counts{};
  std::array<std::vector<std::uint64_t>, kKinds.size()> sets;  // as coded: positions or the others
};

// A set of more than half of all positions is coded as those that are not in it, unless a few bytes
// could then stand for too many flips.
bool codes_the_others(std::uint64_t count, std::uint64_t num_positions) {
  return count > num_positions / 2 && num_positions <= kMaxPositionsOfOthers;
}

// The numbers below `limit` that are not in `numbers` (sorted). REQUIRES: limit is at most a few
// times numbers.size(), or memory would not be bounded.
std::vector<std::uint64_t> others(std::span<const std::uint64_t> numbers, std::uint64_t limit) {
  std::vector<std::uint64_t> result;
  std::uint64_t next = 0;
  for (const std::uint64_t number : numbers) {
    for (; next < number; ++next) result.push_back(next);
    next = number + 1;
  }
  for (; next < limit; ++next) result.push_back(next);
  return result;
}

Plan plan_of(const Patch& patch) {
  Plan plan;
  plan.scope = Scope::of(patch.flips, patch.base.shapes);
  for (const Flip& flip : patch.flips)
    plan.sets[static_cast<std::size_t>(flip.kind)].push_back(plan.scope.position_of(flip));
  for (std::size_t i = 0; i < kKinds.size(); ++i) {
    plan.counts[i] = plan.sets[i].size();
    if (plan.counts[i] == 0) continue;
    plan.flags |= kKinds[i].flag;
    const std::uint64_t num_positions = plan.scope.num_positions(kKinds[i].kind);
    if (codes_the_others(plan.counts[i], num_positions))
      plan.sets[i] = others(plan.sets[i], num_positions);
  }
  const bool known = shapes_known(patch.flips, patch.base.shapes);
  if (patch.base.hash && known) plan.flags |= kFlagBound;
  if (!patch.flips.empty() && known) plan.flags |= kFlagShapes;
  if (plan.scope.shape_per_tensor()) plan.flags |= kFlagShapePerTensor;
  return plan;
}

// Projections, number of layers, shapes (0: the same again) and counts.
void write_scope(const Plan& plan, ByteWriter& writer) {
  writer.write_varint(plan.scope.projection_mask());
  writer.write_varint(plan.scope.layers().size());
  TensorShape previous;
  for (const TensorShape& shape : plan.scope.stated_shapes()) {
    if (shape == previous) {
      writer.write_varint(0);
    } else {
      writer.write_varint(shape.rows);
      writer.write_varint(shape.groups_per_row());
    }
    previous = shape;
  }
  for (const std::uint64_t count : plan.counts)
    if (count > 0) writer.write_varint(count);
}

std::uint64_t coded_bits(const Plan& plan) {
  std::uint64_t bits = set_size_bits(plan.scope.layers());
  for (const auto& set : plan.sets) bits += set_size_bits(set);
  return bits;
}

Result<Scope> read_scope(ByteReader& reader, std::uint64_t& num_layers, std::uint32_t& mask) {
  BANKAI_ASSIGN_OR_RETURN(const std::uint64_t raw_mask, reader.read_varint("projection mask"));
  if (raw_mask == 0 || raw_mask >= (1U << kProjections.size()))
    return make_error(ErrorCode::kBadInput, "projection mask %#llx, expected 1 to %#x",
                      static_cast<unsigned long long>(raw_mask), (1U << kProjections.size()) - 1);
  mask = static_cast<std::uint32_t>(raw_mask);
  BANKAI_ASSIGN_OR_RETURN(num_layers, reader.read_varint("number of layers"));
  if (num_layers > kMaxLayers)
    return make_error(ErrorCode::kBadInput, "%llu layers, expected at most %u",
                      static_cast<unsigned long long>(num_layers), kMaxLayers);
  // Placeholder layers give the number of matrices; the layers themselves follow in the bit stream.
  std::vector<std::uint64_t> layers(static_cast<std::size_t>(num_layers));
  for (std::size_t i = 0; i < layers.size(); ++i) layers[i] = i;
  return Scope(layers, mask);
}

Result<std::vector<TensorShape>> read_shapes(ByteReader& reader, std::size_t count) {
  std::vector<TensorShape> shapes;
  for (std::size_t i = 0; i < count; ++i) {
    BANKAI_ASSIGN_OR_RETURN(const std::uint64_t rows, reader.read_varint("number of rows"));
    if (rows == 0) {
      if (shapes.empty())
        return make_error(ErrorCode::kBadInput, "the first shape repeats an earlier one");
      shapes.push_back(shapes.back());
      continue;
    }
    BANKAI_ASSIGN_OR_RETURN(const std::uint64_t groups, reader.read_varint("groups per row"));
    if (rows > kMaxRows || groups == 0 || groups > kMaxCols / kGroupCols)
      return make_error(ErrorCode::kBadInput, "a matrix of %llu rows by %llu groups",
                        static_cast<unsigned long long>(rows),
                        static_cast<unsigned long long>(groups));
    shapes.push_back(
        {static_cast<std::uint32_t>(rows), static_cast<std::uint32_t>(groups * kGroupCols)});
  }
  return shapes;
}

Result<std::vector<std::uint64_t>> read_positions(BitReader& bits, std::uint64_t count,
                                                  const KindEntry& kind, const Scope& scope) {
  const std::uint64_t limit = scope.num_positions(kind.kind);
  if (count > limit)
    return make_error(ErrorCode::kBadInput, "%llu %s, but only %llu positions",
                      static_cast<unsigned long long>(count), kind.name,
                      static_cast<unsigned long long>(limit));
  if (!codes_the_others(count, limit)) return read_set(bits, count, limit, kind.name);
  BANKAI_ASSIGN_OR_RETURN(const auto missing, read_set(bits, limit - count, limit, kind.name));
  return others(missing, limit);
}

// Everything after the name.
Status read_flips(ByteReader& reader, std::uint8_t flags, Patch& patch) {
  std::uint64_t num_layers = 0;
  std::uint32_t mask = 0;
  BANKAI_ASSIGN_OR_RETURN(const Scope counted, read_scope(reader, num_layers, mask));
  const bool per_tensor = (flags & kFlagShapePerTensor) != 0;
  const std::size_t num_shapes =
      per_tensor ? counted.tensors().size() : static_cast<std::size_t>(std::popcount(mask));
  BANKAI_ASSIGN_OR_RETURN(const std::vector<TensorShape> shapes, read_shapes(reader, num_shapes));
  std::array<std::uint64_t, kKinds.size()> counts{};
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < kKinds.size(); ++i) {
    if ((flags & kKinds[i].flag) == 0) continue;
    BANKAI_ASSIGN_OR_RETURN(counts[i], reader.read_varint("number of flips"));
    if (counts[i] > kMaxFlips || (total += counts[i]) > kMaxFlips)
      return make_error(ErrorCode::kBadInput, "more than %zu flips are declared", kMaxFlips);
  }

  BANKAI_ASSIGN_OR_RETURN(const auto coded, reader.read_bytes(reader.remaining(), "coded flips"));
  BitReader bits(coded);
  BANKAI_ASSIGN_OR_RETURN(const auto layers, read_set(bits, num_layers, kMaxLayers, "layers"));
  Scope scope(layers, mask);
  BANKAI_RETURN_IF_ERROR(scope.set_stated_shapes(shapes, per_tensor));
  std::vector<Flip> flips;
  for (std::size_t i = 0; i < kKinds.size(); ++i) {
    if (counts[i] == 0) continue;
    BANKAI_ASSIGN_OR_RETURN(const auto positions,
                            read_positions(bits, counts[i], kKinds[i], scope));
    for (const std::uint64_t position : positions)
      flips.push_back(scope.flip_at(kKinds[i].kind, position));
  }
  if ((flags & kFlagShapes) != 0)
    for (const ScopeTensor& entry : scope.tensors())
      patch.base.shapes[entry.tensor] = {
          entry.rows, static_cast<std::uint32_t>(entry.groups_per_row * kGroupCols)};
  BANKAI_ASSIGN_OR_RETURN(patch.flips, FlipSet::make(std::move(flips), patch.base.shapes));
  std::erase_if(patch.base.shapes,
                [&](const auto& entry) { return patch.flips.of(entry.first).empty(); });
  return {};
}

Status read_header(ByteReader& reader, std::span<const std::byte> bytes, std::uint8_t& flags,
                   Patch& patch) {
  BANKAI_ASSIGN_OR_RETURN(const auto magic, reader.read_bytes(kBinaryMagic.size(), "magic"));
  if (!std::equal(magic.begin(), magic.end(), kBinaryMagic.begin()))
    return make_error(ErrorCode::kBadInput, "not a binary patch: it starts with %s, expected %s",
                      to_hex(magic).c_str(), to_hex(kBinaryMagic).c_str());
  BANKAI_ASSIGN_OR_RETURN(const auto checksum, reader.read<std::uint32_t>("checksum"));
  BANKAI_ASSIGN_OR_RETURN(const auto version, reader.read<std::uint8_t>("version"));
  if (version != kBinaryVersion && version != kBinaryStepVersion)
    return make_error(ErrorCode::kUnsupported, "binary patch version %u, expected %u or %u",
                      unsigned{version}, unsigned{kBinaryVersion}, unsigned{kBinaryStepVersion});
  const std::uint32_t found = crc32(bytes.subspan(kChecksummedFrom));
  if (found != checksum)
    return make_error(ErrorCode::kBadInput, "the content has checksum %08x, but %08x is stated",
                      found, checksum);
  BANKAI_ASSIGN_OR_RETURN(flags, reader.read<std::uint8_t>("flags"));
  if (((flags & kStepFlags) != 0) != (version == kBinaryStepVersion))
    return make_error(ErrorCode::kBadInput, "flags %#x in version %u", unsigned{flags},
                      unsigned{version});
  if ((flags & kFlagBound) != 0) {
    BaseHash hash;
    BANKAI_ASSIGN_OR_RETURN(const auto raw, reader.read_bytes(hash.size(), "base hash"));
    std::copy(raw.begin(), raw.end(), hash.begin());
    patch.base.hash = hash;
  }
  BANKAI_ASSIGN_OR_RETURN(const auto length, reader.read<std::uint8_t>("length of the name"));
  if (length > kMaxBinaryNameBytes)
    return make_error(ErrorCode::kBadInput, "a name of %u bytes, expected at most %zu",
                      unsigned{length}, kMaxBinaryNameBytes);
  BANKAI_ASSIGN_OR_RETURN(const auto name, reader.read_bytes(length, "name"));
  patch.name.assign(reinterpret_cast<const char*>(name.data()), name.size());
  return check_label(patch.name, "name");
}

}  // namespace

std::string_view binary_name(std::string_view name) {
  return label_prefix(name, kMaxBinaryNameBytes);
}

std::vector<std::byte> encode_binary(const Patch& patch) {
  const Plan plan = plan_of(patch);
  ByteWriter content;
  content.write((plan.flags & kStepFlags) != 0 ? kBinaryStepVersion : kBinaryVersion);
  content.write(plan.flags);
  if ((plan.flags & kFlagBound) != 0) content.write_bytes(*patch.base.hash);
  const std::string_view name = binary_name(patch.name);
  content.write(static_cast<std::uint8_t>(name.size()));
  content.write_text(name);
  if (!patch.flips.empty()) {
    write_scope(plan, content);
    BitWriter bits;
    write_set(plan.scope.layers(), bits);
    for (const auto& set : plan.sets) write_set(set, bits);
    content.write_bytes(bits.bytes());
  }
  ByteWriter file;
  file.write_bytes(kBinaryMagic);
  file.write(crc32(content.bytes()));
  file.write_bytes(content.bytes());
  return std::move(file).bytes();
}

std::size_t binary_size_bytes(const Patch& patch) {
  const Plan plan = plan_of(patch);
  std::size_t size = kChecksummedFrom + 2 +
                     ((plan.flags & kFlagBound) != 0 ? sizeof(BaseHash) : 0) + 1 +
                     binary_name(patch.name).size();
  if (patch.flips.empty()) return size;
  ByteWriter scope;
  write_scope(plan, scope);
  return size + scope.size() + static_cast<std::size_t>((coded_bits(plan) + 7) / 8);
}

Result<Patch> decode_binary(std::span<const std::byte> bytes) {
  if (bytes.size() > kMaxPatchFileBytes)
    return make_error(ErrorCode::kBadInput, "a patch of %zu bytes, expected at most %zu",
                      bytes.size(), kMaxPatchFileBytes);
  ByteReader reader(bytes);
  Patch patch;
  std::uint8_t flags = 0;
  BANKAI_RETURN_IF_ERROR(read_header(reader, bytes, flags, patch));
  if ((flags & kFlipFlags) != 0) BANKAI_RETURN_IF_ERROR(read_flips(reader, flags, patch));
  // One patch has one encoding: this finds every padding bit, repetition and choice that ours is
  // not.
  const std::vector<std::byte> again = encode_binary(patch);
  if (!std::equal(again.begin(), again.end(), bytes.begin(), bytes.end()))
    return make_error(ErrorCode::kBadInput,
                      "not the one encoding of its patch, which takes %zu bytes (%zu are here)",
                      again.size(), bytes.size());
  return patch;
}

bool is_binary_patch(std::span<const std::byte> bytes) {
  return bytes.size() >= kBinaryMagic.size() &&
         std::equal(kBinaryMagic.begin(), kBinaryMagic.end(), bytes.begin());
}

double log2_choose(std::uint64_t n, std::uint64_t k) {
  BANKAI_CHECK(k <= n, "more places chosen than there are");
  k = std::min(k, n - k);
  double bits = 0;
  for (std::uint64_t i = 0; i < k; ++i)
    bits += std::log2(static_cast<double>(n - i) / static_cast<double>(i + 1));
  return bits;
}

double bound_bits(const Patch& patch) {
  const Scope scope = Scope::of(patch.flips, patch.base.shapes);
  double bits = 0;
  for (const FlipKind kind : {FlipKind::kRow, FlipKind::kGroup, FlipKind::kBit})
    bits += log2_choose(scope.num_positions(kind), patch.flips.count(kind));
  const std::size_t up = patch.flips.count(FlipKind::kStepUp);
  const std::size_t steps = up + patch.flips.count(FlipKind::kStepDown);
  bits += log2_choose(scope.num_bits(), steps) + log2_choose(steps, up);
  return bits;
}

}  // namespace bankai::patch
