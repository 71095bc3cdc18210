#include "ctl/commands.h"
#include "insight/log_event.h"
#include "insight/log_follower.h"
#include "insight/printable.h"

namespace leash::ctl {

int run_tail(const Context& context, const TailOptions& options) {
  const auto settings = context.settings();
  if (!settings) return context.fail(settings.error());
  insight::LogFollower log(settings->log);
  const auto started = log.start(options.lines);
  // With -f the log may still be to come.
  if (!started && !options.follows) return context.fail(started.error());
  if (!started) context.warn(started.error().detail);

  const insight::Colours colours =
      context.is_coloured ? insight::Colours::kOn : insight::Colours::kOff;
  const auto print = [&](std::string_view line) {
    if (line.empty()) return;
    const auto event = insight::read_event(line);
    context.out << (event ? insight::event_row(*event, colours)
                          : "not an event: " +
                                insight::shortened(insight::printable(line.substr(0, 4096)), 300))
                << '\n';
  };
  for (;;) {
    if (const auto done = log.poll(print); !done) return context.fail(done.error());
    context.out.flush();
    if (!options.follows || !context.out.good() || !context.wait || !context.wait()) return kDone;
  }
}

}  // namespace leash::ctl
