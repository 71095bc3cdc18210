// leash-console: all its parts, and the way of a request through them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "console/settings.h"
#include "net/loop.h"

namespace leash::console {

class Console {
 public:
  // Opens the state directory (one console at a time), makes the tokens at the first start, listens
  // and begins to index. Errors: bad_config, bad_key_file, io.
  [[nodiscard]] static base::Result<std::unique_ptr<Console>> start(net::Loop& loop,
                                                                    const Settings& settings);
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  // Where it listens; ports 0 of the settings are replaced by the real ones.
  [[nodiscard]] const std::vector<base::SocketAddress>& addresses() const;

 private:
  struct Impl;
  explicit Console(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace leash::console
