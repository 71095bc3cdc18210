#include "ctl/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "insight/log_event.h"

namespace leash::ctl {
namespace {

constexpr int kWidth = 30;

}  // namespace

Progress::Progress(std::ostream& to, Shown shown, std::uint64_t total)
    : to_(to), total_(shown == Shown::kYes ? total : 0) {}

Progress::~Progress() {
  if (percent_ >= 0) to_ << "\r\x1b[K" << std::flush;
}

void Progress::at(std::uint64_t done) {
  if (total_ == 0) return;
  // A log grows while it is read.
  const auto share = static_cast<double>(std::min(done, total_)) / static_cast<double>(total_);
  const int percent = static_cast<int>(share * 100);
  if (percent == percent_) return;
  percent_ = percent;
  const auto filled = static_cast<std::size_t>(share * kWidth);
  to_ << fmt::format("\r[{}{}] {:3d} % of {}\x1b[K", std::string(filled, '#'),
                     std::string(kWidth - filled, '.'), percent, insight::bytes_text(total_))
      << std::flush;
}

}  // namespace leash::ctl
