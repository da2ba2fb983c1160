#include "core/result.h"

namespace bankai {

const char* error_code_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kIo: return "io";
    case ErrorCode::kInternal: return "internal";
    case ErrorCode::kUsage: return "usage";
    case ErrorCode::kBadInput: return "bad_input";
    case ErrorCode::kUnsupported: return "unsupported";
    case ErrorCode::kMismatch: return "mismatch";
    case ErrorCode::kNoSolution: return "no_solution";
    case ErrorCode::kVerification: return "verification";
    case ErrorCode::kStopped: return "stopped";
    case ErrorCode::kInterrupted: return "interrupted";
  }
  return "unknown";
}

int exit_code(ErrorCode code) {
  switch (code) {
    case ErrorCode::kIo:
    case ErrorCode::kInternal: return 1;
    case ErrorCode::kUsage: return 2;
    case ErrorCode::kBadInput:
    case ErrorCode::kUnsupported: return 3;
    case ErrorCode::kNoSolution: return 4;
    case ErrorCode::kMismatch:
    case ErrorCode::kVerification: return 5;
    case ErrorCode::kStopped: return 75;
    case ErrorCode::kInterrupted: return 130;
  }
  return 1;
}

Error with_context(Error error, const std::string& context) {
  error.message = context + ": " + error.message;
  return error;
}

}  // namespace bankai
