// The options about a model, and what bankai-infer says when they leave something open.
#include "cli/model_options.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <string>
#include <vector>

#include "core/atomic_file.h"
#include "tests/support/small_model.h"
#include "tests/support/temp_dir.h"

namespace bankai::cli {
namespace {

Result<model::LoadOptions> load_options(std::vector<const char*> arguments) {
  CommandLine line("test", "");
  add_model_options(line);
  arguments.insert(arguments.begin(), "test");
  BANKAI_RETURN_IF_ERROR(line.parse(static_cast<int>(arguments.size()), arguments.data()));
  return read_load_options(line, 3);
}

TEST(ModelOptions, NameALayoutOfI2S) {
  EXPECT_FALSE(load_options({})->i2s_layout.has_value());
  EXPECT_EQ(load_options({})->threads, 3);
  for (const kernels::I2sLayoutInfo& info : kernels::kI2sLayouts)
    EXPECT_EQ(load_options({"--i2s-layout", std::string(info.name).c_str()})->i2s_layout,
              info.layout);
  const auto unknown = load_options({"--i2s-layout", "128"});
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.error().code, ErrorCode::kUsage);
  EXPECT_EQ(unknown.error().message, "--i2s-layout '128': expected one of 128/32, 64/16, 4-row");
}

// Both output streams of bankai-infer on a model; it must succeed.
std::string run_infer(const std::string& model, const std::string& options) {
  const std::string command =
      std::string(BANKAI_INFER) + " -m " + model + " -p a -n 1 -t 1 " + options + " 2>&1";
  std::FILE* pipe = popen(command.c_str(), "r");
  std::string text;
  for (int c = 0; pipe != nullptr && (c = std::fgetc(pipe)) != EOF;) text += static_cast<char>(c);
  EXPECT_EQ(pipe == nullptr ? -1 : pclose(pipe), 0) << command << ": " << text;
  return text;
}

TEST(ModelOptions, WithoutALayoutAnI2SModelRunsWithAWarning) {
  testing::SmallShape shape;
  shape.types = {kernels::TensorType::kI2_S};
  shape.vocabulary = 300;
  const auto bytes = testing::small_model_bytes(shape);
  const testing::TempDir folder;
  const std::string path = folder.path("model.gguf");
  ASSERT_TRUE(write_file(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()},
                         Overwrite::kRefuse)
                  .ok());
  constexpr const char* kWarning = "which of the I2_S layouts";
  EXPECT_NE(run_infer(path, "").find(kWarning), std::string::npos);
  for (const char* options : {"--quiet", "--i2s-layout 128/32", "--i2s-layout 4-row"})
    EXPECT_EQ(run_infer(path, options).find(kWarning), std::string::npos) << options;
}

}  // namespace
}  // namespace bankai::cli
