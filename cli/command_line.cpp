#include "cli/command_line.h"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <iostream>

#include "core/format.h"
#include "core/version.h"

namespace bankai::cli {

namespace po = boost::program_options;

namespace {

constexpr unsigned kHelpColumns = 100;
constexpr int kMaxThreads = 4096;

void print_kernels() {
  for (const kernels::KernelTable* table : kernels::all_kernels())
    std::cout << table->name << (kernels::is_supported(*table) ? "" : " (not on this machine)")
              << '\n';
}

}  // namespace

CommandLine::CommandLine(std::string program, std::string synopsis)
    : program_(std::move(program)), synopsis_(std::move(synopsis)), visible_(kHelpColumns) {}

po::options_description_easy_init CommandLine::group(const std::string& title) {
  groups_.push_back(std::make_unique<po::options_description>(title, kHelpColumns));
  return groups_.back()->add_options();
}

Result<bool> CommandLine::parse(int argc, const char* const* argv) {
  group("General options")("threads,t", po::value<int>(),
                           "threads (default: the processors this process may use)")(
      "kernel", po::value<std::string>()->default_value(""),
      "instruction set of the kernels (default: $BANKAI_KERNEL, else the best here)")(
      "list-kernels", "print the kernels compiled in, and exit")(
      "json", po::bool_switch(), "results as JSON")("quiet,q", po::bool_switch(),
                                                    "no progress and no remarks on standard error")(
      "force", po::bool_switch(), "replace existing outputs; go on where a check would refuse")(
      "help,h", "print this text, and exit")("version", "print the version, and exit");
  for (const auto& options : groups_) visible_.add(*options);
  try {
    po::store(
        po::command_line_parser(argc, argv)
            .options(visible_)
            .positional(positional_)
            .style(po::command_line_style::default_style & ~po::command_line_style::allow_guessing)
            .run(),
        values_);
    po::notify(values_);
  } catch (const po::error& problem) {
    return make_error(ErrorCode::kUsage, "%s (see --help)", problem.what());
  }
  if (has("help")) {
    std::cout << synopsis_ << '\n' << visible_;
  } else if (has("version")) {
    std::cout << program_ << ' ' << version_string() << '\n';
  } else if (has("list-kernels")) {
    print_kernels();
  } else {
    return true;
  }
  return false;
}

Result<int> CommandLine::threads(int available) const {
  if (!has("threads")) return available;
  const int threads = get<int>("threads");
  if (threads < 1 || threads > kMaxThreads)
    return make_error(ErrorCode::kUsage, "--threads %d: expected 1 to %d", threads, kMaxThreads);
  return threads;
}

Result<const kernels::KernelTable*> CommandLine::kernel() const {
  return kernels::select_kernel(get<std::string>("kernel"));
}

std::string error_line(const std::string& program, const Error& error) {
  std::string line = program + ": " + error.message;
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line;
}

int run_program(const std::string& program, const std::function<Status()>& body) {
  Error error;
  try {
    const Status status = body();
    // A result that could not be written is no result.
    if (status.ok() && std::fflush(stdout) == 0 && std::cout.flush()) return 0;
    error = status.ok() ? Error{ErrorCode::kIo, "cannot write to standard output"} : status.error();
  } catch (const std::bad_alloc&) {
    error = {ErrorCode::kInternal, "out of memory"};
  } catch (const std::exception& problem) {
    error = {ErrorCode::kInternal, problem.what()};
  }
  std::cerr << error_line(program, error) << std::endl;
  return exit_code(error.code);
}

}  // namespace bankai::cli
