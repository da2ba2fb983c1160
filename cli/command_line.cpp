#include "cli/command_line.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <iostream>
#include <sstream>
#include <typeinfo>

#include "cli/report_text.h"
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

// Whether the library would read "-1" as the largest number: it wraps what is unsigned.
bool wraps_around(const po::option_description& option, const std::vector<std::string>& values) {
  const auto* typed =
      dynamic_cast<const po::typed_value_base*>(option.semantic().get());  // none: a plain switch
  if (typed == nullptr) return false;
  const std::type_info& type = typed->value_type();
  if (type != typeid(std::uint32_t) && type != typeid(std::uint64_t)) return false;
  return std::any_of(values.begin(), values.end(),
                     [](const std::string& value) { return value.find('-') == 0; });
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
  const po::options_description& general = *groups_.back();
  try {
    po::command_line_parser parser(argc, argv);
    parser.options(visible_).style(po::command_line_style::default_style &
                                   ~po::command_line_style::allow_guessing);
    // Without names for them the library leaves such arguments in its list, for us to tell of.
    if (positional_.max_total_count() > 0) parser.positional(positional_);
    const po::parsed_options parsed = parser.run();
    for (const po::option& option : parsed.options) {
      if (option.string_key.empty())
        return make_error(ErrorCode::kUsage, "%s belongs to no option (see --help)",
                          quoted(option.value.front()).c_str());
      const po::option_description& known = visible_.find(option.string_key, false);
      if (wraps_around(known, option.value))
        return make_error(ErrorCode::kUsage, "--%s %s: expected a number that is not negative",
                          option.string_key.c_str(), option.value.front().c_str());
      if (option.position_key < 0 && general.find_nothrow(option.string_key, false) == nullptr)
        given_.push_back(option.string_key);
    }
    po::store(parsed, values_);
    po::notify(values_);
  } catch (const po::error& problem) {
    return make_error(ErrorCode::kUsage, "%s (see --help)", problem.what());
  }
  if (has("help")) {
    std::ostringstream text;
    text << synopsis_ << visible_;
    std::cout << without_trailing_blanks(text.str());
  } else if (has("version")) {
    std::cout << program_ << ' ' << version_string() << '\n';
  } else if (has("list-kernels")) {
    print_kernels();
  } else {
    return true;
  }
  return false;
}

Status CommandLine::accept_only(const std::string& command, const std::string& options) const {
  const std::string padded = " " + options + " ";
  for (const std::string& name : given_)
    if (padded.find(" " + name + " ") == std::string::npos)
      return make_error(ErrorCode::kUsage, "--%s does not go with %s (see --help)", name.c_str(),
                        command.c_str());
  return {};
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
