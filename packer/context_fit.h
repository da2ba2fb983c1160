// Finds the context model with which a content takes the fewest bytes: its classes
// (context_classes.h), then the offset and share of every context.
#pragma once

#include <cstdint>

#include "packer/content.h"
#include "packer/context_classes.h"
#include "packer/context_model.h"

namespace bankai::packer {

struct FittedContexts {
  ContextModel model;
  RowClasses rows;
  std::uint64_t digit_bytes = 0;  // of all digits as the model has them, without streams and lists
};

// The same for any number of threads. REQUIRES: bits or trits; not empty.
FittedContexts fit_contexts(const ContentSource& source, int threads);

}  // namespace bankai::packer
