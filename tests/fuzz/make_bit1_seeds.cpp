// Writes the seeds of fuzz_bit1 into the folder named on the command line: small models of odd
// sizes, and one that is cut short.
#include <cstdio>
#include <string>

#include "model/bit1_file.h"
#include "model/random_binary_model.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  using bankai::model::BinaryShape;
  const struct {
    const char* name;
    BinaryShape shape;
  } seeds[] = {{"smallest", {1, 1, 1, 1, 1, 1}},
               {"odd", {3, 10, 2, 5, 7, 4}},
               {"two_words", {5, 65, 1, 5, 3, 8}},
               {"whole_words", {4, 64, 1, 2, 64, 16}}};
  for (const auto& seed : seeds) {
    const std::string path = std::string(argv[1]) + "/" + seed.name + ".bit1";
    const auto model = bankai::model::random_binary_model(seed.shape, 1);
    if (!bankai::model::write_bit1(model, path, bankai::Overwrite::kReplace).ok()) return 1;
  }
  const auto whole =
      bankai::model::encode_bit1(bankai::model::random_binary_model(seeds[1].shape, 2));
  std::FILE* file = std::fopen((std::string(argv[1]) + "/cut.bit1").c_str(), "wb");
  if (file == nullptr) return 1;
  const bool is_written = std::fwrite(whole.data(), 1, whole.size() / 2, file) == whole.size() / 2;
  return std::fclose(file) == 0 && is_written ? 0 : 1;
}
