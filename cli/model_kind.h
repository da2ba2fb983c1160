// What kind of model file a file is: its content says, not its name.
#pragma once

#include <string>

#include "core/result.h"

namespace bankai::cli {

enum class ModelKind {
  kGguf,            // or nothing known: GGUF's reader then says what is wrong
  kPack,            // .bkpack
  kBit1,            // strictly binary
  kBinaryResidual,  // GGUF of the architecture "bankai-binary"
  kGolf,            // checkpoint of a parameter-golf model
};

// Errors: kIo.
Result<ModelKind> detect_model_kind(const std::string& path);

}  // namespace bankai::cli
