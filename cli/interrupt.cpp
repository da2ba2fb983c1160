#include "cli/interrupt.h"

#include <csignal>
#include <initializer_list>

namespace bankai::cli {
namespace {

volatile std::sig_atomic_t requested = 0;

void note(int signal) {
  if (signal == SIGINT) {
    struct sigaction action {};
    action.sa_handler = SIG_DFL;
    sigaction(SIGINT, &action, nullptr);
  }
  requested = 1;
}

}  // namespace

void watch_for_interrupts() {
  struct sigaction action {};
  action.sa_handler = note;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  for (const int signal : {SIGTERM, SIGUSR1, SIGINT}) sigaction(signal, &action, nullptr);
}

bool interrupt_requested() { return requested != 0; }

}  // namespace bankai::cli
