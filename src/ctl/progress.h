// A bar on a terminal that shows how far a long reading has come.
#pragma once

#include <cstdint>
#include <ostream>

namespace leash::ctl {

class Progress {
 public:
  enum class Shown { kNo, kYes };
  // `total` in bytes. kNo, and a total of 0, show nothing.
  Progress(std::ostream& to, Shown shown, std::uint64_t total);
  // Wipes the bar.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Draws anew where the percentage has changed.
  void at(std::uint64_t done);

 private:
  std::ostream& to_;
  std::uint64_t total_;
  int percent_ = -1;
};

}  // namespace leash::ctl
