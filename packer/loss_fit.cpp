#include "packer/loss_fit.h"

#include <algorithm>

#include "kernels/scalar_math.h"

namespace bankai::packer {
namespace {

struct Pool {  // of neighbours that were averaged
  LossFit::Point total;
  double count = 0.0;

  double mean() const { return total.measured / count; }
};

}  // namespace

LossFit::LossFit(std::vector<Point> points) {
  std::sort(points.begin(), points.end(),
            [](const Point& a, const Point& b) { return a.sum < b.sum; });
  std::vector<Pool> pools;  // isotonic regression by pooling adjacent violators
  for (const Point& point : points) {
    if (!(point.sum > 0.0)) continue;
    pools.push_back({point, 1.0});
    while (pools.size() > 1 && pools[pools.size() - 2].mean() >= pools.back().mean()) {
      const Pool last = pools.back();
      pools.pop_back();
      pools.back().total.sum += last.total.sum;
      pools.back().total.measured += last.total.measured;
      pools.back().count += last.count;
    }
  }
  for (const Pool& pool : pools)
    if (pool.mean() > 0.0) points_.push_back({pool.total.sum / pool.count, pool.mean()});
}

double LossFit::predict(double sum) const {
  if (!(sum > 0.0)) return 0.0;
  if (points_.empty()) return sum;
  const auto above = std::find_if(points_.begin(), points_.end(),
                                  [&](const Point& point) { return point.sum >= sum; });
  if (above == points_.begin()) return sum * above->measured / above->sum;
  const Point& low = *(above - 1);
  if (above == points_.end()) return sum * low.measured / low.sum;
  const double along = kernels::log_f64(sum / low.sum) / kernels::log_f64(above->sum / low.sum);
  return low.measured * kernels::pow_f64(above->measured / low.measured, along);
}

}  // namespace bankai::packer
