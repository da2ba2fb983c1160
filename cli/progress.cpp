#include "cli/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "core/format.h"

namespace bankai::cli {
namespace {

constexpr double kTerminalSeconds = 0.1;  // between updates
constexpr double kPlainSeconds = 5.0;

}  // namespace

std::string duration_text(double seconds) {
  const auto whole = static_cast<long long>(std::max(0.0, seconds) + 0.5);
  if (whole < 3600) return format("%lld:%02lld", whole / 60, whole % 60);
  return format("%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60, whole % 60);
}

Progress::Progress(bool enabled) : enabled_(enabled), is_terminal_(isatty(STDERR_FILENO) == 1) {}

void Progress::update(const std::string& text, double fraction) {
  if (!enabled_) return;
  const double now = clock_.seconds();
  if (fraction < last_fraction_) task_seconds_ = now;
  last_fraction_ = fraction;
  if (now - last_seconds_ < (is_terminal_ ? kTerminalSeconds : kPlainSeconds)) return;
  last_seconds_ = now;
  std::string line = text;
  if (fraction >= 0.0) line += format("  %3.0f %%", 100.0 * fraction);
  const double spent = now - task_seconds_;
  if (fraction > 0.01) line += "  " + duration_text(spent / fraction - spent) + " left";
  if (is_terminal_) {
    std::fprintf(stderr, "\r\033[K%s", line.c_str());
    line_open_ = true;
  } else {
    std::fprintf(stderr, "%s\n", line.c_str());
  }
  std::fflush(stderr);
}

void Progress::remark(const std::string& text) {
  if (!enabled_) return;
  finish();
  std::fprintf(stderr, "%s\n", text.c_str());
}

void Progress::finish() {
  if (line_open_) std::fprintf(stderr, "\r\033[K");
  line_open_ = false;
}

}  // namespace bankai::cli
