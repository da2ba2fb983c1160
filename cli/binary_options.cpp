#include "cli/binary_options.h"

#include <array>
#include <cmath>
#include <string>

#include "cli/model_opening.h"
#include "core/format.h"
#include "model/character_model.h"

namespace bankai::cli {

namespace po = boost::program_options;

namespace {

// The index of --option's word among `words`.
Result<std::size_t> read_word(const CommandLine& line, const char* option,
                              std::array<const char*, 2> words) {
  const auto& word = line.get<std::string>(option);
  for (std::size_t i = 0; i < words.size(); ++i)
    if (word == words[i]) return i;
  return make_error(ErrorCode::kUsage, "--%s %s: expected %s or %s", option,
                    bankai::quoted(word).c_str(), words[0], words[1]);
}

}  // namespace

void add_binary_options(CommandLine& line) {
  line.group("Strictly binary models (BIT1)")(
      "tie", po::value<std::string>()->default_value("earliest"),
      "position that a head points to when several score best: earliest or latest")(
      "score", po::value<std::string>()->default_value("dot"),
      "what meets slope times distance: dot (of signs) or popcount (of equal bits)")(
      "threshold", po::value<std::string>()->default_value("reached"),
      "an output is +1 where its sum has reached the threshold, or only where it has passed it")(
      "logit-scale", po::value<double>(),
      "of a unit of the output sum in real logits (default: 1 / sqrt(d_model); not in the file)");
}

Result<double> read_logit_scale(const CommandLine& line, const model::BinaryShape& shape) {
  if (!line.has("logit-scale")) return model::initial_logit_scale(shape);
  const double scale = line.get<double>("logit-scale");
  if (scale > 0.0 && std::isfinite(scale)) return scale;
  return make_error(ErrorCode::kUsage, "--logit-scale %g: expected a number above 0", scale);
}

Result<model::BinaryModel> load_binary_model(const CommandLine& line, const std::string& path,
                                             int threads) {
  BANKAI_RETURN_IF_ERROR(check_no_pending_edit(path));
  BANKAI_ASSIGN_OR_RETURN(const std::size_t passed,
                          read_word(line, "threshold", {"reached", "passed"}));
  BANKAI_ASSIGN_OR_RETURN(model::BinaryModel model, open_binary_model(path, threads));
  if (passed != 0) model::raise_thresholds(model);
  return model;
}

Result<model::BinaryOptions> read_binary_options(const CommandLine& line, int threads) {
  BANKAI_ASSIGN_OR_RETURN(const std::size_t latest, read_word(line, "tie", {"earliest", "latest"}));
  BANKAI_ASSIGN_OR_RETURN(const std::size_t popcount,
                          read_word(line, "score", {"dot", "popcount"}));
  return model::BinaryOptions{
      latest != 0 ? model::TieRule::kLatest : model::TieRule::kEarliest,
      popcount != 0 ? model::PointerScore::kPopcount : model::PointerScore::kDot, threads};
}

}  // namespace bankai::cli
