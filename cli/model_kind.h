// What kind of model a file holds: its content says, not its name.
#pragma once

#include <string>

#include "core/result.h"

namespace bankai::cli {

enum class ModelKind {
  kGguf,            // or nothing known: GGUF's reader then says what is wrong
  kBit1,            // strictly binary
  kBinaryResidual,  // GGUF of the architecture "bankai-binary"
  kGolf,            // compressed or an archive, as checkpoints of parameter-golf models are
};

// Of a pack (.bkpack) the kind of the model in it. Errors: kIo, also for a folder; those of
// PackFile.
Result<ModelKind> detect_model_kind(const std::string& path);

// What a file of that kind is and which programs take it, for messages: "a strictly binary
// model (BIT1), of which …". REQUIRES: kBit1 or kGolf, which are no GGUF files.
const char* kind_text(ModelKind kind);

}  // namespace bankai::cli
