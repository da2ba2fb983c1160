#include "core/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

namespace bankai {
namespace {

constexpr ErrorCode kAllCodes[] = {ErrorCode::kIo,          ErrorCode::kInternal,
                                   ErrorCode::kUsage,       ErrorCode::kBadInput,
                                   ErrorCode::kUnsupported, ErrorCode::kMismatch,
                                   ErrorCode::kNoSolution,  ErrorCode::kVerification,
                                   ErrorCode::kStopped,     ErrorCode::kInterrupted};

Result<int> half(int x) {
  if (x % 2 != 0) return Error{ErrorCode::kBadInput, "odd"};
  return x / 2;
}

Result<int> quarter(int x) {
  BANKAI_ASSIGN_OR_RETURN(const int once, half(x));
  BANKAI_ASSIGN_OR_RETURN(const int twice, half(once));
  return twice;
}

Status require_quarter(int x) {
  BANKAI_RETURN_IF_ERROR(quarter(x));
  return {};
}

TEST(Result, HoldsAValueOrAnError) {
  const Result<int> good = half(8);
  ASSERT_TRUE(good.ok());
  EXPECT_TRUE(static_cast<bool>(good));
  EXPECT_EQ(*good, 4);
  const Result<int> bad = half(3);
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.error().code, ErrorCode::kBadInput);
  EXPECT_EQ(bad.error().message, "odd");
}

TEST(Result, MacrosPassErrorsOn) {
  EXPECT_EQ(quarter(12).value(), 3);
  EXPECT_FALSE(quarter(6).ok());  // the second step fails
  EXPECT_FALSE(quarter(5).ok());  // the first step fails
  EXPECT_TRUE(require_quarter(4).ok());
  EXPECT_EQ(require_quarter(2).error().message, "odd");
}

TEST(Result, CarriesValuesThatOnlyMove) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(7);
  ASSERT_TRUE(result.ok());
  const std::unique_ptr<int> value = std::move(result).value();
  EXPECT_EQ(*value, 7);
}

TEST(Result, ErrorsAreNoValues) {
  // A Result<std::string> must not take an error's text for a value, or a value for an error.
  const Result<std::string> text = std::string("fine");
  EXPECT_EQ(text->size(), 4U);
  EXPECT_TRUE(Status().ok());
  EXPECT_FALSE(Status(Error{ErrorCode::kIo, ""}).ok());
}

TEST(ResultDeathTest, LookingAtTheWrongSideEndsTheProgram) {
  EXPECT_DEATH(static_cast<void>(half(3).value()), "holds an error");
  EXPECT_DEATH(static_cast<void>(half(4).error()), "holds a value");
  EXPECT_DEATH(static_cast<void>(Status().error()), "Status that is ok");
}

TEST(ErrorCode, EachHasANameAndAnExitCode) {
  std::set<std::string> names;
  for (const ErrorCode code : kAllCodes) names.insert(error_code_name(code));
  EXPECT_EQ(names.size(), std::size(kAllCodes));
  EXPECT_EQ(names.count("unknown"), 0U);
  // The numbers travel between ranks and must not change.
  for (std::size_t i = 0; i < std::size(kAllCodes); ++i)
    EXPECT_EQ(static_cast<std::size_t>(kAllCodes[i]), i + 1);
}

TEST(ErrorCode, ExitCodesAreThoseOfTheCommandLine) {
  const int expected[] = {1, 1, 2, 3, 3, 5, 4, 5, 75, 130};
  for (std::size_t i = 0; i < std::size(kAllCodes); ++i)
    EXPECT_EQ(exit_code(kAllCodes[i]), expected[i]) << error_code_name(kAllCodes[i]);
}

TEST(WithContext, GoesInFront) {
  const Error error = with_context({ErrorCode::kBadInput, "bad magic"}, "model.gguf");
  EXPECT_EQ(error.message, "model.gguf: bad magic");
  EXPECT_EQ(error.code, ErrorCode::kBadInput);
}

}  // namespace
}  // namespace bankai
