#include "audit/log_archive.h"

#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "audit/pack_file.h"
#include "audit/quiet_thread.h"
#include "audit/rotated_name.h"
#include "base/text.h"

namespace leash::audit {
namespace {

// Packing shall take nothing from those who serve agents. What is refused here is no loss.
void become_unimportant() {
  constexpr int kWhoProcess = 1;  // IOPRIO_WHO_PROCESS, which glibc has no header for
  constexpr int kIdleClass = 3 << 13;
  constexpr int kLowest = 19;
  const long thread = ::syscall(SYS_gettid);
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(thread), kLowest);
  ::syscall(SYS_ioprio_set, kWhoProcess, static_cast<int>(thread), kIdleClass);
}

}  // namespace

LogArchive::LogArchive(std::string log, std::size_t keep)
    : log_(std::move(log)),
      keep_(keep),
      thread_(quiet_thread("leash-archive", [this] { run(); })) {}

LogArchive::~LogArchive() {
  is_stopping_ = true;
  wake();
  thread_.join();
}

void LogArchive::wake() {
  const std::lock_guard lock(mutex_);
  has_work_ = true;
  wakeup_.notify_one();
}

void LogArchive::run() {
  become_unimportant();
  remove_pack_leftovers(log_);
  std::unique_lock lock(mutex_);
  while (!is_stopping_) {
    wakeup_.wait(lock, [this] { return has_work_; });
    has_work_ = false;
    lock.unlock();
    if (!is_stopping_) work();
    lock.lock();
  }
}

void LogArchive::work() {
  prune();
  for (const RotatedName& file : rotated_files(log_)) {
    if (is_stopping_) return;
    if (file.is_packed) continue;
    if (const auto packed = pack_file(file.path, is_stopping_); !packed) {
      // It stays as it is, and is tried again with the next one.
      spdlog::warn("audit log {}: a rotated file was not packed: {}", log_, packed.error().detail);
    }
  }
}

void LogArchive::prune() const {
  if (keep_ == 0 || is_stopping_) return;
  const auto files = rotated_files(log_);
  for (std::size_t i = 0; i + keep_ < files.size(); ++i) {
    if (::unlink(files[i].path.c_str()) == 0) {
      spdlog::info("audit log {}: deleted {}, older than the {} that are kept", log_, files[i].path,
                   keep_);
    } else {
      spdlog::warn("audit log {}: cannot delete {}: {}", log_, files[i].path,
                   base::errno_text(errno));
    }
  }
}

}  // namespace leash::audit
