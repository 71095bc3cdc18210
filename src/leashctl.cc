// leashctl: the operator's command line.
#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <iostream>
#include <thread>

#include "base/environment.h"
#include "base/log.h"
#include "ctl/cli.h"

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  // What the libraries log goes to stderr; stdout is for what was asked.
  leash::base::init_log();
  spdlog::set_level(spdlog::level::warn);
  leash::ctl::Context context{std::cout, std::cerr, leash::base::environment()};
  const std::string term = context.variable("TERM");
  context.is_coloured =
      ::isatty(STDOUT_FILENO) == 1 && term != "dumb" && context.variable("NO_COLOR").empty();
  context.shows_progress = ::isatty(STDERR_FILENO) == 1 && term != "dumb";
  context.wait = [] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    return true;
  };
  try {
    return leash::ctl::run(std::move(context), {argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::cerr << "leashctl: " << error.what() << '\n';
    return leash::ctl::kFailed;
  }
}
