// What this machine can do at most, measured: the figures that speeds are compared with.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/page_memory.h"
#include "core/result.h"
#include "kernels/matmul.h"

namespace bankai::cli {

// Reads a buffer far larger than the caches.
class BandwidthMeter {
 public:
  // Fills the buffer, each thread the part that it will read. Errors: no memory.
  static Result<BandwidthMeter> create(int threads);
  // Bytes per second that the threads together read, in one pass over the buffer.
  double measure() const;

 private:
  BandwidthMeter(PageMemory buffer, int threads) : buffer_(std::move(buffer)), threads_(threads) {}
  PageMemory buffer_;
  int threads_;
};

// Multiply-adds of 8-bit integers per second that the instructions of the table reach on registers
// (KernelTable::int8_peak), all threads together.
double measure_int8_peak(const kernels::KernelTable& table, int threads);

// Multiply-adds of 8-bit integers for one weight and one activation.
constexpr double int8_per_weight(kernels::ActivationMode mode) {
  return mode == kernels::ActivationMode::kA16 ? 2.0 : 1.0;
}

}  // namespace bankai::cli
