// Writes the seed files of fuzz_gguf into a folder: make_gguf_seeds tests/fuzz/seeds/gguf
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "core/atomic_file.h"
#include "tests/support/gguf_builder.h"

namespace {

using bankai::testing::GgufImage;

std::vector<std::pair<std::string, GgufImage>> seeds() {
  GgufImage version_2 = bankai::testing::small_gguf();
  version_2.version = 2;
  GgufImage unpadded;
  unpadded.tensor("norm", {5}, 0, 20);
  unpadded.pads_last_tensor = false;
  GgufImage huge_counts = bankai::testing::small_gguf();
  huge_counts.declared_num_tensors = std::uint64_t{1} << 60U;
  GgufImage wrapping_dims;
  wrapping_dims.tensor("t", {1U << 30U, 1U << 30U, 16}, 0, 64);
  GgufImage overlap;
  overlap.tensor("a", {16}, 0, 64).tensor("b", {16}, 0, 64);
  overlap.tensors[1].declared_offset = 0;
  return {
      {"empty", GgufImage()},
      {"small", bankai::testing::small_gguf()},
      {"version_2", version_2},
      {"unpadded", unpadded},
      {"aligned_64", GgufImage().set_alignment(64).tensor("a", {128}, 41, 18)},
      {"tokens", GgufImage()
                     .string("tokenizer.ggml.model", "gpt2")
                     .strings("tokenizer.ggml.tokens", {"a", "b", "ab", "<|end|>"})
                     .strings("tokenizer.ggml.merges", {"a b"})},
      {"huge_counts", huge_counts},
      {"huge_array", GgufImage().array("k", bankai::testing::kGgufString, ~std::uint64_t{0}, {})},
      {"nested_array", GgufImage().array("k", bankai::testing::kGgufArray, 1, {})},
      {"wrapping_dims", wrapping_dims},
      {"overlap", overlap},
      {"prism_id_42", GgufImage().tensor("t", {128, 32}, 42, 1088).tensor("next", {1}, 0, 4)},
      {"prism_id_40", GgufImage().tensor("t", {1024}, 40, 192).tensor("next", {1}, 0, 4)},
  };
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: make_gguf_seeds FOLDER\n");
    return 2;
  }
  for (const auto& [name, image] : seeds()) {
    const auto bytes = image.build();
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const bankai::Status status = bankai::write_file(std::string(argv[1]) + "/" + name + ".gguf",
                                                     text, bankai::Overwrite::kReplace);
    if (!status.ok()) {
      std::fprintf(stderr, "%s\n", status.error().message.c_str());
      return 1;
    }
  }
  return 0;
}
