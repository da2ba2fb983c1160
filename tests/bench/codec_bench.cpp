// The codecs of the packer over contents of known entropy: how small (bytes; × the order-0 bound)
// and how fast they decode. Beside them, general coders over the usual packings, by xz too where
// liblzma is installed.
#include <benchmark/benchmark.h>

#include <array>
#include <string>
#include <vector>

#include "packer/codec_table.h"
#include "packer/entropy.h"
#include "packer/payload.h"
#include "tests/packer/packer_data.h"
#ifdef BANKAI_BENCH_LZMA
#include <lzma.h>
#endif

namespace bankai::packer {
namespace {

double entropy_bytes(const TestContent& test) {
  if (test.content.kind != ContentKind::kTrits) return byte_entropy_bits(test.logical) / 8.0;
  std::array<std::uint64_t, 3> counts{};
  for (const std::byte trit : test.logical)
    ++counts[(std::to_integer<std::size_t>(trit) + 1) % 256];
  return entropy_bits(counts) / 8.0;
}

void report(benchmark::State& state, const TestContent& test, double bytes) {
  state.counters["elements/s"] = {static_cast<double>(test.content.elements()),
                                  benchmark::Counter::kIsIterationInvariantRate};
  state.counters["bytes"] = bytes;
  state.counters["of_bound"] = bytes / entropy_bytes(test);
}

void decode(benchmark::State& state, const Codec& codec, const TestContent& test, int threads) {
  const ContentSource source(test.content, test.logical);
  const std::vector<std::byte> payload = encode(codec, source, 2).value();
  const PayloadReader reader = PayloadReader::open(codec, test.content, payload).value();
  std::vector<std::byte> logical(test.logical.size());
  if (!reader.decode(logical, threads).ok() || logical != test.logical)
    return state.SkipWithError("does not come back");
  for (auto _ : state) {
    benchmark::DoNotOptimize(reader.decode(logical, threads).ok());
    benchmark::ClobberMemory();
  }
  report(state, test, static_cast<double>(payload.size()));
}

void encode_all(benchmark::State& state, const Codec& codec, const TestContent& test) {
  const ContentSource source(test.content, test.logical);
  std::uint64_t bytes = 0;
  for (auto _ : state) bytes = encode(codec, source).value().size();
  report(state, test, static_cast<double>(bytes));
}

// A general coder over a packing of all trits, as other programs store them.
void pack_then(benchmark::State& state, const char* packing, const char* coder,
               const TestContent& test) {
  const std::vector<std::byte> packed =
      encode(*find_codec(packing), ContentSource(test.content, test.logical)).value();
  std::size_t bytes = 0;
  for (auto _ : state) {
#ifdef BANKAI_BENCH_LZMA
    if (std::string(coder) == "xz-9") {
      std::vector<std::uint8_t> coded(lzma_stream_buffer_bound(packed.size()));
      bytes = 0;
      if (lzma_easy_buffer_encode(9 | LZMA_PRESET_EXTREME, LZMA_CHECK_CRC32, nullptr,
                                  reinterpret_cast<const std::uint8_t*>(packed.data()),
                                  packed.size(), coded.data(), &bytes, coded.size()) != LZMA_OK)
        return state.SkipWithError("xz fails");
      continue;
    }
#endif
    const Content blob = make_content(ContentKind::kBlob, 1, packed.size()).value();
    bytes = encode(*find_codec(coder), ContentSource(blob, packed)).value().size();
  }
  report(state, test, static_cast<double>(bytes));
}

std::vector<TestContent> bench_contents() {
  std::vector<TestContent> contents;
  for (const int tenths : {1, 3, 5, 7, 9}) {
    contents.push_back(independent_trits(2500, 4000, tenths / 10.0, 1));
    contents.back().name = "trits_z" + std::to_string(tenths);
  }
  for (const int spread : {10, 25, 50}) {
    contents.push_back(structured_trits(2048, 2048, spread / 100.0, 1));
    contents.back().name = "trits_spread" + std::to_string(spread);
  }
  contents.push_back(random_bits(2048, 4096, 1));
  contents.push_back(sloped_bits(2048, 4096, 1));
  contents.push_back(plausible_scales(65536, 16, 1));
  contents.push_back(plausible_floats(1024, 1024, 1));
  return contents;
}

[[maybe_unused]] const bool kRegistered = [] {
  static const std::vector<TestContent> contents = bench_contents();
  for (const TestContent& test : contents) {
    for (const Codec* codec : all_codecs()) {
      if (!codec->accepts(test.content)) continue;
      const std::string name = std::string(codec->name()) + "/" + test.name;
      for (const int threads : {1, 2})
        benchmark::RegisterBenchmark(
            ("decode/" + name + "/threads" + std::to_string(threads)).c_str(),
            [=, &test](benchmark::State& state) { decode(state, *codec, test, threads); })
            ->UseRealTime();
      benchmark::RegisterBenchmark(("encode/" + name).c_str(), [=, &test](benchmark::State& state) {
        encode_all(state, *codec, test);
      });
    }
    if (test.content.kind != ContentKind::kTrits) continue;
    for (const char* packing : {"trits.2bit", "trits.base3", "trits.bitmask"})
      for (const char* coder : {"zlib-9", "zstd-22", "xz-9"}) {
#ifndef BANKAI_BENCH_LZMA
        if (std::string(coder) == "xz-9") continue;
#endif
        const std::string name = std::string("packed/") + packing + "+" + coder + "/" + test.name;
        benchmark::RegisterBenchmark(name.c_str(), [=, &test](benchmark::State& state) {
          pack_then(state, packing, coder, test);
        })->Iterations(1);
      }
  }
  return true;
}();

}  // namespace
}  // namespace bankai::packer
