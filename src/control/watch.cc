#include "control/watch.h"

#include <sys/stat.h>
#include <uv.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <utility>

#include "base/log.h"

namespace leash::control {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kQuiet{10};
constexpr milliseconds kLook{1000};

// Which directory a path leads to, and its last change of entries.
struct Place {
  dev_t device = 0;
  ino_t inode = 0;
  std::int64_t changed_ns = 0;

  static std::optional<Place> of(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) return std::nullopt;
    return Place{
        info.st_dev, info.st_ino,
        static_cast<std::int64_t>(info.st_mtim.tv_sec) * 1'000'000'000 + info.st_mtim.tv_nsec};
  }
  [[nodiscard]] bool is_same_directory(const Place& other) const {
    return device == other.device && inode == other.inode;
  }
};

}  // namespace

struct DirectoryWatch::Impl {
  std::string directory;
  std::function<void()> on_change;
  std::function<void()> on_look;
  uv_loop_t uv{};
  uv_fs_event_t* event = nullptr;  // owned by uv from uv_close on, whose callback frees it
  std::optional<Place> watched;    // nullopt: there is no directory
  bool has_warned = false;
  net::Timer quiet;
  net::Timer look;
  std::unique_ptr<net::ReadWatch> backend;

  Impl(net::Loop& loop, std::string the_directory, std::function<void()> changed,
       std::function<void()> looked)
      : directory(std::move(the_directory)),
        on_change(std::move(changed)),
        on_look(std::move(looked)),
        quiet(loop, [this] { on_change(); }),
        look(loop, [this] { look_again(); }) {
    if (const int status = uv_loop_init(&uv); status != 0) {
      spdlog::critical("cannot make a file watch: {}", uv_strerror(status));
      std::abort();
    }
    backend = std::make_unique<net::ReadWatch>(loop, uv_backend_fd(&uv), [this] { turn(); });
    arm();
    look.start(kLook);
  }

  ~Impl() {
    disarm();
    backend.reset();
    uv_run(&uv, UV_RUN_DEFAULT);  // nothing is left but what closes
    uv_loop_close(&uv);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  static void on_event(uv_fs_event_t* event, const char*, int, int) noexcept {
    static_cast<Impl*>(event->data)->note_change();
  }
  static void on_closed(uv_handle_t* handle) noexcept {
    const std::unique_ptr<uv_fs_event_t> gone(reinterpret_cast<uv_fs_event_t*>(handle));
  }

  void turn() { uv_run(&uv, UV_RUN_NOWAIT); }

  // Not moved by further events: a directory that never rests must not go unnoticed.
  void note_change() {
    if (!quiet.is_running()) quiet.start(kQuiet);
  }

  void arm() {
    watched = Place::of(directory);
    if (!watched) return;
    auto made = std::make_unique<uv_fs_event_t>();
    if (uv_fs_event_init(&uv, made.get()) != 0) return;
    made->data = this;
    const int status = uv_fs_event_start(made.get(), &Impl::on_event, directory.c_str(), 0);
    event = made.release();
    if (status != 0) {
      disarm();
      if (!has_warned) {
        spdlog::warn("cannot watch {}: {}; looking once a second instead", directory,
                     uv_strerror(status));
      }
      has_warned = true;
    }
    turn();  // libuv registers with the kernel here
  }

  void disarm() {
    if (event == nullptr) return;
    uv_close(reinterpret_cast<uv_handle_t*>(std::exchange(event, nullptr)), &Impl::on_closed);
  }

  void look_again() {
    look.start(kLook);
    arm_again();
    on_look();
  }

  // Follows the path to the directory that it leads to now.
  void arm_again() {
    const auto now = Place::of(directory);
    const bool is_same =
        now.has_value() == watched.has_value() && (!now || now->is_same_directory(*watched));
    if (!is_same) {
      disarm();
      arm();
      note_change();
      return;
    }
    if (now && event == nullptr) {
      const bool has_changed = now->changed_ns != watched->changed_ns;
      arm();
      if (has_changed) note_change();
    }
  }
};

DirectoryWatch::DirectoryWatch(net::Loop& loop, std::string directory,
                               std::function<void()> on_change, std::function<void()> on_look)
    : impl_(std::make_unique<Impl>(loop, std::move(directory), std::move(on_change),
                                   std::move(on_look))) {}

DirectoryWatch::~DirectoryWatch() = default;

}  // namespace leash::control
