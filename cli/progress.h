// Progress on standard error: a line that is rewritten on a terminal, a plain line every few
// seconds elsewhere, nothing when quiet or on other ranks than 0.
#pragma once

#include <string>

#include "core/clock.h"

namespace bankai::cli {

class Progress {
 public:
  explicit Progress(bool enabled);
  ~Progress() { finish(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `fraction` in [0, 1] of the whole task gives an estimate of the time left; negative: unknown.
  // One that falls begins another task.
  void update(const std::string& text, double fraction);
  // A line that stays, between the updates.
  void remark(const std::string& text);
  // Clears the rewritten line.
  void finish();

 private:
  bool enabled_;
  bool is_terminal_;
  bool line_open_ = false;
  double last_seconds_ = -1.0;
  double last_fraction_ = 0.0;
  double task_seconds_ = 0.0;  // when the task began
  Stopwatch clock_;
};

// "1:05", "2:03:04".
std::string duration_text(double seconds);

}  // namespace bankai::cli
