#include "packer/lossy_source.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "core/check.h"

namespace bankai::packer {

Result<PackSource> lossy_source(
    const model::GgufFile& file, const std::vector<LossyStep>& steps,
    std::function<Result<LossyTensor>(std::size_t tensor, const LossyStep& step)> change) {
  BANKAI_CHECK(steps.size() == file.tensors().size(), "a step for every tensor");
  BANKAI_ASSIGN_OR_RETURN(PackSource source, pack_source(file));
  if (std::all_of(steps.begin(), steps.end(), [](const LossyStep& s) { return s.is_exact(); }))
    return source;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (!steps[i].encoding) continue;
    ImageTensor& tensor = source.outline.tensors[i];
    tensor.type = steps[i].encoding->type;
    tensor.type_id = static_cast<std::uint32_t>(tensor.type);
  }
  BANKAI_ASSIGN_OR_RETURN(const GgufLayout layout,
                          GgufLayout::make(source.outline, source.values.size()));
  source.file_bytes = layout.padded_end();
  source.gaps.clear();  // all zeros
  source.data = [&file, steps, change = std::move(change),
                 current = std::make_shared<LossyTensor>()](
                    std::size_t tensor) -> Result<std::span<const std::byte>> {
    if (tensor > 0) file.release(file.tensors()[tensor - 1].data);
    if (steps[tensor].is_exact()) return file.tensors()[tensor].data;
    BANKAI_ASSIGN_OR_RETURN(*current, change(tensor, steps[tensor]));
    return std::span<const std::byte>(current->bytes);
  };
  return source;
}

}  // namespace bankai::packer
