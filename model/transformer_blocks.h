// Blocks of work for a transformer that do not depend on each other.
#pragma once

#include <cstddef>
#include <functional>

#include "model/transformer.h"

namespace bankai::model {

// Calls body(i, runner) for every i < count. Where there are blocks enough each thread takes one
// after the other, with a transformer of its own for one thread, and bodies run at the same time;
// else all threads work on one block after the other. The results are the same.
void for_each_block(Transformer& transformer, std::size_t count,
                    const std::function<void(std::size_t, Transformer&)>& body);

}  // namespace bankai::model
