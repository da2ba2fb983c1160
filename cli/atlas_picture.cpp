#include "cli/atlas_picture.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "cli/atlas_report.h"
#include "core/format.h"

namespace bankai::cli {
namespace {

// In pixels.
constexpr int kMargin = 16, kTop = 108, kLabelWidth = 44;
constexpr int kCellWidth = 92, kCellHeight = 36, kGap = 14;
constexpr int kLeastWidth = 640;  // of the lines above the cells

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '<': result += "&lt;"; break;
      case '>': result += "&gt;"; break;
      case '&': result += "&amp;"; break;
      default: result += c;
    }
  }
  return result;
}

// One line of text at (x, y); `style`: attributes.
std::string text_at(int x, int y, const char* style, const std::string& text) {
  return format("<text x=\"%d\" y=\"%d\" %s>", x, y, style) + escaped(text) + "</text>\n";
}

// `heat` in [0, 1] from white to a dark blue.
std::string cell(int x, int y, double heat, const std::string& upper, const std::string& lower,
                 const std::string& tip) {
  const auto mix = [&](int dark) { return 255 - static_cast<int>(heat * (255 - dark) + 0.5); };
  const char* ink =
      heat > 0.5 ? "fill=\"#fff\" text-anchor=\"middle\"" : "fill=\"#222\" text-anchor=\"middle\"";
  std::string text = format(
      "<g><rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"#%02x%02x%02x\" "
      "stroke=\"#ccc\"/>",
      x, y, kCellWidth, kCellHeight, mix(8), mix(64), mix(140));
  text += "<title>" + escaped(tip) + "</title>\n";
  text += text_at(x + kCellWidth / 2, y + 15, ink, upper);
  text += text_at(x + kCellWidth / 2, y + 29, ink, lower);
  return text + "</g>\n";
}

// The coarsest kind that every tensor has; nothing if there is none.
std::optional<patch::FlipKind> shown_kind(const bfs::Atlas& atlas) {
  for (const patch::FlipKind kind : bfs::kFlipKinds) {
    const bool everywhere = std::all_of(
        atlas.tensors.begin(), atlas.tensors.end(), [&](const bfs::AtlasTensor& tensor) {
          return std::any_of(tensor.kinds.begin(), tensor.kinds.end(),
                             [&](const bfs::AtlasKind& other) { return other.kind == kind; });
        });
    if (everywhere) return kind;
  }
  return {};
}

class Picture {
 public:
  explicit Picture(const bfs::Atlas& atlas) : atlas_(atlas), kind_(shown_kind(atlas)) {
    for (const ProjectionNames& names : kProjections)
      if (std::any_of(atlas.tensors.begin(), atlas.tensors.end(),
                      [&](const bfs::AtlasTensor& tensor) {
                        return tensor.address.projection == names.projection &&
                               !bfs::is_table(tensor.address);
                      }))
        columns_.push_back(names.projection);
    for (const bfs::AtlasTensor& tensor : atlas.tensors) {
      most_gain_ = std::max(most_gain_, heat_of(tensor));
      if (bfs::is_table(tensor.address)) tables_.push_back(&tensor);
    }
    for (const bfs::AtlasLayer& layer : atlas.layers)
      if (layer.impact) most_impact_ = std::max(most_impact_, layer.impact->mean_abs_change);
  }

  std::string draw() const {
    const int width = std::max(kLeastWidth, network_x() + kCellWidth + kMargin);
    const int height = row_y(atlas_.layers.size() + tables_.size()) + kMargin;
    std::string text = format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
        "viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"11\">\n"
        "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n",
        width, height, width, height, width, height);
    text += head();
    for (std::size_t row = 0; row < atlas_.layers.size(); ++row)
      text += layer_row(atlas_.layers[row], row_y(row));
    for (const bfs::AtlasTensor& tensor : atlas_.tensors)
      if (!bfs::is_table(tensor.address))
        text += tensor_cell(tensor, column_of(tensor), row_of(tensor));
    for (std::size_t i = 0; i < tables_.size(); ++i) text += table_row(i);
    return text + "</svg>\n";
  }

 private:
  int column_x(std::size_t column) const {
    return kMargin + kLabelWidth + static_cast<int>(column) * kCellWidth;
  }
  int network_x() const { return column_x(std::max<std::size_t>(columns_.size(), 1)) + kGap; }
  int row_y(std::size_t row) const { return kTop + static_cast<int>(row) * kCellHeight; }

  const bfs::AtlasKind* find(const bfs::AtlasTensor& tensor) const {
    for (const bfs::AtlasKind& kind : tensor.kinds)
      if (kind_ && kind.kind == *kind_) return &kind;
    return nullptr;
  }
  double heat_of(const bfs::AtlasTensor& tensor) const {
    const bfs::AtlasKind* kind = find(tensor);
    return kind != nullptr && kind->detail ? kind->detail->mean_abs_target_gain : 0.0;
  }

  std::string head() const {
    const std::string shown = kind_ ? kind_name(*kind_) : "flip";
    std::string text = text_at(kMargin, 24, "font-size=\"15\" font-weight=\"bold\"",
                               "Sensitivity of " + atlas_.settings.model_name);
    text += text_at(kMargin, 42, "fill=\"#555\"", describe_data(atlas_));
    text +=
        text_at(kMargin, 58, "fill=\"#555\"",
                "Cells: best fitness of one " + shown +
                    " flip; mean |gain| of the targets, the colour. Network: gate, up and down");
    text += text_at(kMargin, 72, "fill=\"#555\"",
                    "of the layer flipped; mean |change| of the targets, the colour; mean change.");
    for (std::size_t i = 0; i < columns_.size(); ++i)
      text += text_at(column_x(i) + kCellWidth / 2, kTop - 8,
                      "font-weight=\"bold\" text-anchor=\"middle\"",
                      std::string(short_name(columns_[i])));
    return text + text_at(network_x() + kCellWidth / 2, kTop - 8,
                          "font-weight=\"bold\" text-anchor=\"middle\"", "network");
  }

  std::string row_label(int y, const std::string& text) const {
    return text_at(column_x(0) - 8, y + kCellHeight / 2 + 4,
                   "font-weight=\"bold\" text-anchor=\"end\"", text);
  }

  // Tables follow the layers, with one cell each.
  std::string table_row(std::size_t i) const {
    const std::size_t row = atlas_.layers.size() + i;
    return row_label(row_y(row), std::string(short_name(tables_[i]->address.projection))) +
           tensor_cell(*tables_[i], 0, row);
  }

  std::size_t column_of(const bfs::AtlasTensor& tensor) const {
    return static_cast<std::size_t>(
        std::find(columns_.begin(), columns_.end(), tensor.address.projection) - columns_.begin());
  }
  std::size_t row_of(const bfs::AtlasTensor& tensor) const {
    const auto layer = std::find_if(
        atlas_.layers.begin(), atlas_.layers.end(),
        [&](const bfs::AtlasLayer& other) { return other.layer == tensor.address.layer; });
    return static_cast<std::size_t>(layer - atlas_.layers.begin());
  }

  std::string layer_row(const bfs::AtlasLayer& layer, int y) const {
    std::string text = row_label(y, std::to_string(layer.layer));
    if (!layer.impact) return text;
    const bfs::LayerImpact& impact = *layer.impact;
    const double heat = most_impact_ > 0.0 ? impact.mean_abs_change / most_impact_ : 0.0;
    return text + cell(network_x(), y, heat, format("%.3f", impact.mean_abs_change),
                       format("%+.3f", impact.mean_change),
                       format("layer %u, gate, up and down flipped: targets %+.3f, controls %+.3f",
                              layer.layer, impact.mean_change, impact.control_change));
  }

  std::string tensor_cell(const bfs::AtlasTensor& tensor, std::size_t column,
                          std::size_t row) const {
    const bfs::AtlasKind* kind = find(tensor);
    if (kind == nullptr || !kind->detail) return {};
    const bfs::AtlasDetail& detail = *kind->detail;
    const double heat = most_gain_ > 0.0 ? detail.mean_abs_target_gain / most_gain_ : 0.0;
    return cell(
        column_x(column), row_y(row), heat, format("%+.2e", detail.fitness.max),
        format("%.2e", detail.mean_abs_target_gain),
        format("%s: %llu of %llu improve; best: %s", to_string(tensor.address).c_str(),
               static_cast<unsigned long long>(detail.improving),
               static_cast<unsigned long long>(kind->candidates), to_string(detail.best).c_str()));
  }

  const bfs::Atlas& atlas_;
  std::optional<patch::FlipKind> kind_;
  std::vector<Projection> columns_;
  std::vector<const bfs::AtlasTensor*> tables_;
  double most_gain_ = 0.0, most_impact_ = 0.0;
};

}  // namespace

std::string draw_atlas(const bfs::Atlas& atlas) { return Picture(atlas).draw(); }

}  // namespace bankai::cli
