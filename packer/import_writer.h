// The bytes of a model's tensors on their way into another file, in portions of rows: memory is a
// portion per thread, whatever a tensor's size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "core/result.h"
#include "packer/import_model.h"

namespace bankai::packer {

class ImportWriter {
 public:
  using Sink = std::function<Status(std::span<const std::byte>)>;

  // `input` is put in front of errors. All must outlive the writer.
  ImportWriter(std::string input, const ImportModel& model, const ImportOptions& options);

  // All bytes of a tensor of the model, in order. Errors: those of the encoder and of `sink`.
  Status write(std::size_t index, const Sink& sink);

 private:
  // Portions of rows of `row_bytes`, each filled by fill(first, count, bytes).
  using Fill =
      std::function<Status(std::size_t first, std::size_t count, std::span<std::byte> bytes)>;
  Status write_rows(const ImportTensor& tensor, std::size_t row_bytes, const Sink& sink,
                    const Fill& fill);
  Status write_encoded(const ImportTensor& tensor, const Sink& sink);
  Status write_blocks(const ImportTensor& tensor, const Sink& sink);
  void report(const ImportTensor& tensor, double share) const;

  std::string input_;
  const ImportModel& model_;
  const ImportOptions& options_;
  std::uint64_t finished_ = 0;
  std::uint64_t total_ = 0;
};

}  // namespace bankai::packer
