// The options about the precision of keys and values that several programs have.
#pragma once

#include <optional>

#include "cli/command_line.h"
#include "core/result.h"
#include "model/kv_format.h"

namespace bankai::cli {

// Declares --kv-type, --kv-bits and --kv-quant.
void add_kv_options(CommandLine& line);

// What they say; nullopt if none is given. Errors: kUsage.
Result<std::optional<model::KvFormat>> read_kv_format(const CommandLine& line);

// The format of two names as in --kv-bits and --kv-quant (null: kv1); `bits_option` and
// `quantiser_option` are where they come from. Errors: kUsage.
Result<model::KvFormat> make_kv_format(const char* bits_option, const std::string& bits,
                                       const char* quantiser_option, const std::string* quantiser);

}  // namespace bankai::cli
