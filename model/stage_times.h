// Where the time of a forward pass goes, by stage.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace bankai::model {

enum class Stage : std::uint8_t {
  kEmbed,     // embedding rows
  kNorm,      // norms of the residual, and its digits
  kProject,   // q, k and v
  kRotate,    // norms and RoPE of q and k, writing the cache
  kAttend,    // scores, softmax, values
  kOutput,    // attention output, with its digits
  kGateUp,    // gate and up
  kActivate,  // activation(gate) · up
  kDown,      // down, with its digits
  kHead,      // logits
  kSample,    // choosing the next token
};

struct StageName {
  Stage stage;
  const char* name;
};

inline constexpr std::array<StageName, 11> kStages = {{
    {Stage::kEmbed, "embedding"},
    {Stage::kNorm, "norms"},
    {Stage::kProject, "q, k, v"},
    {Stage::kRotate, "rotation"},
    {Stage::kAttend, "attention"},
    {Stage::kOutput, "output"},
    {Stage::kGateUp, "gate, up"},
    {Stage::kActivate, "activation"},
    {Stage::kDown, "down"},
    {Stage::kHead, "head"},
    {Stage::kSample, "sampling"},
}};

// Seconds by Stage, added up.
using StageTimes = std::array<double, kStages.size()>;

// Adds its lifetime to a stage; nothing if `times` is nullptr.
class StageClock {
 public:
  StageClock(StageTimes* times, Stage stage) : times_(times), stage_(stage) {
    if (times_ != nullptr) start_ = std::chrono::steady_clock::now();
  }
  StageClock(const StageClock&) = delete;
  StageClock& operator=(const StageClock&) = delete;
  ~StageClock() {
    if (times_ == nullptr) return;
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start_;
    (*times_)[static_cast<std::size_t>(stage_)] += seconds.count();
  }

 private:
  StageTimes* times_;
  Stage stage_;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace bankai::model
