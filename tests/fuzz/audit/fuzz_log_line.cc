// A line of the log, from both sides: what we render reads back, and what a stranger wrote is read
// without harm.
#include <rapidjson/reader.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "audit/chain.h"
#include "audit/checkpoint.h"
#include "audit/header_json.h"
#include "audit/line_view.h"
#include "audit/open_intents.h"
#include "audit/record.h"

namespace {

using namespace leash::audit;

void check(bool is_true) {
  if (!is_true) std::abort();
}

void render_and_read(std::string_view bytes) {
  Record record;
  record.event = Event::kRequest;
  record.client = std::string(bytes.substr(0, 20));
  record.url = std::string(bytes);
  record.req_headers = header_json({{bytes, "x"}}, Redactor(Redactor::Secrets::kKeep, ""));
  record.req_body = std::string(bytes);
  std::string line = render(record);
  const ChainValue chain = finish_line(line, 0, 7, {});
  check(line.back() == '\n');
  line.pop_back();
  for (const char c : line) check(c >= 0x20 && c < 0x7f);
  const auto view = LineView::parse(line);
  check(view.has_value());
  check(view->text("url").value_or("") == bytes);
  check(view->text("req_body").value_or("") == bytes);
  const auto split = split_line(line);
  check(split && split->seq == 7 && split->chain == chain);
}

void read_stranger(const std::string& text) {
  (void)split_line(text);
  (void)parse_checkpoint(text);
  OpenIntents open(OpenIntents::Keep::kLines);
  open.add(text);
  open.add(text);
  check(open.intents().size() <= 1);
  const auto view = LineView::parse(text);
  if (!view) return;
  for (const auto& [key, value] : view->fields()) {
    (void)view->text(key);
    (void)view->number(key);
    (void)view->integer(key);
  }
  // Two readers, one opinion: what we take is JSON to RapidJSON too (except that it refuses numbers
  // beyond a double and high surrogates without a low one, and text that holds NUL).
  if (text.find('\0') != std::string::npos) return;
  rapidjson::Reader reader;
  rapidjson::BaseReaderHandler<> ignore;
  rapidjson::StringStream stream(text.c_str());
  reader.Parse<rapidjson::kParseIterativeFlag>(stream, ignore);
  const auto error = reader.GetParseErrorCode();
  check(error == rapidjson::kParseErrorNone || error == rapidjson::kParseErrorNumberTooBig ||
        error == rapidjson::kParseErrorStringUnicodeSurrogateInvalid);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  render_and_read(text);
  read_stranger(text);
  return 0;
}
