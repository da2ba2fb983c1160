// NumPy's array file, version 1.0: a matrix of float32, row by row, written as it is computed.
// Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "core/atomic_file.h"
#include "core/result.h"

namespace bankai::cli {

// Magic, version, header: everything before the numbers, padded so that they start at a multiple of
// 64.
std::string npy_header(std::size_t rows, std::size_t cols);

class NpyWriter {
 public:
  // Errors: those of AtomicFile.
  static Result<NpyWriter> create(const std::string& path, Overwrite overwrite, std::size_t rows,
                                  std::size_t cols);
  Status write(std::span<const float> values);
  // REQUIRES: rows × cols values were written.
  Status commit();

 private:
  NpyWriter(AtomicFile file, std::uint64_t values) : file_(std::move(file)), remaining_(values) {}

  AtomicFile file_;
  std::uint64_t remaining_;
};

}  // namespace bankai::cli
