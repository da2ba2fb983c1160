#include "mpi/session.h"

#include <cstdio>
#include <cstdlib>

#include "core/format.h"
#include "mpi/launcher.h"
#include "mpi/self_communicator.h"
#ifdef BANKAI_WITH_MPI
#include "mpi/mpi_communicator.h"
#endif

namespace bankai::mpi {
namespace {

class SelfSession final : public Session {
 public:
  Communicator& communicator() override { return communicator_; }
  void abort(const std::string& message, int exit_code) override {
    std::fprintf(stderr, "%s\n", message.c_str());
    std::_Exit(exit_code);
  }

 private:
  SelfCommunicator communicator_;
};

}  // namespace

Result<std::unique_ptr<Session>> start_session() {
  const auto launch = find_launch([](const char* name) { return std::getenv(name); });
  if (!launch || launch->num_processes == 1)
    return std::unique_ptr<Session>(std::make_unique<SelfSession>());
#ifdef BANKAI_WITH_MPI
  BANKAI_ASSIGN_OR_RETURN(auto session, start_mpi_session());
  if (launch->num_processes > 1 && session->communicator().size() == 1)
    return make_error(ErrorCode::kUnsupported,
                      "started as %d processes (%s), but MPI connects only one: use the launcher "
                      "of the MPI library this program was built with, or srun --mpi=pmix",
                      launch->num_processes, launch->variable.c_str());
  return session;
#else
  return make_error(ErrorCode::kUnsupported,
                    "started by a parallel launcher (%s), but this program was built without MPI: "
                    "start it once, or build it with -DBANKAI_ENABLE_MPI=ON",
                    launch->variable.c_str());
#endif
}

}  // namespace bankai::mpi
