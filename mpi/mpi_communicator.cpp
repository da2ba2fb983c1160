#include "mpi/mpi_communicator.h"

#include <mpi.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <thread>

#include "core/check.h"
#include "core/clock.h"
#include "core/format.h"

namespace bankai::mpi {
namespace {

// MPI's own waiting keeps a core busy, so collectives are started without blocking and polled: at
// first at once, then with pauses of an eighth of the time waited so far.
void wait(MPI_Request request) {
  constexpr double kYieldSeconds = 50e-6;
  constexpr double kShortestPause = 50e-6;
  constexpr double kLongestPause = 1e-3;
  const Stopwatch waited;
  for (;;) {
    int done = 0;
    MPI_Test(&request, &done, MPI_STATUS_IGNORE);
    if (done != 0) return;
    const double seconds = waited.seconds();
    if (seconds < kYieldSeconds) {
      sched_yield();
    } else {
      const double pause = std::clamp(seconds / 8, kShortestPause, kLongestPause);
      std::this_thread::sleep_for(std::chrono::duration<double>(pause));
    }
  }
}

int to_count(std::size_t value) {
  BANKAI_CHECK(value <= INT_MAX, "a message is too long for MPI");
  return static_cast<int>(value);
}

MPI_Op to_mpi(ReduceOp op) {
  switch (op) {
    case ReduceOp::kSum: return MPI_SUM;
    case ReduceOp::kMin: return MPI_MIN;
    case ReduceOp::kMax: return MPI_MAX;
  }
  return MPI_OP_NULL;
}

// Was the scope that this object lives in left by an exception? Then other ranks may be anywhere,
// and nothing collective can be done; the session ends them.
class Unwinding {
 public:
  explicit operator bool() const { return std::uncaught_exceptions() > num_exceptions_; }

 private:
  int num_exceptions_ = std::uncaught_exceptions();
};

// The ticket counter of a node lies in memory that its ranks share, so that drawing a ticket is one
// atomic instruction. MPI's one-sided operations would not do: over a network they may wait until
// the rank that holds the counter calls MPI again (2 s of waiting for a rank that computed for 2 s,
// Open MPI 4.1 over TCP).
class SharedCounter {
 public:
  explicit SharedCounter(MPI_Comm world) {
    MPI_Comm_split_type(world, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node_);
    MPI_Comm_rank(node_, &node_rank_);
    MPI_Comm_set_errhandler(node_, MPI_ERRORS_RETURN);
    std::uint64_t* mine = nullptr;
    int works = MPI_Win_allocate_shared(
                    node_rank_ == 0 ? MPI_Aint{sizeof(std::uint64_t)} : MPI_Aint{0},
                    sizeof(std::uint64_t), MPI_INFO_NULL, node_, &mine, &window_) == MPI_SUCCESS
                    ? 1
                    : 0;
    MPI_Allreduce(MPI_IN_PLACE, &works, 1, MPI_INT, MPI_MIN, node_);
    if (works == 0) {  // every rank is then a team of its own
      window_ = MPI_WIN_NULL;
      node_rank_ = 0;
      return;
    }
    MPI_Aint bytes = 0;
    int unit_bytes = 0;
    MPI_Win_shared_query(window_, 0, &bytes, &unit_bytes, &counter_);
    restart();
  }
  ~SharedCounter() {
    if (unwinding_) return;
    if (window_ != MPI_WIN_NULL) MPI_Win_free(&window_);
    MPI_Comm_free(&node_);
  }
  SharedCounter(const SharedCounter&) = delete;
  SharedCounter& operator=(const SharedCounter&) = delete;

  bool is_first_of_team() const { return node_rank_ == 0; }
  void restart() {
    if (is_first_of_team()) std::atomic_ref<std::uint64_t>(*counter_).store(0);
  }
  std::uint64_t next() { return std::atomic_ref<std::uint64_t>(*counter_).fetch_add(1); }
  // The team's number on its first rank; the same value on the other ranks of the team.
  int share(int value) {
    if (window_ != MPI_WIN_NULL) MPI_Bcast(&value, 1, MPI_INT, 0, node_);
    return value;
  }

 private:
  MPI_Comm node_ = MPI_COMM_NULL;
  MPI_Win window_ = MPI_WIN_NULL;
  int node_rank_ = 0;
  std::uint64_t own_counter_ = 0;
  std::uint64_t* counter_ = &own_counter_;
  Unwinding unwinding_;
};

class MpiCommunicator final : public Communicator {
 public:
  // Takes `comm`.
  MpiCommunicator(MPI_Comm comm, std::size_t max_message_bytes)
      : comm_(comm), counter_(comm_), max_message_bytes_(max_message_bytes) {
    MPI_Comm_rank(comm_, &rank_);
    MPI_Comm_size(comm_, &size_);
    BANKAI_CHECK(max_message_bytes >= num_ranks() && max_message_bytes <= INT_MAX,
                 "max_message_bytes is out of range");
    number_teams();
  }
  ~MpiCommunicator() override {
    if (unwinding_) return;
    barrier();  // sleeps, whereas MPI_Finalize would keep a core busy
    MPI_Comm_free(&comm_);
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  std::span<const int> team_of_rank() const override { return team_of_rank_; }

  void barrier() override {
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Ibarrier(comm_, &request);
    wait(request);
  }

  void broadcast(std::span<std::byte> data, int root) override {
    BANKAI_CHECK(root >= 0 && root < size_, "no such rank");
    while (!data.empty()) {
      const std::size_t length = std::min(data.size(), max_message_bytes_);
      MPI_Request request = MPI_REQUEST_NULL;
      MPI_Ibcast(data.data(), to_count(length), MPI_BYTE, root, comm_, &request);
      wait(request);
      data = data.subspan(length);
    }
  }

  std::vector<std::vector<std::byte>> all_gather(std::span<const std::byte> mine) override;

  std::int64_t all_reduce(std::int64_t value, ReduceOp op) override {
    std::int64_t result = 0;
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Iallreduce(&value, &result, 1, MPI_INT64_T, to_mpi(op), comm_, &request);
    wait(request);
    return result;
  }

  void all_reduce(std::span<std::int64_t> values, ReduceOp op) override {
    const std::size_t piece = std::max<std::size_t>(1, max_message_bytes_ / sizeof(std::int64_t));
    while (!values.empty()) {
      const std::size_t length = std::min(values.size(), piece);
      MPI_Request request = MPI_REQUEST_NULL;
      MPI_Iallreduce(MPI_IN_PLACE, values.data(), to_count(length), MPI_INT64_T, to_mpi(op), comm_,
                     &request);
      wait(request);
      values = values.subspan(length);
    }
  }

  std::unique_ptr<Communicator> split(int colour) override {
    BANKAI_CHECK(colour >= 0, "a colour must not be negative");
    barrier();  // sleeps, whereas what follows would keep a core busy
    MPI_Comm part = MPI_COMM_NULL;
    MPI_Comm_split(comm_, colour, rank_, &part);
    return std::make_unique<MpiCommunicator>(part, max_message_bytes_);
  }

  void restart_tickets() override {
    counter_.restart();
    barrier();
  }
  std::uint64_t next_ticket() override { return counter_.next(); }

 private:
  std::size_t num_ranks() const { return static_cast<std::size_t>(size_); }

  // Each first rank of a team counts the teams that start before it.
  void number_teams() {
    int team = 0;
    const int starts_one = counter_.is_first_of_team() ? 1 : 0;
    MPI_Exscan(&starts_one, &team, 1, MPI_INT, MPI_SUM, comm_);
    team = counter_.share(rank_ == 0 ? 0 : team);
    team_of_rank_.resize(num_ranks());
    MPI_Allgather(&team, 1, MPI_INT, team_of_rank_.data(), 1, MPI_INT, comm_);
  }

  std::vector<std::uint64_t> gather_lengths(std::uint64_t mine) {
    std::vector<std::uint64_t> lengths(num_ranks());
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Iallgather(&mine, 1, MPI_UINT64_T, lengths.data(), 1, MPI_UINT64_T, comm_, &request);
    wait(request);
    return lengths;
  }

  MPI_Comm comm_;
  SharedCounter counter_;
  std::size_t max_message_bytes_;
  int rank_ = 0;
  int size_ = 0;
  std::vector<int> team_of_rank_;
  Unwinding unwinding_;
};

MPI_Comm copy_of_world() {
  MPI_Comm comm = MPI_COMM_NULL;
  MPI_Comm_dup(MPI_COMM_WORLD, &comm);
  return comm;
}

std::vector<std::vector<std::byte>> MpiCommunicator::all_gather(std::span<const std::byte> mine) {
  const std::vector<std::uint64_t> lengths = gather_lengths(mine.size());
  const std::uint64_t longest = *std::max_element(lengths.begin(), lengths.end());
  std::vector<std::vector<std::byte>> gathered(num_ranks());
  for (std::size_t i = 0; i < num_ranks(); ++i) gathered[i].reserve(lengths[i]);

  // In round k each rank sends its bytes [k × piece, (k + 1) × piece), as far as it has them.
  const std::uint64_t piece = max_message_bytes_ / num_ranks();
  std::vector<int> counts(num_ranks());
  std::vector<int> offsets(num_ranks());
  std::vector<std::byte> received;
  for (std::uint64_t begin = 0; begin < longest; begin += piece) {
    std::size_t total = 0;
    for (std::size_t i = 0; i < num_ranks(); ++i) {
      const std::uint64_t left = lengths[i] - std::min(begin, lengths[i]);
      counts[i] = to_count(std::min(piece, left));
      offsets[i] = to_count(total);
      total += static_cast<std::size_t>(counts[i]);
    }
    received.resize(total);
    const auto my_count = counts[static_cast<std::size_t>(rank_)];
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Iallgatherv(my_count == 0 ? nullptr : mine.data() + begin, my_count, MPI_BYTE,
                    received.data(), counts.data(), offsets.data(), MPI_BYTE, comm_, &request);
    wait(request);
    for (std::size_t i = 0; i < num_ranks(); ++i) {
      const auto first = received.begin() + offsets[i];
      gathered[i].insert(gathered[i].end(), first, first + counts[i]);
    }
  }
  return gathered;
}

class MpiSession final : public Session {
 public:
  explicit MpiSession(std::size_t max_message_bytes)
      : communicator_(std::make_unique<MpiCommunicator>(copy_of_world(), max_message_bytes)) {}
  ~MpiSession() override {
    if (unwinding_) abort("ended by an exception", 1);
    communicator_.reset();
    MPI_Finalize();
  }

  Communicator& communicator() override { return *communicator_; }

  void abort(const std::string& message, int exit_code) override {
    char host[MPI_MAX_PROCESSOR_NAME] = {};
    int length = 0;
    MPI_Get_processor_name(host, &length);
    std::fprintf(stderr, "rank %d on %s: %s\n", communicator_->rank(), host, message.c_str());
    MPI_Abort(MPI_COMM_WORLD, exit_code);
    std::_Exit(exit_code);
  }

 private:
  Unwinding unwinding_;
  std::unique_ptr<MpiCommunicator> communicator_;
};

void prefer(const char* variable, const char* value) {
  setenv(variable, value, 0);  // 0: what the user set stays
}

}  // namespace

Result<std::unique_ptr<Session>> start_mpi_session(std::size_t max_message_bytes) {
  prefer("OMPI_MCA_mpi_yield_when_idle", "1");
  // Containers often forbid reading another process's memory, and Open MPI then prints a warning.
  prefer("OMPI_MCA_btl_vader_single_copy_mechanism", "none");
  prefer("OMPI_MCA_btl_base_warn_component_unused", "0");
  int provided = MPI_THREAD_SINGLE;
  MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided);
  if (provided < MPI_THREAD_FUNNELED) {
    MPI_Finalize();
    return make_error(ErrorCode::kUnsupported,
                      "this MPI library does not support threads within a rank "
                      "(MPI_THREAD_FUNNELED)");
  }
  return std::unique_ptr<Session>(std::make_unique<MpiSession>(max_message_bytes));
}

}  // namespace bankai::mpi
