#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>

#include "ctl/html_text.h"
#include "ctl/report_data.h"
#include "tls/digest.h"
#include "unit/ctl/desk.h"

namespace leash::ctl {
namespace {

std::string line(int minute, const std::string& fields) {
  return "{\"ts\": " + std::to_string(1'767'225'600 + minute * 60) + ".0, " + fields + "}\n";
}

std::string request(int minute, const std::string& event, const std::string& host,
                    const std::string& more) {
  return line(minute, "\"event\": \"" + event + R"(", "client": "10.0.0.1", "host": ")" + host +
                          R"(", "port": 443, "method": "GET", "url": "https://)" + host +
                          "/x?secret=1\"" + more);
}

void write_log(const Desk& desk) {
  desk.write(
      desk.log(),
      line(0, R"("event": "start", "version": "1", "mode": "audit")") +
          request(1, "allowed", "a.example",
                  R"(, "status": 200, "bytes_up": 2048, "bytes_down": 1)") +
          request(2, "allowed", "b.example", R"(, "audit": "would_block_in_enforce")") +
          request(3, "blocked", "c.example",
                  R"(, "reason": "address_not_allowed", "rule": "enforce.yaml:3 c")") +
          request(4, "error", "d.example", R"(, "reason": "connect_timeout: 10.0.0.9")") +
          line(
              5,
              R"("event": "tunnel_closed", "client": "10.0.0.2", "host": "p.example", "port": 443, )"
              R"("tls": "splice", "bytes_up": 4096, "bytes_down": 1)") +
          line(6, R"("event": "mode_change", "previous": "audit", "mode": "enforce")"));
}

// The part of the page from one id to the next.
std::string part(const std::string& page, const std::string& id) {
  const auto begin = page.find("id=\"" + id + "\"");
  REQUIRE(begin != std::string::npos);
  return page.substr(begin, page.find("</section>", begin) - begin);
}

}  // namespace

TEST_CASE("text for a page opens no tag, ends no attribute and hides nothing") {
  CHECK(html_text("<script>alert('x')</script>&\"") ==
        "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;");
  CHECK(html_text("a\xe2\x80\xae\xff\n") == "a\\u{202e}\\xff\\n");
  CHECK(html_text("&&&&", 2) == "&amp;&amp;…");
}

TEST_CASE("names of several parts come apart again, whatever is in them") {
  const std::vector<std::string> parts = {std::string("a\0b", 3), "c"};
  CHECK(parts_of(joined_key(parts)) == std::vector<std::string>{"ab", "c"});
  const auto longest = parts_of(joined_key({std::string(5000, 'x'), std::string(5000, 'y')}));
  REQUIRE(longest.size() == 2);
  Tallies tallies(10);
  tallies.row(joined_key({std::string(5000, 'x'), std::string(5000, 'y')})).bytes_out = 1;
  const auto rows = tallies.sorted([](const Tally& tally) { return tally.bytes_out; });
  REQUIRE(rows.size() == 1);
  CHECK(parts_of(rows[0].first) == longest);
}

TEST_CASE("past their limit names share a row") {
  Tallies tallies(2);
  for (const char* name : {"a", "b", "c", "d", "a"}) tallies.row(name).bytes_out += 1;
  const auto rows = tallies.sorted([](const Tally& tally) { return tally.bytes_out; });
  REQUIRE(rows.size() == 3);
  CHECK(rows[0].first == "a");
  CHECK(rows[2].first.empty());
  CHECK(rows[2].second.bytes_out == 2);
}

TEST_CASE("the report tells what passed, what did not, and what changed") {
  const Desk desk;
  write_log(desk);
  const std::string file = desk.path("report.html");
  const Said said = desk.run({"report", "--html", file});
  CHECK(said.code == 0);
  CHECK(said.out.empty());
  const std::string page = desk.read(file);
  CHECK(page.starts_with("<!DOCTYPE html>"));
  CHECK(has(page, "2026-01-01 00:00 to 2026-01-01 00:06 UTC. Mode at the end: enforce"));
  CHECK(has(part(page, "refused"), "c.example:443"));
  CHECK(has(part(page, "refused"), "address_not_allowed"));
  CHECK(has(part(page, "refused"), "enforce.yaml:3 c"));
  CHECK(has(part(page, "would-block"), "b.example:443"));
  CHECK(has(part(page, "hosts"), "a.example"));
  CHECK(has(part(page, "bytes"), "4.0 KiB"));
  CHECK(part(page, "bytes").find("p.example") < part(page, "bytes").find("a.example"));
  CHECK(has(part(page, "agents"), "10.0.0.1"));
  CHECK(has(part(page, "errors"), "connect_timeout"));
  CHECK(has(part(page, "errors"), "10.0.0.9"));
  CHECK(has(part(page, "changes"), "previous=audit mode=enforce"));
  CHECK(has(part(page, "time"), "1 passed, 0 would be refused, 0 refused, 0 errors"));
  CHECK_FALSE(has(page, "secret"));
  struct stat info {};
  REQUIRE(::stat(file.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0640);
}

TEST_CASE("the page runs no script, loads nothing and has the one style that its policy names") {
  const Desk desk;
  write_log(desk);
  const std::string page = desk.run({"report", "--html", "-"}).out;
  const auto begin = page.find("<style>") + 7;
  const tls::Digest digest = tls::sha256(page.substr(begin, page.find("</style>") - begin));
  const std::string hash =
      tls::base64({reinterpret_cast<const char*>(digest.data()), digest.size()});
  CHECK(has(page, "content=\"default-src 'none'; style-src 'sha256-" + hash +
                      "'; base-uri 'none'; form-action 'none'\""));
  for (const char* word :
       {"<script", "href=", "src=", "url(", "@import", " style=", " on", "http:"}) {
    CAPTURE(word);
    const bool is_word = std::string_view(word) == " on";
    if (!is_word)
      CHECK_FALSE(has(page.substr(0, begin) + page.substr(page.find("</style>")), word));
  }
}

TEST_CASE("a hostile log writes nothing into the page but text") {
  const Desk desk;
  const std::string evil =
      R"(\"><script>alert(1)</script><img src=x onerror=y>'&\u0000\u202e\udcff\n)";
  std::string log;
  for (const char* event : {"allowed", "blocked", "error"}) {
    log +=
        line(1, "\"event\": \"" + std::string(event) + R"(", "client": ")" + evil +
                    R"(", "host": ")" + evil + R"(", "port": 1, "method": ")" + evil +
                    R"(", "url": ")" + evil + R"(", "reason": ")" + evil + R"(", "rule": ")" +
                    evil + R"(", "agent": ")" + evil + R"(", "audit": "would_block_in_enforce")");
  }
  log += line(2, R"("event": "mode_change", "mode": ")" + evil + "\"");
  log += line(3, R"("event": "policy_error", ")" + evil + R"(": ")" + evil + "\"");
  desk.write(desk.path("<b>log"), log);
  const std::string page = desk.run({"report", "--html", "-", desk.path("<b>log")}).out;
  CHECK(has(page, "&lt;script&gt;"));
  CHECK_FALSE(has(page, "<script"));
  CHECK_FALSE(has(page, "<img"));
  CHECK_FALSE(has(page, "<b>log"));
  CHECK(base::is_utf8(page));
  // Every quote and bracket is the page's own: they pair up, and each tag is one that it uses.
  const std::vector<std::string> tags = {
      "!DOCTYPE", "html",  "head",  "meta",  "title", "style", "body",   "main",
      "header",   "h1",    "h2",    "p",     "div",   "span",  "strong", "b",
      "section",  "table", "thead", "tbody", "tr",    "th",    "td",     "svg",
      "rect",     "line",  "g",     "dl",    "dt",    "dd",    "br",     "footer"};
  const auto body = page.find("<body>");
  for (auto at = page.find('<', body); at != std::string::npos; at = page.find('<', at + 1)) {
    auto begin = at + 1;
    if (page[begin] == '/') ++begin;
    const std::string tag = page.substr(begin, page.find_first_of(" >/", begin) - begin);
    CAPTURE(tag);
    CHECK(std::find(tags.begin(), tags.end(), tag) != tags.end());
    const auto end = page.find('>', at);
    CHECK(std::count(page.begin() + static_cast<std::ptrdiff_t>(at),
                     page.begin() + static_cast<std::ptrdiff_t>(end), '"') %
              2 ==
          0);
  }
}

TEST_CASE("an unchained log is told as not proven, an unreadable one too") {
  const Desk desk;
  write_log(desk);
  const Said said = desk.run({"report", "--html", "-"});
  CHECK(has(part(said.out, "integrity"), "not_chained"));
  CHECK(has(said.out, "class=\"verdict bad\""));
  CHECK(has(said.err, "not whole"));
  const Said missing = desk.run({"report", "--html", "-", desk.log(), desk.path("none")});
  CHECK(missing.code == 1);
  CHECK(has(missing.out, "a.example"));
  CHECK(desk.run({"report", "--html", "-", desk.path("none")}).out.empty());
}

TEST_CASE("the report takes a period, and says so") {
  const Desk desk;
  write_log(desk);
  const std::string page = desk.run({"report", "--html", "-", "--since", "2026-01-01T00:02:00Z",
                                     "--until", "2026-01-01T00:03:00Z"})
                               .out;
  CHECK(has(page, "(since 2026-01-01T00:02:00Z, until 2026-01-01T00:03:00Z)"));
  CHECK(has(page, "b.example"));
  CHECK_FALSE(has(page, "a.example"));
  CHECK(desk.run({"report"}).code == 2);
  CHECK(desk.run({"report", "--html", "-", "--since", "noon"}).code == 2);
  CHECK(desk.run({"report", "--html", "-", "--key", desk.path("none")}).code == 2);
}

TEST_CASE("a log without a request has a report too") {
  const Desk desk;
  desk.write(desk.log(), "");
  const Said said = desk.run({"report", "--html", "-"});
  CHECK(said.code == 0);
  CHECK(has(said.out, "No events"));
  CHECK(has(said.out, "Nothing was refused."));
}

}  // namespace leash::ctl
