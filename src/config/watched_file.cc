#include "config/watched_file.h"

#include <functional>

namespace leash::config {
namespace {

constexpr std::size_t kMostModeBytes = std::size_t{64} * 1024;
// A read that failed for want of descriptors or memory leaves the stamp as it is.
constexpr std::chrono::seconds kRetryUnusable{1};

}  // namespace

WatchedFile::WatchedFile(PolicyFileKind kind, std::string dir, std::string name)
    : kind_(kind), dir_(std::move(dir)), name_(std::move(name)), path_(dir_ + "/" + name_) {}

const PolicyContent& WatchedFile::latest() const {
  return pending_ && pending_->content.is_usable ? pending_->content : settled_;
}

WatchedFile::TimePoint WatchedFile::deadline() const {
  if (pending_) return quiet_at_;
  return recheck_at_.value_or(TimePoint::max());
}

bool WatchedFile::take_was_read() { return std::exchange(was_read_, false); }

WatchedFile::Look WatchedFile::refresh(const Clock& clock, Patience patience) {
  const TimePoint now = clock();
  const StampResult seen = stamp_of(path_);
  if (!is_first_look_ && seen == seen_ && now < deadline()) return Look::kSame;
  const auto size = seen.stamp ? static_cast<std::uint64_t>(seen.stamp->size) : 0;
  // One that is too large is not read at all.
  if (patience == Patience::kQuick && size > kQuickBytes && size <= kMostFileBytes) {
    return Look::kSlow;
  }
  const StampResult before = std::exchange(seen_, seen);
  if (seen.error != 0 || !seen.stamp) {
    if (!is_first_look_ && seen == before) return Look::kSame;
    lose(seen, seen.error != 0 ? "cannot be read" : "");
  } else {
    look_again(clock, before);
  }
  is_first_look_ = false;
  return Look::kChanged;
}

void WatchedFile::look_again(const Clock& clock, const StampResult& before) {
  const bool is_same_stamp = !is_first_look_ && before == seen_;
  FileText file = read_guarded(
      dir_, name_, kind_ == PolicyFileKind::kHostList ? Confine::kBelowDirectory : Confine::kNo,
      kind_ == PolicyFileKind::kMode ? kMostModeBytes : kMostFileBytes);
  // Quiet counts from after the reading: this thread may not have been let run since before it.
  const TimePoint now = clock();
  if (file.state == FileText::State::kMissing) return lose({}, "");
  if (file.state == FileText::State::kUnusable) {
    lose(seen_, file.error);
    recheck_at_ = now + kRetryUnusable;
    return;
  }
  seen_.stamp = file.stamp;  // what was read, should the file have been replaced since the stat
  recheck_at_.reset();
  const std::size_t hash = std::hash<std::string_view>{}(file.text);
  const bool is_accepted = accepted_hash_ == hash;

  const bool is_only_touched = before.stamp && before.stamp->is_same_file(file.stamp) &&
                               before.stamp->size == file.stamp.size &&
                               before.stamp->mtime_ns == file.stamp.mtime_ns && !file.is_torn;
  if (is_accepted && !pending_ && is_only_touched) return;  // chmod, or a second look at the same
  if (pending_ && is_same_stamp && pending_->hash == hash && !file.is_torn) {
    // Quiet for long enough, and still the bytes that were judged.
    accept(std::move(pending_->content), hash);
    return;
  }
  const bool is_replaced = before.stamp && !before.stamp->is_same_file(file.stamp);
  PolicyContent content;
  if (is_accepted && settled_.is_usable && findings_ == settled_.findings) {
    content = settled_;
  } else if (pending_ && pending_->hash == hash) {
    content = std::move(pending_->content);
  } else {
    content = read_policy_content(kind_, name_, file.text);
  }
  if ((is_replaced || is_first_look_) && !file.is_torn) {
    accept(std::move(content), hash);
    recheck_at_ = now + kQuiet;
    return;
  }
  pending_ = Pending{std::move(content), hash};
  quiet_at_ = now + kQuiet;
}

void WatchedFile::lose(const StampResult& seen, const std::string& why) {
  seen_ = seen;
  pending_.reset();
  recheck_at_.reset();
  accepted_hash_.reset();
  const std::string effect =
      settled_.is_usable ? ": the last state stays in force" : ": nothing of it is in force";
  findings_ = {{name_, 0, (why.empty() ? "missing" : why) + effect, true}};
  // A policy that never had the file is no accident.
  if (why.empty() && !settled_.is_usable) findings_.front().is_error = false;
  was_read_ = true;
}

void WatchedFile::accept(PolicyContent content, std::size_t hash) {
  findings_ = content.findings;
  accepted_hash_ = hash;
  pending_.reset();
  was_read_ = true;
  if (content.is_usable) {
    settled_ = std::move(content);
  } else if (settled_.is_usable) {
    findings_.push_back({name_, 0, "broken: the last good state stays in force", true});
  } else {
    findings_.push_back({name_, 0, "broken: nothing of it is in force", true});
  }
}

}  // namespace leash::config
