#include "audit/checkpoint_key.h"
#include "config/policy_edit.h"
#include "ctl/audit_keys.h"
#include "ctl/commands.h"
#include "ctl/event_query.h"
#include "ctl/log_paths.h"
#include "ctl/report_page.h"

namespace leash::ctl {
namespace {

constexpr unsigned kNewFileMode = 0640;  // as the log's

std::string period_text(const EventQuery& query) {
  std::string text;
  if (query.since()) text = "since " + insight::second_text(*query.since());
  if (query.until())
    text += (text.empty() ? "until " : ", until ") + insight::second_text(*query.until());
  return text;
}

}  // namespace

int run_report(const Context& context, const ReportOptions& options) {
  const auto query = EventQuery::parse(options.filter, context.now());
  if (!query) {
    context.fail(query.error());
    return kUsage;
  }
  auto keys = read_keys_or_own(context, options.keys);
  if (!keys && !options.keys.empty()) {
    context.fail(keys.error());
    return kUsage;
  }
  const auto paths = log_paths(context, options.logs);
  if (!paths) return context.fail(paths.error());

  ReportData data;
  LogChoice logs;
  logs.files = *paths;
  const int code =
      for_each_event(context, logs, *query,
                     [&](const insight::LogEvent& event, std::string_view) { data.add(event); });
  if (code != kDone && data.first > data.last) return code;

  ReportFrame frame;
  frame.made = context.now();
  frame.period = period_text(*query);
  frame.files = *paths;
  frame.rows = options.rows;
  audit::VerifyOptions conditions;
  if (keys) {
    for (const tls::PublicKey& key : *keys) frame.keys.push_back(key.id());
    conditions.check_signature = audit::check_with(std::move(*keys));
  }
  frame.integrity = audit::verify_files(*paths, std::move(conditions));
  if (frame.integrity.finding) {
    context.warn("the log is not whole: the report says where (see also leashctl verify)");
  }

  const std::string page = report_page(data, frame);
  if (options.html == "-") {
    context.out << page;
    return code;
  }
  if (auto done = config::replace_file(options.html, page, kNewFileMode); !done) {
    return context.fail(done.error());
  }
  return code;
}

}  // namespace leash::ctl
