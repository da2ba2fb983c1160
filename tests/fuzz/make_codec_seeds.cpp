// Writes payloads of small contents by every codec that takes them into a folder, each behind the
// six bytes that fuzz_codec expects. Its output are the seeds in tests/fuzz/seeds/codec (those
// below 7 KiB) and the golden files in tests/golden/codec (those of codecs 1 to 9, 15
// and 16):
//   tests/make_codec_seeds FOLDER
#include <cstdio>
#include <fstream>
#include <string>

#include "packer/codec_table.h"
#include "packer/payload.h"
#include "tests/packer/packer_data.h"

namespace {

using namespace bankai::packer;

void write_seed(const std::string& folder, const TestContent& test, const Codec& codec) {
  const auto payload = encode(codec, ContentSource(test.content, test.logical)).value();
  const auto cols = static_cast<unsigned>(test.content.cols);
  std::string name = test.name + "." + std::string(codec.name());
  for (char& c : name)
    if (c == ' ') c = '_';
  std::ofstream file(folder + "/" + name, std::ios::binary);
  for (const unsigned byte :
       {unsigned{codec.id()}, static_cast<unsigned>(test.content.kind), test.content.element_bytes,
        static_cast<unsigned>(test.content.rows), cols % 256, cols / 256})
    file.put(static_cast<char>(byte));
  file.write(reinterpret_cast<const char*>(payload.data()),
             static_cast<std::streamsize>(payload.size()));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: make_codec_seeds FOLDER\n");
    return 3;
  }
  std::vector<TestContent> contents = contents_of_shape(9, 134);
  // Large enough for eight lanes.
  contents.push_back(structured_trits(250, 330, 0.4, 1));
  contents.back().name = "trits of eight lanes";
  contents.push_back(sloped_bits(250, 330, 2));
  contents.back().name = "bits of eight lanes";
  contents.push_back(correlated_bits(60, 40, 1));   // tall
  contents.push_back(correlated_trits(30, 50, 1));  // wide
  for (const TestContent& test : contents)
    for (const Codec* codec : all_codecs())
      if (codec->accepts(test.content)) write_seed(argv[1], test, *codec);
  return 0;
}
