// The command line of a program that serves: its flags, --help and --version.
#pragma once

#include <string>

#include "base/error.h"

// NOLINTNEXTLINE(readability-identifier-naming): the library's.
namespace CLI {
class App;
}

namespace leash::config {

enum class CommandLine {
  kRead,
  kAnswered,  // --help or --version has been printed: the program ends well
};

// Sets what `app` has defined. `help` makes the text of --help. Errors: bad_config, in CLI11's
// words.
[[nodiscard]] base::Result<CommandLine> read_command_line(CLI::App& app, int argc,
                                                          const char* const* argv,
                                                          std::string (*help)());

}  // namespace leash::config
