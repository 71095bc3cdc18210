#include "audit/witness.h"

#include "audit/json_text.h"
#include "audit/line_view.h"
#include "base/text.h"

namespace leash::audit {
namespace {

constexpr std::string_view kFormat = "leash audit witness v1";
constexpr std::size_t kMaxWitnesses = 100'000;

tl::unexpected<base::Error> bad(std::string why) {
  return base::fail(base::Code::kBadSyntax, base::Fault::kProxy, std::move(why));
}

}  // namespace

std::string render_witness(std::string_view line, std::string_view public_key) {
  std::string out = "{\"format\": ";
  append_string(out, kFormat);
  append_key(out, "checkpoint");
  append_string(out, line);
  append_key(out, "public_key");
  append_string(out, public_key);
  out.push_back('}');
  return out;
}

base::Result<Witness> parse_witness(std::string_view text) {
  const std::string_view object = base::trim(text);
  const auto view = LineView::parse(object);
  if (!view) return bad("not a JSON object");
  Witness out;
  if (view->raw("format").empty()) {
    out.line = object;
  } else {
    if (view->text("format") != kFormat) return bad("another format");
    const auto line = view->text("checkpoint");
    const auto key = view->text("public_key");
    if (!line || !key) return bad("a field is missing");
    out.line = *line;
    out.public_key = *key;
  }
  const auto chained = split_line(out.line);
  const auto fields = LineView::parse(std::string_view(out.line));
  const auto checkpoint = parse_checkpoint(out.line);
  if (!chained || !fields || !checkpoint || checkpoint->last != chained->seq - 1) {
    return bad("not a checkpoint of an audit log");
  }
  out.seq = chained->seq;
  out.chain = chained->chain;
  out.ts = fields->number("ts").value_or(0);
  out.checkpoint = *checkpoint;
  return out;
}

base::Result<std::vector<Witness>> parse_witnesses(std::string_view text, const std::string& name) {
  std::vector<Witness> out;
  std::size_t number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = base::trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (line.empty() || line.front() == '#') continue;
    const std::string source = name + ":" + std::to_string(number);
    if (out.size() == kMaxWitnesses) return bad(source + ": too many witnesses");
    auto witness = parse_witness(line);
    if (!witness) return bad(source + ": " + witness.error().detail);
    witness->source = source;
    out.push_back(std::move(*witness));
  }
  if (out.empty()) return bad(name + ": there is no witness in it");
  return out;
}

}  // namespace leash::audit
