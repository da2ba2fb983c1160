// Requests to stop from outside: SIGTERM, SIGUSR1 and SIGINT set a flag that the work polls.
#pragma once

namespace bankai::cli {

// Installs the handlers. A second SIGINT ends the program at once.
void watch_for_interrupts();

bool interrupt_requested();

}  // namespace bankai::cli
