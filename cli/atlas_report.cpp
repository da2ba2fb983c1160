#include "cli/atlas_report.h"

#include <algorithm>
#include <iostream>
#include <vector>

#include "bfs/atlas_json.h"
#include "cli/report_text.h"
#include "core/format.h"

namespace bankai::cli {
namespace {

constexpr std::size_t kBarLength = 24;

// Of a layer, or of a table.
struct Line {
  std::string place;
  const bfs::AtlasLayer* layer = nullptr;  // null for a table
  bfs::AtlasKind kind;
};

// Of the largest mean |gain| of the same kind.
std::string bar(const Line& line, const std::vector<Line>& lines) {
  double most = 0.0;
  for (const Line& other : lines)
    if (other.kind.kind == line.kind.kind && other.kind.detail)
      most = std::max(most, other.kind.detail->mean_abs_target_gain);
  const double part = most > 0.0 ? line.kind.detail->mean_abs_target_gain / most : 0.0;
  std::string text(static_cast<std::size_t>(part * static_cast<double>(kBarLength) + 0.5), '#');
  text.resize(kBarLength, ' ');
  return text;
}

std::string impact_text(const std::optional<bfs::LayerImpact>& impact) {
  if (!impact) return format("%9s %9s %9s", "-", "-", "-");
  return format("%9.3f %+9.3f %+9.3f", impact->mean_abs_change, impact->mean_change,
                impact->control_change);
}

std::string line_text(const Line& line, bool is_first, const std::vector<Line>& lines) {
  std::string text = format("%5s %-9s %12llu", line.place.c_str(), kind_name(line.kind.kind),
                            static_cast<unsigned long long>(line.kind.candidates));
  if (line.kind.detail) {
    const bfs::AtlasDetail& detail = *line.kind.detail;
    text += format(
        " %8.1f %% %+11.3e %11.3e %s",
        100.0 * static_cast<double>(detail.improving) / static_cast<double>(line.kind.candidates),
        detail.fitness.max, detail.mean_abs_target_gain, bar(line, lines).c_str());
  } else {
    text += format(" %10s %11s %11s %s", "-", "-", "-", std::string(kBarLength, ' ').c_str());
  }
  if (is_first && line.layer != nullptr) text += " " + impact_text(line.layer->impact);
  text.resize(text.find_last_not_of(' ') + 1);
  return text + "\n";
}

void print_best(const std::vector<Line>& lines) {
  for (const patch::FlipKind kind : bfs::kFlipKinds) {
    const bfs::AtlasDetail* best = nullptr;
    for (const Line& line : lines)
      if (line.kind.kind == kind && line.kind.detail &&
          (best == nullptr || line.kind.detail->fitness.max > best->fitness.max))
        best = &*line.kind.detail;
    if (best != nullptr)
      std::cout << format("best %-9s  %s: fitness %+.3e, targets %+.3e, loss of controls %+.3e\n",
                          kind_name(kind), to_string(best->best).c_str(), best->fitness.max,
                          best->best_target_gain, best->best_control_loss);
  }
}

}  // namespace

const char* kind_name(patch::FlipKind kind) {
  switch (kind) {
    case patch::FlipKind::kRow: return "row";
    case patch::FlipKind::kGroup: return "group";
    case patch::FlipKind::kBit: return "bit";
    case patch::FlipKind::kStepUp: return "step up";
    case patch::FlipKind::kStepDown: return "step down";
  }
  return "";
}

std::string describe_data(const bfs::Atlas& atlas) {
  std::uint64_t items[2] = {0, 0}, tokens[2] = {0, 0};  // of targets, of controls
  for (const bfs::AtlasSource& source : atlas.sources) {
    items[source.is_control ? 1 : 0] += source.items;
    tokens[source.is_control ? 1 : 0] += source.tokens;
  }
  return counted(items[0], "target") + " (" + counted(tokens[0], "token") + "), " +
         counted(items[1], "control") + " (" + counted(tokens[1], "token") + ")";
}

void print_atlas(const bfs::Atlas& atlas, bool json) {
  if (json) {
    std::cout << bfs::format_atlas_summary(atlas);
    return;
  }
  std::vector<Line> lines;
  for (const bfs::AtlasLayer& layer : atlas.layers)
    for (bfs::AtlasKind& kind : bfs::layer_kinds(atlas, layer.layer))
      lines.push_back({std::to_string(layer.layer), &layer, std::move(kind)});
  for (const bfs::AtlasTensor& tensor : atlas.tensors)
    if (bfs::is_table(tensor.address))
      for (const bfs::AtlasKind& kind : tensor.kinds)
        lines.push_back({std::string(short_name(tensor.address.projection)), nullptr, kind});
  std::cout << "model       " << atlas.settings.model_name << "\ndata        "
            << describe_data(atlas) << "\n"
            << format("%-106s %s\n", "", "whole network flipped")
            << format("%5s %-9s %12s %10s %11s %11s %*s %9s %9s %9s\n", "layer", "kind",
                      "candidates", "improving", "best", "mean |gain|",
                      static_cast<int>(kBarLength), "", "|change|", "targets", "controls");
  for (std::size_t i = 0; i < lines.size(); ++i)
    std::cout << line_text(lines[i], i == 0 || lines[i - 1].place != lines[i].place, lines);
  print_best(lines);
}

}  // namespace bankai::cli
