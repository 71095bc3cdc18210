// The processes that write the same log as this one: those before it that still finish what runs,
// and the one after it.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "audit/log_writer.h"
#include "base/fd.h"
#include "net/loop.h"

namespace leash::control {

// The one place that knows of both, and so the one that says how this process stands with the log.
class Kin {
 public:
  // As audit::LogWriter::stand.
  using Stand = std::function<void(audit::LogWriter::Standing, std::function<void()> done)>;
  Kin(net::Loop& loop, Stand stand);

  // The connection to one that this process, or one before it, has taken over from. Its end is that
  // process's end; copies of the connection elsewhere tell the same.
  void add_ancestor(base::Fd connection);
  // A process takes this one's place, and writes as soon as `done` is called, on any thread.
  void add_successor(std::function<void()> done);
  // It has ended.
  void lose_successor();

  // Of the connections, for a successor.
  [[nodiscard]] std::vector<base::Fd> copies() const;

 private:
  struct One {
    base::Fd connection;
    std::unique_ptr<net::ReadWatch> end;
  };
  void on_readable(One* one);
  void on_end(const One* gone);
  void decide(std::function<void()> done = {});

  net::Loop& loop_;
  Stand stand_;
  std::vector<std::unique_ptr<One>> ancestors_;
  bool has_successor_ = false;
};

}  // namespace leash::control
