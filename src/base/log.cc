#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>

namespace leash::base {

void init_log() {
  auto logger = spdlog::stderr_logger_mt("leash");
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace leash::base
