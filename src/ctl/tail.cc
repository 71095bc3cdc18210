#include "ctl/commands.h"
#include "ctl/log_event.h"
#include "ctl/log_follower.h"
#include "ctl/printable.h"

namespace leash::ctl {

int run_tail(const Context& context, const TailOptions& options) {
  const auto settings = context.settings();
  if (!settings) return context.fail(settings.error());
  LogFollower log(settings->log);
  const auto started = log.start(options.lines);
  // With -f the log may still be to come.
  if (!started && !options.follows) return context.fail(started.error());
  if (!started) context.warn(started.error().detail);

  const Colours colours = context.is_coloured ? Colours::kOn : Colours::kOff;
  const auto print = [&](std::string_view line) {
    if (line.empty()) return;
    const auto event = read_event(line);
    context.out << (event ? event_row(*event, colours)
                          : "not an event: " + shortened(printable(line.substr(0, 4096)), 300))
                << '\n';
  };
  for (;;) {
    if (const auto done = log.poll(print); !done) return context.fail(done.error());
    context.out.flush();
    if (!options.follows || !context.out.good() || !context.wait || !context.wait()) return kDone;
  }
}

}  // namespace leash::ctl
