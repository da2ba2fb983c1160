// The parallel part of a program's life: which ranks there are, and how they end together.
#pragma once

#include <memory>
#include <string>

#include "core/result.h"
#include "mpi/communicator.h"

namespace bankai::mpi {

// Destroyed on every rank at the end of the program: ranks wait for each other there, without using
// their cores. If an exception destroys it, the other ranks are ended too.
class Session {
 public:
  virtual ~Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  virtual Communicator& communicator() = 0;

  // Ends all ranks at once, for a failure that cannot wait for the next collective.
  // Writes one line, `message`, to standard error; with several ranks it says which and where.
  [[noreturn]] virtual void abort(const std::string& message, int exit_code) = 0;

 protected:
  Session() = default;
};

// Once per program, before any thread is started. One process without a launcher (or alone under
// one) gets one rank and never touches MPI; otherwise MPI is started.
// Errors: kUnsupported if several processes were started, but MPI is not built in, gives too little
// thread support, or does not connect them (they would all do the same work and write the same
// files).
Result<std::unique_ptr<Session>> start_session();

}  // namespace bankai::mpi
