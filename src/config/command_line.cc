#include "config/command_line.h"

#include <CLI/CLI.hpp>
#include <cstdio>

namespace leash::config {

base::Result<CommandLine> read_command_line(CLI::App& app, int argc, const char* const* argv,
                                            std::string (*help)()) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::fputs(help().c_str(), stdout);
    return CommandLine::kAnswered;
  } catch (const CLI::CallForVersion& version) {
    std::fputs((std::string(version.what()) + "\n").c_str(), stdout);
    return CommandLine::kAnswered;
  } catch (const CLI::Error& wrong) {
    return base::fail(base::Code::kBadConfig, base::Fault::kProxy, wrong.what());
  }
  return CommandLine::kRead;
}

}  // namespace leash::config
