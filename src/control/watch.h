// Notices changes in a directory (libuv's inotify on our own loop).
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "net/loop.h"

namespace leash::control {

// Calls `on_change` some 10 ms after something in `directory` was made, written, renamed or
// removed, once for a burst (editors and container mounts cause several events for one save). Looks
// once a second whether the path still leads to the directory that is watched: one that was
// replaced, removed or did not exist yet is watched as soon as it is there, and each such turn is a
// change too. Subdirectories are not watched. Where the kernel's watches have run out, the same
// look once a second sees changes of the directory itself (renames), and a warning says so.
// `on_look` is called at each of these looks, for what no event tells: files in subdirectories, the
// time of day.
class DirectoryWatch {
 public:
  DirectoryWatch(net::Loop& loop, std::string directory, std::function<void()> on_change,
                 std::function<void()> on_look);
  ~DirectoryWatch();
  DirectoryWatch(const DirectoryWatch&) = delete;
  DirectoryWatch& operator=(const DirectoryWatch&) = delete;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace leash::control
