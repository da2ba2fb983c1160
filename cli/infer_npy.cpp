#include "cli/infer_npy.h"

#include "core/check.h"
#include "core/format.h"

namespace bankai::cli {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kPreambleBytes = 10;  // magic, version, u16 length of the rest

}  // namespace

std::string npy_header(std::size_t rows, std::size_t cols) {
  std::string dictionary =
      format("{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }", rows, cols);
  const std::size_t used = kPreambleBytes + dictionary.size() + 1;
  dictionary.append((kAlignment - used % kAlignment) % kAlignment, ' ');
  dictionary += '\n';
  std::string header = "\x93NUMPY";
  header += '\x01';
  header += '\x00';
  header += static_cast<char>(dictionary.size() & 0xffU);
  header += static_cast<char>(dictionary.size() >> 8U);
  return header + dictionary;
}

Result<NpyWriter> NpyWriter::create(const std::string& path, Overwrite overwrite, std::size_t rows,
                                    std::size_t cols) {
  BANKAI_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::create(path, overwrite));
  BANKAI_RETURN_IF_ERROR(file.write(npy_header(rows, cols)));
  return NpyWriter(std::move(file), std::uint64_t{rows} * cols);
}

Status NpyWriter::write(std::span<const float> values) {
  BANKAI_CHECK(values.size() <= remaining_, "more values than the array has");
  remaining_ -= values.size();
  return file_.write(std::as_bytes(values));
}

Status NpyWriter::commit() {
  BANKAI_CHECK(remaining_ == 0, "fewer values than the array has");
  return file_.commit();
}

}  // namespace bankai::cli
