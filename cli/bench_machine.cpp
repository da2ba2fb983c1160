#include "cli/bench_machine.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/check.h"
#include "core/clock.h"
#include "model/parallel.h"

namespace bankai::cli {
namespace {

constexpr std::size_t kLeastBufferBytes = std::size_t{512} << 20U;
constexpr std::size_t kBufferPerCache = 8;  // the buffer is this many times the last-level cache

std::size_t buffer_bytes() {
  const auto known = [](int name) { return static_cast<std::size_t>(std::max(sysconf(name), 0L)); };
  const std::size_t wanted =
      std::max(kLeastBufferBytes, kBufferPerCache * known(_SC_LEVEL3_CACHE_SIZE));
  const std::size_t memory = known(_SC_PHYS_PAGES) * known(_SC_PAGESIZE);
  return memory > 0 ? std::min(wanted, memory / 4) : wanted;
}

// Eight running sums: their additions do not wait for each other.
std::uint64_t sum_words(const std::uint64_t* words, std::size_t count) {
  std::uint64_t sums[8] = {};
  for (std::size_t i = 0; i + 8 <= count; i += 8)
    for (std::size_t j = 0; j < 8; ++j) sums[j] += words[i + j];
  std::uint64_t total = 0;
  for (const std::uint64_t sum : sums) total += sum;
  return total;
}

// Calls work(part, words of the part) for as many parts as threads.
template <typename Work>
void each_part(std::span<std::byte> buffer, int threads, Work work) {
  auto* words = reinterpret_cast<std::uint64_t*>(buffer.data());
  const std::size_t lines = buffer.size() / 64;
  const auto parts = static_cast<std::size_t>(threads);
  model::parallel_for(threads, parts, [&](IndexRange range) {
    for (std::size_t i = range.begin; i < range.end; ++i) {
      const IndexRange part = part_of(lines, parts, i);
      work(i, words + part.begin * 8, part.size() * 8);
    }
  });
}

}  // namespace

Result<BandwidthMeter> BandwidthMeter::create(int threads) {
  BANKAI_ASSIGN_OR_RETURN(PageMemory buffer, PageMemory::allocate(buffer_bytes() / 64 * 64));
  each_part(buffer.bytes(), threads, [](std::size_t, std::uint64_t* words, std::size_t count) {
    std::fill_n(words, count, std::uint64_t{3});
  });
  return BandwidthMeter(std::move(buffer), threads);
}

double BandwidthMeter::measure() const {
  std::vector<std::uint64_t> sums(static_cast<std::size_t>(threads_));
  const Stopwatch clock;
  each_part(buffer_.bytes(), threads_,
            [&](std::size_t part, const std::uint64_t* words, std::size_t count) {
              sums[part] = sum_words(words, count);
            });
  const double seconds = clock.seconds();
  std::uint64_t total = 0;
  for (const std::uint64_t sum : sums) total += sum;
  BANKAI_CHECK(total == 3 * (buffer_.bytes().size() / 8), "the sum of a buffer is not its words'");
  return static_cast<double>(buffer_.bytes().size()) / seconds;
}

double measure_int8_peak(const kernels::KernelTable& table, int threads) {
  constexpr double kSeconds = 0.02;
  std::size_t rounds = 1000;
  double seconds = 0.0;
  std::uint64_t count = 0;
  do {  // until a run is long enough for the clock
    rounds *= 4;
    const Stopwatch clock;
    count = table.int8_peak(rounds);
    seconds = clock.seconds();
  } while (seconds < kSeconds);
  const auto parts = static_cast<std::size_t>(threads);
  const Stopwatch clock;
  model::parallel_for(threads, parts, [&](IndexRange range) {
    for (std::size_t i = range.begin; i < range.end; ++i) table.int8_peak(rounds);
  });
  return static_cast<double>(count) * static_cast<double>(threads) / clock.seconds();
}

}  // namespace bankai::cli
