// From the sum of the losses of single steps to the loss of all of them together. Effects do not
// add: some hide each other, others multiply. The sum orders plans; a curve through plans that were
// measured as a whole says what it amounts to.
#pragma once

#include <vector>

namespace bankai::packer {

class LossFit {
 public:
  // A plan's sum of single losses, and the loss it has as a whole.
  struct Point {
    double sum = 0.0;
    double measured = 0.0;
  };
  // No points: the sum itself. Points with a sum of 0 or less are left out; where the measured loss
  // falls as the sum grows, or is 0 or less, noise rules, and neighbours are averaged until it does
  // not.
  explicit LossFit(std::vector<Point> points = {});

  // Straight lines through the points in logarithms, proportional beyond the first and last one. 0
  // for a sum of 0 or less.
  double predict(double sum) const;

 private:
  std::vector<Point> points_;  // ascending in both
};

}  // namespace bankai::packer
