#include "mpi/thread_communicator.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "core/check.h"

namespace bankai::mpi {
namespace {

// Ends a rank whose partners cannot reach the collective any more.
struct OtherRankFailed {};

enum class Operation : std::uint8_t {
  kBarrier,
  kBroadcast,
  kAllGather,
  kAllReduce,
  kReduceVector,
  kTickets,
  kSplit
};

// What one rank brings to a collective. `tag` must be equal on all ranks.
struct Post {
  Operation operation = Operation::kBarrier;
  std::uint64_t tag = 0;
  std::span<const std::byte> data;
  std::int64_t value = 0;
};

class ThreadGroup {
 public:
  explicit ThreadGroup(std::vector<int> team_of_rank)
      : posts_(team_of_rank.size()),
        team_of_rank_(std::move(team_of_rank)),
        tickets_(posts_.size()) {}

  int size() const { return static_cast<int>(posts_.size()); }
  std::span<const int> team_of_rank() const { return team_of_rank_; }
  std::atomic<std::uint64_t>& tickets_of(int rank) { return tickets_[team_index(rank)]; }

  // Calls read(posts by rank) on every rank once all have posted; the posts stay valid until every
  // rank has read them.
  template <typename Read>
  void exchange(int rank, const Post& post, const Read& read) {
    posts_[static_cast<std::size_t>(rank)] = post;
    meet();
    for (const Post& other : posts_)
      BANKAI_CHECK(other.operation == post.operation && other.tag == post.tag,
                   "the ranks called different collectives");
    read(std::span<const Post>(posts_));
    meet();
  }

  // Within read() of an exchange: the group of the ranks that posted the value `colour`, the same
  // object for all of them.
  std::shared_ptr<ThreadGroup> part(std::span<const Post> posts, std::int64_t colour) {
    const std::lock_guard lock(mutex_);
    std::weak_ptr<ThreadGroup>& known = parts_[{meeting_, colour}];
    std::shared_ptr<ThreadGroup> group = known.lock();
    if (group != nullptr) return group;
    std::map<int, int> new_number;  // of a team; ranks ascend, so new numbers do too
    std::vector<int> teams;
    for (std::size_t rank = 0; rank < posts.size(); ++rank) {
      if (posts[rank].value != colour) continue;
      const int next = static_cast<int>(new_number.size());
      teams.push_back(new_number.try_emplace(team_of_rank_[rank], next).first->second);
    }
    group = std::make_shared<ThreadGroup>(std::move(teams));
    known = group;
    return group;
  }

  void leave() {
    const std::lock_guard lock(mutex_);
    ++num_left_;
    check_nobody_waits_for_the_absent();
  }

  void fail() {
    const std::lock_guard lock(mutex_);
    failed_ = true;
    everyone_is_here_.notify_all();
    for (const auto& [key, part] : parts_)
      if (const std::shared_ptr<ThreadGroup> group = part.lock()) group->fail();
  }

 private:
  std::size_t team_index(int rank) const {
    return static_cast<std::size_t>(team_of_rank_[static_cast<std::size_t>(rank)]);
  }

  void check_nobody_waits_for_the_absent() const {
    BANKAI_CHECK(failed_ || num_left_ == 0 || num_waiting_ == 0,
                 "a rank returned while others wait for it");
  }

  void meet() {
    std::unique_lock lock(mutex_);
    if (failed_) throw OtherRankFailed();
    if (++num_waiting_ == size()) {
      num_waiting_ = 0;
      ++meeting_;
      everyone_is_here_.notify_all();
      return;
    }
    check_nobody_waits_for_the_absent();
    const std::uint64_t meeting = meeting_;
    everyone_is_here_.wait(lock, [&] { return meeting_ != meeting || failed_; });
    if (meeting_ == meeting) throw OtherRankFailed();
  }

  std::vector<Post> posts_;
  std::vector<int> team_of_rank_;
  std::vector<std::atomic<std::uint64_t>> tickets_;  // by team

  std::mutex mutex_;  // guards what follows
  std::condition_variable everyone_is_here_;
  int num_waiting_ = 0;
  int num_left_ = 0;
  std::uint64_t meeting_ = 0;
  bool failed_ = false;
  std::map<std::pair<std::uint64_t, std::int64_t>, std::weak_ptr<ThreadGroup>> parts_;
};

std::int64_t combine(std::int64_t a, std::int64_t b, ReduceOp op) {
  switch (op) {
    case ReduceOp::kSum: return a + b;
    case ReduceOp::kMin: return std::min(a, b);
    case ReduceOp::kMax: return std::max(a, b);
  }
  return a;
}

// `data` are integers of another rank; an empty result takes them as they are.
void combine_into(std::vector<std::int64_t>& result, std::span<const std::byte> data, ReduceOp op) {
  std::vector<std::int64_t> other(data.size() / sizeof(std::int64_t));
  if (!data.empty()) std::memcpy(other.data(), data.data(), data.size());
  if (result.empty()) result.swap(other);
  BANKAI_CHECK(other.empty() || other.size() == result.size(),
               "the ranks reduce different lengths");
  for (std::size_t i = 0; i < other.size(); ++i) result[i] = combine(result[i], other[i], op);
}

class ThreadCommunicator final : public Communicator {
 public:
  ThreadCommunicator(std::shared_ptr<ThreadGroup> group, int rank)
      : group_(std::move(group)), rank_(rank) {}
  // A rank that an exception ends is reported by run_ranks.
  ~ThreadCommunicator() override {
    if (std::uncaught_exceptions() == num_exceptions_) group_->leave();
  }

  int rank() const override { return rank_; }
  int size() const override { return group_->size(); }
  std::span<const int> team_of_rank() const override { return group_->team_of_rank(); }

  void barrier() override {
    group_->exchange(rank_, {Operation::kBarrier, 0, {}, 0}, [](std::span<const Post>) {});
  }

  void broadcast(std::span<std::byte> data, int root) override {
    BANKAI_CHECK(root >= 0 && root < size(), "no such rank");
    const auto root_index = static_cast<std::size_t>(root);
    group_->exchange(
        rank_, {Operation::kBroadcast, root_index, data, 0}, [&](std::span<const Post> posts) {
          const std::span<const std::byte> source = posts[root_index].data;
          BANKAI_CHECK(source.size() == data.size(), "the ranks broadcast different lengths");
          if (rank_ != root) std::copy(source.begin(), source.end(), data.begin());
        });
  }

  std::vector<std::vector<std::byte>> all_gather(std::span<const std::byte> mine) override {
    std::vector<std::vector<std::byte>> gathered;
    group_->exchange(rank_, {Operation::kAllGather, 0, mine, 0}, [&](std::span<const Post> posts) {
      for (const Post& post : posts) gathered.emplace_back(post.data.begin(), post.data.end());
    });
    return gathered;
  }

  std::int64_t all_reduce(std::int64_t value, ReduceOp op) override {
    std::int64_t result = 0;
    group_->exchange(rank_, {Operation::kAllReduce, static_cast<std::uint64_t>(op), {}, value},
                     [&](std::span<const Post> posts) {
                       result = posts[0].value;
                       for (const Post& post : posts.subspan(1))
                         result = combine(result, post.value, op);
                     });
    return result;
  }

  void all_reduce(std::span<std::int64_t> values, ReduceOp op) override {
    std::vector<std::int64_t> result;
    group_->exchange(rank_,
                     {Operation::kReduceVector, static_cast<std::uint64_t>(op),
                      std::as_bytes(std::span<const std::int64_t>(values)), 0},
                     [&](std::span<const Post> posts) {
                       for (const Post& post : posts) combine_into(result, post.data, op);
                     });
    BANKAI_CHECK(result.size() == values.size(), "the ranks reduce different lengths");
    std::copy(result.begin(), result.end(), values.begin());
  }

  std::unique_ptr<Communicator> split(int colour) override {
    BANKAI_CHECK(colour >= 0, "a colour must not be negative");
    std::shared_ptr<ThreadGroup> part;
    int rank_in_part = 0;
    group_->exchange(rank_, {Operation::kSplit, 0, {}, colour}, [&](std::span<const Post> posts) {
      part = group_->part(posts, colour);
      for (const Post& post : posts.first(static_cast<std::size_t>(rank_)))
        rank_in_part += post.value == colour ? 1 : 0;
    });
    return std::make_unique<ThreadCommunicator>(std::move(part), rank_in_part);
  }

  void restart_tickets() override {
    group_->exchange(rank_, {Operation::kTickets, 0, {}, 0},
                     [&](std::span<const Post>) { group_->tickets_of(rank_).store(0); });
  }
  std::uint64_t next_ticket() override { return group_->tickets_of(rank_).fetch_add(1); }

 private:
  std::shared_ptr<ThreadGroup> group_;
  int rank_;
  int num_exceptions_ = std::uncaught_exceptions();
};

}  // namespace

void run_ranks(int size, const std::function<void(Communicator&)>& run, int ranks_per_team) {
  BANKAI_CHECK(size > 0 && ranks_per_team >= 0, "no ranks to run");
  std::vector<int> teams;
  for (int rank = 0; rank < size; ++rank)
    teams.push_back(ranks_per_team == 0 ? 0 : rank / ranks_per_team);
  const auto group = std::make_shared<ThreadGroup>(std::move(teams));
  std::vector<std::exception_ptr> failures(static_cast<std::size_t>(size));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] {
      try {
        ThreadCommunicator communicator(group, rank);
        run(communicator);
      } catch (const OtherRankFailed&) {
        // The rank that failed reports it.
      } catch (...) {
        failures[static_cast<std::size_t>(rank)] = std::current_exception();
        group->fail();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& failure : failures)
    if (failure) std::rethrow_exception(failure);
}

}  // namespace bankai::mpi
