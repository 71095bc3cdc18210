#include <array>
#include <optional>

#include "base/text.h"
#include "config/policy_files.h"
#include "ctl/commands.h"
#include "insight/printable.h"
#include "policy/address_guard.h"
#include "policy/decide.h"

namespace leash::ctl {
namespace {

using policy::Decision;

constexpr std::array kModes = {policy::Mode::kEnforce, policy::Mode::kAudit,
                               policy::Mode::kBlocklist};

// A request as an agent would make it through leash.
struct Question {
  base::Authority authority;
  bool is_tunnelled = false;  // CONNECT comes first
  bool is_connect_only = false;
  std::string method;
  std::string path;
};

struct Answer {
  Decision decision;
  std::string refusal;  // what is said of the address, "" for nothing
};

tl::unexpected<base::Error> refuse(std::string detail) {
  return base::fail(base::Code::kBadConfig, base::Fault::kClient, std::move(detail));
}

base::Result<Question> parse_question(const CheckOptions& options) {
  Question question;
  question.method = options.method.empty() ? "GET" : options.method;
  const std::string_view url = options.url;
  const auto scheme_end = url.find("://");
  if (scheme_end == std::string_view::npos) {
    auto target = base::parse_connect_target(url);
    if (!target) {
      return refuse("not a URL and not HOST:PORT: " + options.url + " (" + target.error().text() +
                    ")");
    }
    question.authority = std::move(*target);
    question.is_tunnelled = question.is_connect_only = true;
    return question;
  }
  const std::string scheme = base::lower(url.substr(0, scheme_end));
  const bool is_secure = scheme == "https" || scheme == "wss";
  if (!is_secure && scheme != "http" && scheme != "ws") {
    return refuse("leash carries http, https, ws and wss, not " + scheme);
  }
  std::string_view rest = url.substr(scheme_end + 3);
  const auto authority_end = rest.find_first_of("/?#");
  auto authority = base::parse_authority(rest.substr(0, authority_end), is_secure ? 443 : 80);
  if (!authority) return refuse("bad host or port: " + authority.error().text());
  question.authority = std::move(*authority);
  question.is_tunnelled = is_secure;
  rest.remove_prefix(authority_end == std::string_view::npos ? rest.size() : authority_end);
  // A client sends no fragment, and at least "/" (RFC 9112 s. 3.2.1).
  rest = rest.substr(0, rest.find('#'));
  question.path = (rest.starts_with('/') ? "" : "/") + std::string(rest);
  return question;
}

// As leash goes about it: CONNECT with host and port, the address where it is known, each request
// inside.
Answer answer(const policy::Snapshot& snapshot, const Question& question,
              const policy::AddressGuard* guard, insight::Moment now) {
  Answer out;
  const base::Authority& to = question.authority;
  if (question.is_tunnelled) {
    out.decision = policy::decide(snapshot, {to.host, to.port, {}, {}}, now);
  }
  const bool is_read = !question.is_connect_only && out.decision.tls == policy::TlsMode::kIntercept;
  if (!question.is_tunnelled || (out.decision.is_allowed && is_read)) {
    out.decision =
        policy::decide(snapshot, {to.host, to.port, question.method, question.path}, now);
  }
  if (out.decision.is_allowed && guard != nullptr && to.host.is_ip()) {
    out.refusal = guard->refusal({*to.host.ip(), to.port}, out.decision);
  }
  return out;
}

std::string row(std::string_view mode, bool is_present, const Answer& answer) {
  const Decision& decision = answer.decision;
  const bool passes = decision.is_allowed && answer.refusal.empty();
  std::string line(is_present ? "* " : "  ");
  line += mode;
  line.append(11 - mode.size(), ' ');
  line += passes ? "allowed" : "blocked";
  if (!decision.is_allowed) line += "  " + insight::printable(decision.reason);
  if (!answer.refusal.empty()) line += "  address_not_allowed (" + answer.refusal + ")";
  if (decision.would_block) line += "  would_block_in_enforce";
  if (passes && decision.tls == policy::TlsMode::kSplice) line += "  spliced, not read";
  if (!decision.rule.empty()) line += "  " + insight::printable(decision.rule);
  if (!decision.note.empty()) line += "  \"" + insight::printable(decision.note) + "\"";
  return line + "\n";
}

}  // namespace

int run_check(const Context& context, const CheckOptions& options) {
  const auto question = parse_question(options);
  if (!question) return context.fail(question.error());

  std::optional<policy::AddressGuard> guard;
  if (question->authority.host.is_ip()) {
    const auto settings = context.settings();
    if (!settings) return context.fail(settings.error());
    std::vector<base::SocketAddress> own;
    for (const base::Endpoint& endpoint : settings->listen) {
      if (!endpoint.is_unix()) own.push_back(endpoint.tcp);
    }
    guard.emplace(settings->origin_networks, own, std::vector<base::IpAddress>{});
  }
  const config::PolicyReading reading = config::read_policy(context.policy_dir());
  for (const config::Finding& finding : reading.findings) {
    if (finding.is_error && finding.line == 0) context.warn(finding.file + ": " + finding.text);
  }
  policy::Snapshot snapshot;
  const auto or_empty = [](std::shared_ptr<const policy::EntryMap> entries) {
    return entries != nullptr ? std::move(entries) : std::make_shared<const policy::EntryMap>();
  };
  snapshot.enforce = or_empty(reading.enforce);
  snapshot.blocklist = or_empty(reading.blocklist);
  snapshot.block_lists = reading.block_lists;
  // What a leash that starts now would do; one that runs may still have an earlier state of a
  // broken file.
  policy::Mode present = reading.mode.value_or(policy::Mode::kEnforce);
  if (present == policy::Mode::kBlocklist && reading.blocklist == nullptr) {
    present = policy::Mode::kEnforce;
  }

  if (question->is_connect_only) {
    context.out << "CONNECT " << question->authority.text() << '\n';
  } else {
    context.out << insight::printable(question->method) << ' '
                << (question->is_tunnelled ? "https://" : "http://")
                << question->authority.text_without(question->is_tunnelled ? 443 : 80)
                << insight::printable(question->path) << '\n';
  }
  bool is_allowed = false;
  for (const policy::Mode mode : kModes) {
    snapshot.mode = mode;
    const Answer said = answer(snapshot, *question, guard ? &*guard : nullptr, context.now());
    context.out << row(policy::word(mode), mode == present, said);
    if (mode == present) is_allowed = said.decision.is_allowed && said.refusal.empty();
  }
  return is_allowed ? kDone : kFailed;
}

}  // namespace leash::ctl
