// A model file with lossy steps carried out, to be packed without ever standing on disk.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "core/result.h"
#include "model/gguf_file.h"
#include "packer/lossy_tensor.h"
#include "packer/pack_writer.h"

namespace bankai::packer {

// Metadata, names, shapes and order of the tensors stay; offsets follow from the types. `steps`: of
// every tensor; `change` gives those that are not exact, one at a time. Without any such step it is
// the file itself. The file must outlive the source. Errors: those of pack_source.
Result<PackSource> lossy_source(
    const model::GgufFile& file, const std::vector<LossyStep>& steps,
    std::function<Result<LossyTensor>(std::size_t tensor, const LossyStep& step)> change);

}  // namespace bankai::packer
