// What kind of model file a file is: its first bytes say, not its name.
#pragma once

#include <string>

#include "core/result.h"

namespace bankai::cli {

enum class ModelKind {
  kGguf,  // or nothing known: GGUF's reader then says what is wrong
  kPack,  // .bkpack
};

// Errors: kIo.
Result<ModelKind> detect_model_kind(const std::string& path);

}  // namespace bankai::cli
