#include "cli/patch_loading.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/atomic_file.h"
#include "patch/fingerprint.h"
#include "patch/patch_file.h"
#include "tests/support/small_model.h"
#include "tests/support/temp_dir.h"

namespace bankai::cli {
namespace {

using bankai::testing::make_small_model;
using bankai::testing::SmallShape;
using bankai::testing::TempDir;
using patch::Flip;
using patch::row_flip;

constexpr TensorAddress kGate{0, Projection::kGate};
constexpr TensorAddress kUp{1, Projection::kUp};

class PatchLoading : public ::testing::Test {
 protected:
  patch::MatrixLookup lookup() const {
    return [this](TensorAddress address) { return model_->bit_matrix(address); };
  }
  // Writes a patch of `flips`, bound to the model or to nothing.
  std::string write(const std::string& name, std::vector<Flip> flips, bool bound = true) {
    patch::Patch patch;
    patch.name = name;
    patch.flips = *patch::FlipSet::make(std::move(flips));
    if (bound) {
      EXPECT_TRUE(patch::bind_to_base(patch, lookup()).ok());
    }
    const std::string path = folder_.path(name);
    EXPECT_TRUE(patch::write_patch(patch, path, Overwrite::kReplace).ok());
    return path;
  }
  Result<PatchStack> load(const std::vector<std::string>& paths, bool force = false) {
    remarks_.clear();
    return load_patches(paths, *model_, force,
                        [this](const std::string& text) { remarks_.push_back(text); });
  }

  TempDir folder_;
  std::shared_ptr<const model::Model> model_ = make_small_model({});
  std::vector<std::string> remarks_;
};

TEST_F(PatchLoading, BringsPatchesTogether) {
  const std::string one = write("one.json", {row_flip(kGate, 1), row_flip(kGate, 2)});
  const std::string two = write("two.bkp", {row_flip(kGate, 2), row_flip(kUp, 9)});
  for (const auto& order : {std::vector{one, two}, std::vector{two, one}}) {
    const auto stack = load(order);
    ASSERT_TRUE(stack.ok()) << stack.error().message;
    EXPECT_EQ(stack->flips.flips(), (std::vector<Flip>{row_flip(kGate, 1), row_flip(kUp, 9)}));
    EXPECT_NE(stack->overlay.find_row(kGate, 1), nullptr);
    EXPECT_EQ(stack->overlay.find_row(kGate, 2), nullptr);
    EXPECT_NE(stack->overlay.find_row(kUp, 9), nullptr);
  }
  EXPECT_TRUE(remarks_.empty());
  EXPECT_TRUE(load({})->overlay.empty());
}

TEST_F(PatchLoading, NamesTheFileAndTheMatrixOfAnotherBase) {
  const std::string path = write("p.json", {row_flip(kGate, 1), row_flip(kUp, 2)});
  SmallShape other;
  other.seed = 2;
  model_ = make_small_model(other);
  const auto stack = load({path});
  ASSERT_FALSE(stack.ok());
  EXPECT_EQ(stack.error().code, ErrorCode::kMismatch);
  EXPECT_TRUE(stack.error().message.starts_with(path + ": ")) << stack.error().message;
  EXPECT_NE(stack.error().message.find("layer 0 gate differs"), std::string::npos);
  EXPECT_TRUE(load({path}, true).ok());
}

TEST_F(PatchLoading, ReportsPatchesWithoutABase) {
  const std::string path = write("loose.json", {row_flip(kGate, 1)}, false);
  ASSERT_TRUE(load({path}).ok());
  ASSERT_EQ(remarks_.size(), 1U);
  EXPECT_NE(remarks_[0].find("names no base"), std::string::npos);
}

TEST_F(PatchLoading, RefusesFlipsThatTheModelCannotHave) {
  const std::string no_layer = write("layer.json", {row_flip({7, Projection::kGate}, 0)}, false);
  const std::string no_row = write("row.json", {row_flip(kGate, 256)}, false);
  for (const bool force : {false, true}) {
    EXPECT_EQ(load({no_layer}, force).error().code, ErrorCode::kMismatch);
    EXPECT_EQ(load({no_row}, force).error().code, ErrorCode::kBadInput);
  }
  EXPECT_EQ(load({folder_.path("missing.json")}).error().code, ErrorCode::kIo);
}

TEST_F(PatchLoading, AHalfEditedModelIsNotLoaded) {
  const std::string path = folder_.path("m.gguf");
  const std::vector<std::byte> bytes = bankai::testing::small_model_bytes({});
  const std::string content(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  ASSERT_TRUE(write_file(path, content, Overwrite::kRefuse).ok());
  EXPECT_TRUE(load_model(path, {}).ok());
  ASSERT_TRUE(write_file(path + ".bankai-journal", "old bytes", Overwrite::kRefuse).ok());
  const auto model = load_model(path, {});
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code, ErrorCode::kBadInput);
}

}  // namespace
}  // namespace bankai::cli
