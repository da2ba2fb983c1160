#include "cli/model_options.h"

#include "core/format.h"
#include "kernels/i2_s_layouts.h"

namespace bankai::cli {

namespace po = boost::program_options;

void add_model_options(CommandLine& line) {
  const std::string text =
      "order of I2_S weights, which no file tells: " + kernels::i2s_layout_names();
  line.group("Model")("i2s-layout", po::value<std::string>(), text.c_str());
}

Result<model::LoadOptions> read_load_options(const CommandLine& line, int threads) {
  model::LoadOptions options{.threads = threads};
  if (!line.has("i2s-layout")) return options;
  const auto& name = line.get<std::string>("i2s-layout");
  const kernels::I2sLayoutInfo* info = kernels::find_i2s_layout(name);
  if (info == nullptr)
    return make_error(ErrorCode::kUsage, "--i2s-layout %s: expected one of %s",
                      quoted(name).c_str(), kernels::i2s_layout_names().c_str());
  options.i2s_layout = info->layout;
  return options;
}

Result<kernels::ActivationMode> read_activation_mode(const CommandLine& line, const char* option) {
  const auto& mode = line.get<std::string>(option);
  if (mode == "a8") return kernels::ActivationMode::kA8;
  if (mode == "a16") return kernels::ActivationMode::kA16;
  return make_error(ErrorCode::kUsage, "--%s %s: expected a8 or a16", option, quoted(mode).c_str());
}

}  // namespace bankai::cli
