// The classes of rows and columns for the context model: how much likelier a digit is to be 1 in
// this row, in this column, than on the whole; and how strongly a row follows its columns.
#pragma once

#include <cstdint>
#include <vector>

#include "packer/content.h"
#include "packer/context_model.h"

namespace bankai::packer {

struct RowClasses {
  std::vector<std::int8_t> classes;  // one per row of the content, or empty
  std::vector<std::uint8_t> slopes;  // codes of kSlopes, one per row, or empty
};

// Sets the model's flags, step and column classes to those with which the content, without any
// contexts, takes the fewest bits together with the classes themselves. The same for any number of
// threads. REQUIRES: bits or trits in whole rows; not empty.
RowClasses fit_classes(const ContentSource& source, int threads, ContextModel& model);

}  // namespace bankai::packer
