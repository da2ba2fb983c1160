// The options that every program shares, and their parsing: Boost.Program_options with our rules.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/program_options.hpp>

#include "core/result.h"
#include "kernels/dispatch.h"

namespace bankai::cli {

class CommandLine {
 public:
  // `synopsis`: lines shown above the options by --help.
  CommandLine(std::string program, std::string synopsis);

  // A titled group of options; valid until parse().
  boost::program_options::options_description_easy_init group(const std::string& title);
  // Arguments without a name go to this option (-1: any number).
  void positional(const std::string& option, int max_count) {
    positional_.add(option.c_str(), max_count);
  }

  // False if the program is done: --help, --version or --list-kernels was answered on standard
  // output. Errors: kUsage, with the option that is wrong.
  Result<bool> parse(int argc, const char* const* argv);

  const std::string& program() const { return program_; }
  bool has(const std::string& option) const { return values_.count(option) > 0; }
  // Errors: kUsage for an option that was given, is not one of every program's, and is not among
  // those that `command` takes: `options`, their long names with spaces between.
  Status accept_only(const std::string& command, const std::string& options) const;
  // REQUIRES: the option was given or has a default.
  template <typename T>
  const T& get(const std::string& option) const {
    return values_[option].as<T>();
  }

  bool json() const { return get<bool>("json"); }
  bool quiet() const { return get<bool>("quiet"); }
  bool force() const { return get<bool>("force"); }
  // The value of --threads; `available` if it was not given. Errors: kUsage below 1 or absurd.
  Result<int> threads(int available) const;
  // The table for --kernel or BANKAI_KERNEL, or the best. Errors: kUsage.
  Result<const kernels::KernelTable*> kernel() const;

 private:
  std::string program_;
  std::string synopsis_;
  boost::program_options::options_description visible_;
  std::vector<std::unique_ptr<boost::program_options::options_description>> groups_;
  std::vector<std::string> given_;  // long names, without those of every program
  boost::program_options::positional_options_description positional_;
  boost::program_options::variables_map values_;
};

// Runs a program's body: prints its error as one line "program: message" on standard error and
// returns the exit code of cli.md; exceptions (out of memory, library failures) count as internal
// errors.
int run_program(const std::string& program, const std::function<Status()>& body);

// The line for an error; newlines in the message become spaces.
std::string error_line(const std::string& program, const Error& error);

}  // namespace bankai::cli
