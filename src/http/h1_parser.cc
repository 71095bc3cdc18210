#include "http/h1_parser.h"

#include <optional>
#include <utility>
#include <vector>

#include "http/body_reader.h"
#include "http/head_buffer.h"
#include "http/request_head.h"
#include "http/response_head.h"

namespace leash::http {
namespace {

constexpr int kMaxEmptyLines = 2;

template <class Event>
base::Result<std::optional<Event>> widen(base::Result<std::optional<BodyEvent>> from) {
  if (!from) return tl::unexpected(std::move(from.error()));
  if (!*from) return std::nullopt;
  return std::visit(
      [](auto&& event) { return std::optional<Event>(std::forward<decltype(event)>(event)); },
      std::move(**from));
}

bool is_end(const base::Result<std::optional<BodyEvent>>& event) {
  return event && *event && std::holds_alternative<MessageEnd>(**event);
}

}  // namespace

struct RequestParser::Impl {
  explicit Impl(Limits the_limits)
      : limits(the_limits), head(the_limits.head_bytes, base::Fault::kClient) {}

  base::Result<std::optional<RequestEvent>> next(std::string_view& in) {
    return body ? next_in_body(in) : next_head(in);
  }

  base::Result<std::optional<RequestEvent>> next_in_body(std::string_view& in) {
    auto event = body->next(in);
    if (is_end(event)) body.reset();
    return widen<RequestEvent>(std::move(event));
  }

  base::Result<std::optional<RequestEvent>> next_head(std::string_view& in) {
    for (;;) {
      const auto text = head.take(in);
      if (!text) return tl::unexpected(text.error());
      if (!*text) return std::nullopt;
      if (**text == "\r\n") {
        head.clear();
        if (++empty_lines <= kMaxEmptyLines) continue;
        return base::fail(base::Code::kBadRequestLine, base::Fault::kClient, "empty lines");
      }
      auto parsed = parse_request_head(**text, limits);
      if (!parsed) return tl::unexpected(std::move(parsed.error()));
      head.clear();
      empty_lines = 0;
      body.emplace(parsed->body, limits, base::Fault::kClient);
      return std::move(*parsed);
    }
  }

  Limits limits;
  HeadBuffer head;
  std::optional<BodyReader> body;  // of the message under way, from its head to its end
  int empty_lines = 0;
  std::optional<base::Error> error;
};

RequestParser::RequestParser(Limits limits) : impl_(std::make_unique<Impl>(limits)) {}
RequestParser::~RequestParser() = default;
RequestParser::RequestParser(RequestParser&&) noexcept = default;
RequestParser& RequestParser::operator=(RequestParser&&) noexcept = default;

base::Result<std::optional<RequestEvent>> RequestParser::next(std::string_view& in) {
  if (impl_->error) return tl::unexpected(*impl_->error);
  auto event = impl_->next(in);
  if (!event) impl_->error = event.error();
  return event;
}

bool RequestParser::is_between_messages() const { return !impl_->body && impl_->head.is_empty(); }

std::size_t RequestParser::held_bytes() const { return impl_->head.held_bytes(); }

bool RequestParser::is_in_head() const { return !impl_->body && !impl_->head.is_empty(); }

struct ResponseParser::Impl {
  explicit Impl(Limits the_limits)
      : limits(the_limits), head(the_limits.head_bytes, base::Fault::kOrigin) {}

  base::Result<std::optional<ResponseEvent>> next(std::string_view& in) {
    if (body) return next_in_body(in);
    if (!expected.empty()) return next_head(in);
    if (in.empty()) return std::nullopt;
    return base::fail(base::Code::kExcessBytes, base::Fault::kOrigin);
  }

  base::Result<std::optional<ResponseEvent>> next_in_body(std::string_view& in) {
    auto event = body->next(in);
    if (is_end(event)) body.reset();
    return widen<ResponseEvent>(std::move(event));
  }

  base::Result<std::optional<ResponseEvent>> next_head(std::string_view& in) {
    const auto text = head.take(in);
    if (!text) return tl::unexpected(text.error());
    if (!*text) return std::nullopt;
    auto parsed = parse_response_head(**text, expected.front(), limits);
    if (!parsed) return tl::unexpected(std::move(parsed.error()));
    head.clear();
    if (!parsed->is_interim()) {
      expected.erase(expected.begin());
      body.emplace(parsed->body, limits, base::Fault::kOrigin);
    }
    return std::move(*parsed);
  }

  base::Result<std::optional<ResponseEvent>> finish() {
    if (body && body->is_until_close()) {
      body.reset();
      return MessageEnd{};
    }
    if (body) {
      // What has a known length of nothing is whole, even if nobody has asked for its end yet.
      std::string_view nothing;
      auto event = next_in_body(nothing);
      if (!event || *event) return event;
      return base::fail(base::Code::kBodyIncomplete, base::Fault::kOrigin);
    }
    if (expected.empty()) return std::nullopt;
    return base::fail(base::Code::kClosedEarly, base::Fault::kOrigin,
                      head.is_empty() ? "before the response" : "inside the head");
  }

  Limits limits;
  HeadBuffer head;
  std::vector<Answers>
      expected;  // what the responses to come answer; the first one may be under way
  std::optional<BodyReader> body;  // of the message under way, from its head to its end
  std::optional<base::Error> error;
};

ResponseParser::ResponseParser(Limits limits) : impl_(std::make_unique<Impl>(limits)) {}
ResponseParser::~ResponseParser() = default;
ResponseParser::ResponseParser(ResponseParser&&) noexcept = default;
ResponseParser& ResponseParser::operator=(ResponseParser&&) noexcept = default;

void ResponseParser::expect(std::string_view method) {
  impl_->expected.push_back(answers_to(method));
}

base::Result<std::optional<ResponseEvent>> ResponseParser::next(std::string_view& in) {
  if (impl_->error) return tl::unexpected(*impl_->error);
  auto event = impl_->next(in);
  if (!event) impl_->error = event.error();
  return event;
}

base::Result<std::optional<ResponseEvent>> ResponseParser::finish() {
  if (impl_->error) return tl::unexpected(*impl_->error);
  auto event = impl_->finish();
  if (!event) impl_->error = event.error();
  return event;
}

bool ResponseParser::is_between_messages() const { return !impl_->body && impl_->expected.empty(); }

}  // namespace leash::http
