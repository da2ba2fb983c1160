#include "cli/shared_model.h"

#include <algorithm>

#include "cli/patch_loading.h"

namespace bankai::cli {

Result<std::unique_ptr<model::Model>> load_shared_model(const std::string& path,
                                                        model::LoadOptions options,
                                                        mpi::Communicator& communicator) {
  const auto teams = communicator.team_of_rank();
  const int team = teams[static_cast<std::size_t>(communicator.rank())];
  const auto first = std::find(teams.begin(), teams.end(), team) - teams.begin();
  const bool is_first = first == communicator.rank();
  Result<std::unique_ptr<model::Model>> model = std::unique_ptr<model::Model>();
  std::string name;
  if (is_first) {
    options.share = std::count(teams.begin(), teams.end(), team) > 1;
    model = load_model(path, options);
    if (!model.ok() && options.share) {  // no shared memory here? Then without
      options.share = false;
      model = load_model(path, options);
    }
    if (model.ok()) name = (*model)->panels_name();
  }
  const auto names = communicator.all_gather(std::as_bytes(std::span(name)));
  if (is_first) return model;
  const std::vector<std::byte>& of_first = names[static_cast<std::size_t>(first)];
  options.panels_name.assign(reinterpret_cast<const char*>(of_first.data()), of_first.size());
  model = load_model(path, options);
  if (model.ok() || options.panels_name.empty()) return model;
  options.panels_name.clear();
  return load_model(path, options);
}

}  // namespace bankai::cli
