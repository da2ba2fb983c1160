// Reads the files of parameter-golf models: zlib or xz around a dictionary that torch.save wrote.
// Two families: the dictionary of PR #126 (two-bit codes, one scale per matrix) and the one that
// PR #640 and its successors share (base-3, bitmask or sign codes with group scales).
// docs/formats/golf.md says which keys are read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "packer/compressed_file.h"
#include "packer/golf_codes.h"
#include "packer/torch_archive.h"

namespace bankai::packer {

enum class GolfFamily : std::uint8_t { kMatrixScale, kGroupScales };

// A matrix of codes.
struct GolfCodedMatrix {
  std::string name;
  GolfCodes codes = GolfCodes::kTwoBit;
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::size_t padded_cols = 0;     // of the codes; cols, or more to fill the last group
  std::vector<std::byte> weights;  // (rows, padded_cols): 0xff, 0, 1
  std::size_t packed_bytes = 0;    // in the file, before the outer compression
  double alpha = 1.0;              // of the matrix (kMatrixScale)
  std::size_t group = 0;           // weights of a row that share a scale (kGroupScales)
  TorchTensor scales;              // (rows · padded_cols / group)
};

// Any other tensor, as numbers.
struct GolfNumbers {
  std::string name;
  TorchTensor tensor;
};

struct GolfCheckpoint {
  GolfFamily family = GolfFamily::kMatrixScale;
  PlainContent content;  // what the tensors point into
  std::vector<GolfCodedMatrix> matrices;
  std::vector<GolfNumbers> numbers;

  // kBadInput for a name that is there already.
  Status add(GolfCodedMatrix matrix);
  Status add(GolfNumbers tensor);
  const GolfCodedMatrix* find_matrix(std::string_view name) const;
  const GolfNumbers* find_numbers(std::string_view name) const;

 private:
  Status add_name(const std::string& name, std::size_t place);

  std::map<std::string, std::size_t, std::less<>> places_;  // in `matrices` or `numbers`
};

// Could these be the first bytes of such a file? (zlib, xz or ZIP.)
bool looks_like_golf(std::span<const std::byte> bytes);

// `file` outlives the checkpoint. Errors: those of expand_file and TorchArchive, and kBadInput
// for a dictionary that is not as the families have it, or whose entries share more of their bytes
// than tied tensors do; messages name the entry.
Result<GolfCheckpoint> read_golf_checkpoint(std::span<const std::byte> file);

}  // namespace bankai::packer
