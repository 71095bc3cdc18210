#include "ctl/report_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "ctl/html_text.h"
#include "ctl/report_style.h"
#include "tls/digest.h"

namespace leash::ctl {
namespace {

using Row = Tallies::Row;

std::string style_hash() {
  const tls::Digest digest = tls::sha256(kReportStyle);
  return tls::base64({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

// "12 345"
std::string number(std::uint64_t value) {
  std::string digits = std::to_string(value);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) {
    digits.insert(static_cast<std::size_t>(at), "\u202f");
  }
  return digits;
}

std::string count_cell(std::uint64_t value, std::string_view kind = {}) {
  const bool is_wide = kind.ends_with("wide");
  if (value == 0) return fmt::format("<td class=\"n soft{}\">0</td>", is_wide ? " wide" : "");
  return fmt::format("<td class=\"n {}\">{}</td>", kind, number(value));
}

std::string minute_text(insight::Moment moment) {
  std::string text = insight::second_text(moment).substr(0, 16);
  const auto t = text.find('T');
  if (t != std::string::npos) text[t] = ' ';
  return text;
}

std::string time_cell(insight::Moment moment) {
  if (moment == insight::Moment::min() || moment == insight::Moment::max())
    return "<td class=\"t wide\"></td>";
  return fmt::format("<td class=\"t wide\">{}</td>", minute_text(moment));
}

// A bar of coloured parts, `of` being its whole length.
std::string bar_cell(const std::vector<std::pair<const char*, std::uint64_t>>& parts,
                     std::uint64_t of) {
  std::string out =
      "<td class=\"b\"><svg class=\"bar\" viewBox=\"0 0 1000 8\" preserveAspectRatio=\"none\" "
      "aria-hidden=\"true\"><rect class=\"f-track\" width=\"1000\" height=\"8\"/>";
  double x = 0;
  for (const auto& [kind, value] : parts) {
    if (value == 0 || of == 0) continue;
    // What is there is seen, however little.
    const double width =
        std::max(6.0, 1000.0 * static_cast<double>(value) / static_cast<double>(of));
    out += fmt::format("<rect class=\"f-{}\" x=\"{:.1f}\" width=\"{:.1f}\" height=\"8\"/>", kind, x,
                       width);
    x += width;
  }
  return out + "</svg></td>";
}

std::string verdict_bar(const Verdicts& v, std::uint64_t of) {
  return bar_cell(
      {{"passed", v.passed}, {"would", v.would_block}, {"refused", v.refused}, {"error", v.errors}},
      of);
}

std::string row_name(const std::string& name) {
  return name.empty() ? std::string("(all others)") : html_text(name, 260);
}

struct Table {
  std::string id;
  std::string title;
  std::string note;
  std::string heading;  // th elements
  std::string none;     // what is said where there are no rows
};

std::string section(const Table& table, const std::vector<Row>& rows, std::size_t most,
                    const std::function<std::string(const Row&)>& cells) {
  std::string out =
      fmt::format("<section class=\"long\" id=\"{}\"><h2>{}</h2><p class=\"note\">{}</p>", table.id,
                  table.title, table.note);
  if (rows.empty()) return out + "<p class=\"none\">" + table.none + "</p></section>\n";
  out += "<div class=\"scroll\"><table><thead><tr>" + table.heading + "</tr></thead><tbody>\n";
  for (std::size_t i = 0; i < std::min(rows.size(), most); ++i) {
    out += "<tr>" + cells(rows[i]) + "</tr>\n";
  }
  out += "</tbody></table></div>";
  if (rows.size() > most) {
    out += fmt::format("<p class=\"none\">and {} more</p>", number(rows.size() - most));
  }
  return out + "</section>\n";
}

// --- the plot --------------------------------------------------------------------------------

// A round number at or above `value` that halves well.
std::uint64_t ceiling_of(std::uint64_t value) {
  std::uint64_t unit = 1;
  while (unit < value / 10) unit *= 10;
  for (const std::uint64_t step : {2U, 4U, 6U, 8U, 10U, 20U, 40U, 60U, 80U, 100U}) {
    if (unit * step >= value) return unit * step;
  }
  return value;
}

std::string width_text(std::chrono::seconds width) {
  const auto count = width.count();
  const auto text = [](std::int64_t n, const char* unit) {
    return n == 1 ? std::string(unit) : fmt::format("{} {}s", n, unit);
  };
  if (count < 60) return text(count, "second");
  if (count < 3'600) return text(count / 60, "minute");
  if (count < 86'400) return text(count / 3'600, "hour");
  return text(count / 86'400, "day");
}

std::string swatch(const char* kind, const char* label) {
  return fmt::format(
      "<span><svg viewBox=\"0 0 10 10\" aria-hidden=\"true\"><rect class=\"f-{}\" width=\"10\" "
      "height=\"10\" rx=\"2\"/></svg>{}</span>",
      kind, label);
}

std::string plot(const Timeline::Columns& time) {
  std::string out =
      "<section id=\"time\"><h2>Requests over time</h2><p class=\"note\">By outcome, one column "
      "for each ";
  if (time.columns.empty()) {
    return "<section id=\"time\"><h2>Requests over time</h2><p class=\"none\">No requests.</p>"
           "</section>\n";
  }
  out += width_text(time.width) + ". Times are UTC.</p>";
  std::uint64_t most = 1;
  for (const Verdicts& verdicts : time.columns) most = std::max(most, verdicts.all());
  const std::uint64_t top = ceiling_of(most);
  out += "<div class=\"legend\">" + swatch("passed", "passed") +
         swatch("would", "passed, enforce would refuse") + swatch("refused", "refused") +
         swatch("error", "error") + "</div>";
  out += fmt::format(
      "<div class=\"plot\"><div class=\"y\"><span>{}</span><span>{}</span><span>0</span></div>",
      number(top), number(top / 2));
  const std::size_t columns = std::max<std::size_t>(time.columns.size(), 12);
  out += fmt::format(
      "<svg viewBox=\"0 0 {} 1000\" preserveAspectRatio=\"none\" role=\"img\" "
      "aria-label=\"Requests over time, by outcome\">",
      columns * 10);
  for (const int y : {0, 500, 1000}) {
    out += fmt::format("<line class=\"grid\" x1=\"0\" x2=\"{}\" y1=\"{}\" y2=\"{}\"/>",
                       columns * 10, y, y);
  }
  for (std::size_t i = 0; i < time.columns.size(); ++i) {
    const Verdicts& v = time.columns[i];
    if (v.all() == 0) continue;
    const insight::Moment begin = time.begin + time.width * static_cast<std::int64_t>(i);
    out += fmt::format(
        "<g><title>{} UTC: {} passed, {} would be refused, {} refused, {} errors</title>",
        minute_text(begin), v.passed, v.would_block, v.refused, v.errors);
    double y = 1000;
    for (const auto& [kind, value] :
         {std::pair{"passed", v.passed}, std::pair{"would", v.would_block},
          std::pair{"refused", v.refused}, std::pair{"error", v.errors}}) {
      if (value == 0) continue;
      // At least as high as a line is thick: one refusal among thousands is seen.
      const double height =
          std::max(8.0, 1000.0 * static_cast<double>(value) / static_cast<double>(top));
      y -= height;
      out +=
          fmt::format("<rect class=\"f-{}\" x=\"{}\" y=\"{:.1f}\" width=\"8\" height=\"{:.1f}\"/>",
                      kind, i * 10 + 1, std::max(y, 0.0), height);
    }
    out += "</g>";
  }
  out += "</svg><div class=\"x\">";
  const insight::Moment end = time.begin + time.width * static_cast<std::int64_t>(columns);
  out += fmt::format("<span>{}</span><span class=\"wide\">{}</span><span>{}</span>",
                     minute_text(time.begin), minute_text(time.begin + (end - time.begin) / 2),
                     minute_text(end));
  return out + "</div></div></section>\n";
}

// --- parts -----------------------------------------------------------------------------------

std::string tile(std::string_view kind, const std::string& value, std::string_view label) {
  return fmt::format("<div class=\"tile {}\"><b>{}</b><span>{}</span></div>", kind, value, label);
}

std::string tiles(const ReportData& data) {
  const Verdicts& v = data.total.verdicts;
  const auto alarm = [](std::uint64_t value, const char* kind) { return value > 0 ? kind : ""; };
  return "<div class=\"tiles\">" + tile("", number(v.all()), "requests") +
         tile(alarm(v.refused, "t-refused"), number(v.refused), "refused") +
         tile(alarm(v.would_block, "t-would"), number(v.would_block), "enforce would refuse") +
         tile(alarm(v.errors, "t-error"), number(v.errors), "errors") +
         tile("", number(data.hosts.size()), "hosts") +
         tile("", number(data.agents.size()), "agents") +
         tile("", insight::bytes_text(data.total.bytes_out), "sent out") +
         tile("", insight::bytes_text(data.total.bytes_in), "received") + "</div>\n";
}

struct Integrity {
  std::string kind;
  std::string word;
  std::string text;
};

Integrity integrity_of(const ReportFrame& frame) {
  const audit::VerifyReport& report = frame.integrity;
  if (report.finding) {
    const audit::Finding& finding = *report.finding;
    std::string text = html_text(finding.file);
    if (finding.line > 0) text += fmt::format(", line {}", finding.line);
    if (finding.seq > 0) text += fmt::format(" (seq {})", finding.seq);
    text += ": " + html_text(audit::word(finding.flaw));
    if (!finding.text.empty()) text += ": " + html_text(finding.text);
    return {"bad", "Log not whole", text};
  }
  const std::string range = fmt::format("{} lines, seq {} to {}", number(report.lines),
                                        number(report.first_seq), number(report.last_seq));
  if (frame.keys.empty()) {
    return {"warn", "Chain whole, signatures not checked",
            range + ". No key was given: whoever can write the log can make such a chain."};
  }
  return {"good", "Log whole and signed",
          range + fmt::format(", signed through seq {}", number(report.signed_through))};
}

std::string integrity_details(const ReportFrame& frame) {
  const audit::VerifyReport& report = frame.integrity;
  std::string out =
      "<section id=\"integrity\"><h2>Log integrity</h2><p class=\"note\">The files as a whole, as "
      "leashctl verify reads them, whatever the period of this report.</p><dl>";
  const auto item = [&out](std::string_view term, const std::string& text) {
    out += fmt::format("<dt>{}</dt><dd>{}</dd>", term, text);
  };
  const Integrity integrity = integrity_of(frame);
  item("Verdict", integrity.word + ". " + integrity.text);
  std::string files;
  for (std::size_t i = 0; i < std::min<std::size_t>(frame.files.size(), 100); ++i) {
    files += (files.empty() ? "" : "<br>") + html_text(frame.files[i]);
  }
  if (frame.files.size() > 100) files += fmt::format("<br>and {} more", frame.files.size() - 100);
  item("Files, oldest first", "<span class=\"mono\">" + files + "</span>");
  item("Checkpoints", number(report.checkpoints));
  std::string keys;
  for (const std::string& key : frame.keys) keys += (keys.empty() ? "" : ", ") + html_text(key);
  item("Keys", keys.empty() ? "none" : "<span class=\"mono\">" + keys + "</span>");
  if (report.last_seq > 0) {
    const std::string_view chain{reinterpret_cast<const char*>(report.last_chain.data()),
                                 report.last_chain.size()};
    std::string hex;
    for (const char c : chain) hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
    item("Chain value of the last line", "<span class=\"mono\">" + hex + "</span>");
  }
  if (report.first_seq > 1) item("Before", "Earlier lines are in files that were not named.");
  if (report.unchained > 0) {
    item("Without chain",
         number(report.unchained) + " lines stand before the chain; nothing proves them.");
  }
  return out + "</dl></section>\n";
}

std::string changes_section(const ReportData& data) {
  std::string out =
      "<section class=\"long\" id=\"changes\"><h2>Changes of policy and process</h2><p "
      "class=\"note\">"
      "Modes, policy files, findings in them, starts and stops, the latest first.</p>";
  if (data.changes.empty()) return out + "<p class=\"none\">None in this period.</p></section>\n";
  out +=
      "<div class=\"scroll\"><table><thead><tr><th>Time</th><th>Event</th><th>What</th></tr>"
      "</thead><tbody>\n";
  for (auto change = data.changes.rbegin(); change != data.changes.rend(); ++change) {
    out += fmt::format("<tr><td class=\"t\">{}</td><td{}>{}</td><td class=\"mono\">{}</td></tr>\n",
                       minute_text(change->time),
                       change->event == "policy_error" ? " class=\"e\"" : "",
                       html_text(change->event, 40), html_text(change->text));
  }
  out += "</tbody></table></div>";
  if (data.changes_left_out > 0) {
    out += fmt::format("<p class=\"none\">and {} earlier ones</p>", number(data.changes_left_out));
  }
  return out + "</section>\n";
}

std::uint64_t most_of(const std::vector<Row>& rows, std::uint64_t (*order)(const Tally&)) {
  return rows.empty() ? 0 : std::max(order(rows.front().second), order(rows.back().second));
}

std::uint64_t requests(const Tally& tally) { return tally.verdicts.all(); }
std::uint64_t bytes_out(const Tally& tally) { return tally.bytes_out; }
std::uint64_t refused(const Tally& tally) { return tally.verdicts.refused; }
std::uint64_t would_block(const Tally& tally) { return tally.verdicts.would_block; }
std::uint64_t errors(const Tally& tally) { return tally.verdicts.errors; }

// The bar, and what it is made of.
std::string verdict_cells(const Verdicts& v, std::uint64_t longest) {
  return verdict_bar(v, longest) + count_cell(v.all()) + count_cell(v.refused, "r") +
         count_cell(v.would_block, "w wide") + count_cell(v.errors, "e wide");
}

std::string hosts_section(const ReportData& data, std::size_t most) {
  const auto rows = data.hosts.sorted(requests);
  const std::uint64_t longest = most_of(rows, requests);
  return section(
      {"hosts", "Hosts", "By number of requests.",
       "<th>Host</th><th></th><th class=\"n\">Requests</th><th class=\"n\">Refused</th><th "
       "class=\"n "
       "wide\">Would be</th><th class=\"n wide\">Errors</th><th class=\"wide\">Last</th>",
       "No requests."},
      rows, most, [&](const Row& row) {
        return "<td class=\"name\">" + row_name(row.first) + "</td>" +
               verdict_cells(row.second.verdicts, longest) + time_cell(row.second.last);
      });
}

std::string bytes_section(const ReportData& data, std::size_t most) {
  const auto rows = data.hosts.sorted(bytes_out);
  const std::uint64_t longest = most_of(rows, bytes_out);
  return section(
      {"bytes", "Bytes out",
       "What agents sent, by host: bodies of requests, WebSocket messages, and all of a spliced "
       "tunnel.",
       "<th>Host</th><th></th><th class=\"n\">Sent</th><th class=\"n\">Received</th><th class=\"n "
       "wide\">Requests</th>",
       "Nothing was sent."},
      rows, most, [&](const Row& row) {
        const Tally& tally = row.second;
        return "<td class=\"name\">" + row_name(row.first) + "</td>" +
               bar_cell({{"passed", tally.bytes_out}}, longest) + "<td class=\"n\">" +
               insight::bytes_text(tally.bytes_out) + "</td><td class=\"n\">" +
               insight::bytes_text(tally.bytes_in) + "</td><td class=\"n wide\">" +
               number(tally.verdicts.all()) + "</td>";
      });
}

std::string name_with(const std::string& name, const Tally& tally) {
  std::string out = "<td class=\"name\">" + name;
  if (!tally.sample.empty()) {
    out += "<span class=\"mono\">" + html_text(tally.sample, 160) + "</span>";
  }
  return out + "</td>";
}

std::string refusals_section(const ReportData& data, std::size_t most) {
  return section(
      {"refused", "Refused", "Requests and tunnels that did not leave, by host and reason.",
       "<th>Host, last request</th><th>Reason</th><th class=\"wide\">Rule</th><th "
       "class=\"n\">Count</th><th class=\"wide\">First</th><th class=\"wide\">Last</th>",
       "Nothing was refused."},
      data.refusals.sorted(refused), most, [](const Row& row) {
        const auto parts = parts_of(row.first);
        const Tally& tally = row.second;
        return name_with(parts.size() == 2 ? html_text(parts[0], 260) : row_name({}), tally) +
               "<td class=\"r\">" + html_text(parts.size() == 2 ? parts[1] : "", 60) +
               "</td><td class=\"wide mono\">" + html_text(tally.detail, 120) + "</td>" +
               count_cell(tally.verdicts.refused) + time_cell(tally.first) + time_cell(tally.last);
      });
}

std::string would_block_section(const ReportData& data, std::size_t most) {
  return section(
      {"would-block", "Enforce would refuse",
       "Requests that passed because the mode was not enforce. leashctl learn proposes entries for "
       "them.",
       "<th>Host, last request</th><th>Method</th><th class=\"n\">Count</th><th "
       "class=\"wide\">First</th><th class=\"wide\">Last</th>",
       "None in this period."},
      data.would_be_refused.sorted(would_block), most, [](const Row& row) {
        const auto parts = parts_of(row.first);
        const Tally& tally = row.second;
        return name_with(parts.size() == 2 ? html_text(parts[0], 260) : row_name({}), tally) +
               "<td>" + html_text(parts.size() == 2 ? parts[1] : "", 40) + "</td>" +
               count_cell(tally.verdicts.would_block, "w") + time_cell(tally.first) +
               time_cell(tally.last);
      });
}

std::string agents_section(const ReportData& data, std::size_t most) {
  const auto rows = data.agents.sorted(requests);
  const std::uint64_t longest = most_of(rows, requests);
  return section(
      {"agents", "Agents", "By number of requests. Where the log names no agent, its address.",
       "<th>Agent</th><th></th><th class=\"n\">Requests</th><th class=\"n\">Refused</th><th "
       "class=\"n "
       "wide\">Would be</th><th class=\"n wide\">Errors</th><th class=\"n wide\">Sent</th><th "
       "class=\"wide\">Last</th>",
       "No requests."},
      rows, most, [&](const Row& row) {
        return "<td class=\"name\">" + row_name(row.first) + "</td>" +
               verdict_cells(row.second.verdicts, longest) + "<td class=\"n wide\">" +
               insight::bytes_text(row.second.bytes_out) + "</td>" + time_cell(row.second.last);
      });
}

std::string errors_section(const ReportData& data, std::size_t most) {
  return section(
      {"errors", "Errors", "Requests that ended otherwise, by the word of the error.",
       "<th>Error, last request</th><th class=\"wide\">Detail</th><th class=\"n\">Count</th><th "
       "class=\"wide\">First</th><th class=\"wide\">Last</th>",
       "None in this period."},
      data.errors.sorted(errors), most, [](const Row& row) {
        const Tally& tally = row.second;
        return name_with(row_name(row.first), tally) + "<td class=\"wide mono\">" +
               html_text(tally.detail, 120) + "</td>" + count_cell(tally.verdicts.errors, "e") +
               time_cell(tally.first) + time_cell(tally.last);
      });
}

}  // namespace

std::string report_page(const ReportData& data, const ReportFrame& frame) {
  std::string out = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'sha256-{}'; base-uri 'none'; form-action 'none'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"referrer\" content=\"no-referrer\">\n"
      "<title>Egress report</title>\n<style>{}</style></head>\n<body><main>\n",
      style_hash(), kReportStyle);
  out += "<header><h1>Egress report</h1><p class=\"soft\">";
  if (data.first <= data.last) {
    out += minute_text(data.first) + " to " + minute_text(data.last) + " UTC";
  } else {
    out += "No events";
  }
  if (!frame.period.empty()) out += " (" + html_text(frame.period) + ")";
  if (!data.mode.empty()) out += ". Mode at the end: " + html_text(data.mode, 32);
  out += "</p></header>\n";
  const Integrity integrity = integrity_of(frame);
  out += fmt::format("<div class=\"verdict {}\"><strong>{}</strong><span>{}</span></div>\n",
                     integrity.kind, integrity.word, integrity.text);
  out += tiles(data);
  out += plot(data.timeline.columns());
  out += refusals_section(data, frame.rows);
  out += would_block_section(data, frame.rows);
  out += hosts_section(data, frame.rows);
  out += bytes_section(data, frame.rows);
  out += agents_section(data, frame.rows);
  out += errors_section(data, frame.rows);
  out += changes_section(data);
  out += integrity_details(frame);
  out += fmt::format(
      "<footer>Made by leashctl report at {}. A request counts once, by its outcome. Queries of "
      "URLs "
      "are left out.</footer>\n</main></body></html>\n",
      insight::second_text(frame.made));
  return out;
}

}  // namespace leash::ctl
